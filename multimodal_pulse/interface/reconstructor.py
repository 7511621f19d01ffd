"""The search as a reconstruction model of deepinv: `model(y, physics)`. It needs the optional extra `deepinv`."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from deepinv.models import Reconstructor
from deepinv.physics import GaussianNoise
from omegaconf import DictConfig
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.degradation.deepinv_physics import DeepinvPhysics
from multimodal_pulse.interface.api import as_override, own_torch
from multimodal_pulse.interface.hydra_errors import composed
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.noise import Noise
from multimodal_pulse.run.arithmetic import with_precision
from multimodal_pulse.run.build import (
    Parts,
    build,
    build_lr_noise,
    build_search,
    torch_device,
    total_steps,
    trainer_options,
)
from multimodal_pulse.run.kernels import with_kernels
from multimodal_pulse.search.outcome import Outcome

log = logging.getLogger(__name__)

Decided = tuple[DictConfig, str | None, torch.device]
"""The configuration with its precision and operators, the reason for the precision, and the device."""


class LatentSearch(Reconstructor):
    """Searches pictures for measurements of any linear physics of deepinv, as `upsample` does for LR pictures.

    Nothing is written to the disk but the bank of a method with conditioned starts, once for each operator. The noise
    of a `GaussianNoise` of the physics, of one standard deviation or one for each measurement, is known to the search
    (see `Reference.noise`). Precision and operators are chosen at the first call, for a search of its size.

    Args:
        method: a method of the command line.
        num_samples: the number of samples of each measurement, K.
        seed: fixes all random draws, together with the position of the measurement in the batch.
        overrides: any other overrides, such as `generator="faces"` or `**{"latent_resampling.draws": 500}`.
    Raises:
        UserError: an override cannot be used.
    """

    def __init__(self, method: str = "faithful", num_samples: int = 1, seed: int = 0, **overrides: Any) -> None:
        super().__init__()
        settings = {"method": method, "num_samples": num_samples, "seed": seed, "tracking": "none"} | overrides
        cfg, job = composed([f"{key}={as_override(value)}" for key, value in settings.items()])
        check_config(cfg, job.choices, job.overrides)
        self._cfg, self._built = cfg, build(cfg.generator)
        self._decided: Decided | None = None

    def forward(self, y: Tensor, physics: Any, **kwargs: Any) -> Tensor:
        """Returns the first sample of each measurement: y [B, 3, h, w] -> [B, 3, R, R] in [0, 1], on the device of y.

        Raises:
            UserError: the physics is not linear, or its measurements of the generator's pictures have another shape.
        """
        return self.samples(y, physics)[:, 0]

    @own_torch()
    def samples(self, y: Tensor, physics: Any) -> Tensor:
        """Returns all samples of each measurement, [B, K, 3, R, R] in [0, 1]; raises as `forward`."""
        degradation = DeepinvPhysics(physics)
        # Copied: a tensor made in inference mode takes part in no gradient.
        references = Measurements(y.detach().cpu().float().clone(), _noise(physics, len(y)))
        references.refuse_other_shape(degradation, self._built.resolution)
        cfg, why_precision, device = self._decided = self._decided or self._decide(len(y))
        lr_noise = build_lr_noise(cfg.lr_noise, references, self._built, degradation)
        synthesis_noise = build(cfg.synthesis_noise)
        parts = Parts(cfg, why_precision, device, self._built, degradation, references, lr_noise, synthesis_noise)
        outcomes: list[Outcome] = []
        groups = [[index] for index in range(len(references))]
        build_search(cfg, groups, parts).run(outcomes.append, **trainer_options(cfg.trainer, device))
        return torch.stack([outcome.samples for outcome in outcomes]).to(y)

    def _decide(self, measurements: int) -> Decided:
        """Chooses the precision and gives the generator its operators, once: building and compiling them takes time."""
        device = torch_device(self._cfg.trainer, shard_index=0)
        cfg, why_precision = with_precision(self._cfg, device)
        cfg, without_fused = with_kernels(cfg, device, self._built, measurements * cfg.num_samples * total_steps(cfg))
        if without_fused:
            log.warning(without_fused)
        return cfg, why_precision, device


def _noise(physics: Any, measurements: int) -> list[Noise]:
    """Returns the noise of each measurement, as far as it is Gaussian: other noise has another likelihood."""
    model = getattr(physics, "noise_model", None)
    if not isinstance(model, GaussianNoise):
        return [Noise()] * measurements
    return [Noise(std, "given") for std in torch.as_tensor(model.sigma).flatten().expand(measurements).tolist()]


class Measurements(References):
    """Measurements [B, 3, h, w] as references, which are not rounded to 8 bits."""

    def __init__(self, measurements: Tensor, noise: Sequence[Noise]) -> None:
        super().__init__([f"measurement-{number}" for number in range(len(measurements))])
        self._measurements, self._noise = measurements, noise

    def __getitem__(self, index: int) -> Reference:
        return Reference(self.names[index], self._measurements[index], hr=None, noise=self._noise[index])

    def refuse_other_shape(self, degradation: DeepinvPhysics, resolution: int) -> None:
        """Raises UserError if the degradation does not make such measurements of pictures of this resolution."""
        expected, given = degradation.lr_shape((3, resolution, resolution)), tuple(self._measurements.shape[1:])
        if given != expected:
            raise UserError(
                f"the measurements are {list(given)}, but {degradation.name} makes {list(expected)} of the generator's"
                f" pictures of {resolution} x {resolution}."
            )
