"""The synthesis network as `torch.compile` makes it: for devices without fused operators and much to search."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from multimodal_pulse.base.files import cache_folder
from multimodal_pulse.generator.ops.fused import PlainOperators

if TYPE_CHECKING:
    from multimodal_pulse.generator.stylegan2 import SynthesisNetwork

log = logging.getLogger(__name__)


class CompiledOperators(PlainOperators):
    """The network compiled, forward and backward, for the passes of a search; elsewhere the network as it is.

    Compiling takes about a minute at the first pass; what the compiler makes is kept for later runs. Where it fails,
    the search goes on with the network as it is, and one line says so.
    """

    name = "compiled"

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "inductor"))
        self._known: set[tuple[object, ...]] = set()
        self._failed = False

    def __call__(
        self,
        network: "SynthesisNetwork",
        w_plus: Tensor,
        noise_maps: Sequence[Tensor],
        deviations: Mapping[int, Tensor] | None,
    ) -> Tensor:
        """Returns what `SynthesisNetwork.forward` does."""
        wanted = torch.is_grad_enabled() and not (self._failed or deviations or torch.compiler.is_compiling())
        if wanted:
            self._rehearse(network, w_plus, noise_maps)
        if not wanted or self._failed:
            return super().__call__(network, w_plus, noise_maps, deviations)
        image: Tensor = self._compiled(network)(w_plus, list(noise_maps))
        return image

    def _compiled(self, network: "SynthesisNetwork") -> torch.nn.Module:
        if getattr(self, "_of", None) is not network:
            self._of, self._network = network, torch.compile(network)
        return self._network  # type: ignore[return-value]

    def _rehearse(self, network: "SynthesisNetwork", w_plus: Tensor, noise_maps: Sequence[Tensor]) -> None:
        """Compiles both directions for inputs of new shapes, so that a failure comes here and not in the search."""
        device = w_plus.device.type
        mixed = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        shapes = (mixed, *((x.shape, x.requires_grad) for x in (w_plus, *noise_maps)))
        if shapes in self._known:
            return
        self._known.add(shapes)
        log.info("compiling the generator (about a minute, once)")
        trial = [x.detach().clone().requires_grad_(x.requires_grad) for x in (w_plus, *noise_maps)]
        try:
            image = self._compiled(network)(trial[0], trial[1:])
            if image.requires_grad:
                image.sum().backward()
        except Exception as error:  # whatever the compiler, or the compiler that it calls, raises
            self._failed = True
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
            log.warning("torch.compile failed (%s): the search goes on without it; trainer.compile=false.", said[:200])
