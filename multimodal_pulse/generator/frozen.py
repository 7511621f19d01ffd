"""The generator of a search: frozen, with explicit noise maps and images in [0, 1]."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from multimodal_pulse.generator.ops.fused import PlainOperators
from multimodal_pulse.generator.stylegan2 import Architecture, StyleGAN2


class Generator(nn.Module):
    """A StyleGAN2 with constant weights: they get no gradient, and the mode is always `eval`.

    Args:
        network: the network; it is used itself, not copied.
        sha256: the hex digest that identifies the weights (of their file, if any); None: computed from the tensors.
        domain: the content of its pictures, from general to particular, such as "photographs/faces"; None: any or
            unknown.

    Attributes:
        companions: a folder of files that were computed from these weights and come with them; None: there is none.
        operators: what computes the synthesis network; plain PyTorch, unless something else is put here.
    """

    companions: Path | None = None

    def __init__(self, network: StyleGAN2, sha256: str | None = None, domain: str | None = None):
        super().__init__()
        self.network = network.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        for layer in network.synthesis.layers:
            layer.freeze()
        self.architecture: Architecture = network.architecture
        self.sha256 = sha256 or _digest(network)
        self.domain = domain
        self.operators = PlainOperators()

    @property
    def z_dim(self) -> int:
        """The size of z."""
        return self.architecture.z_dim

    @property
    def w_dim(self) -> int:
        """The size of one style input."""
        return self.architecture.w_dim

    @property
    def num_ws(self) -> int:
        """The number of style inputs."""
        return self.architecture.num_ws

    @property
    def resolution(self) -> int:
        """The side of the images, in pixels."""
        return self.architecture.resolution

    @property
    def img_channels(self) -> int:
        """The number of image channels."""
        return self.architecture.img_channels

    @property
    def noise_resolutions(self) -> list[int]:
        """The resolution of each synthesis layer's noise map, in layer order."""
        return self.architecture.noise_resolutions

    def train(self, mode: bool = True) -> Self:
        """Keeps the mode `eval`, for any `mode`."""
        return super().train(False)

    def mapping(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """Maps z [N, z_dim], unit normal, to w_plus [N, num_ws, w_dim] with the same vector for each layer.

        Args:
            z: the random input.
            truncation: psi of the truncation trick; 1 keeps w, 0 gives the mean.
        """
        w = self.network.mapping(z)
        if truncation != 1.0:
            w = self.network.mapping.w_avg.lerp(w, truncation)
        return w[:, None].expand(-1, self.num_ws, -1)

    def synthesis(
        self,
        w_plus: Tensor,
        noise_maps: Sequence[Tensor] | None = None,
        deviations: Mapping[int, Tensor] | None = None,
    ) -> Tensor:
        """Maps w_plus [N, num_ws, w_dim] to images [N, img_channels, R, R] in about [0, 1], not clamped.

        Args:
            w_plus: one style input per layer.
            noise_maps: one map per synthesis layer, each [N or 1, 1, r, r] in units of unit-variance noise, before the
                layer's learned strength; None: the checkpoint's constant maps; zeros: no noise.
            deviations: by resolution, what is added to the features after the layers of that resolution, [N, channels,
                r, r]; None: nothing is added.

        Raises:
            ValueError: w_plus or the noise maps do not have the shapes above.
        """
        if w_plus.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"w_plus must be [N, {self.num_ws}, {self.w_dim}], not {list(w_plus.shape)}")
        maps = self.constant_noise() if noise_maps is None else noise_maps
        self._check_noise(maps, len(w_plus))
        return (self.operators(self.network.synthesis, w_plus, maps, deviations) + 1) / 2

    def constant_noise(self) -> list[Tensor]:
        """Returns the constant noise maps, [1, 1, r, r] each, in layer order, before the layer's learned strength."""
        return [layer.noise_const[None, None] for layer in self.network.synthesis.layers]

    def _check_noise(self, noise_maps: Sequence[Tensor], batch: int) -> None:
        if len(noise_maps) != len(self.noise_resolutions):
            raise ValueError(
                f"{len(self.noise_resolutions)} noise maps are needed, one per layer, not {len(noise_maps)}"
            )
        for index, (noise_map, r) in enumerate(zip(noise_maps, self.noise_resolutions, strict=True)):
            if noise_map.shape not in ((batch, 1, r, r), (1, 1, r, r)):
                raise ValueError(f"noise map {index} must be [{batch} or 1, 1, {r}, {r}], not {list(noise_map.shape)}")


def _digest(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
