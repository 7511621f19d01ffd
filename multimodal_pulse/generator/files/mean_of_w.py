"""The mean of W for files without it, estimated with the mapping network."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal_pulse.generator.files.torch_files import StoredTensor
from multimodal_pulse.generator.stylegan2 import Architecture, MappingNetwork

MEAN_DRAWS = 4096
"""The number of random z from which the mean is estimated, as in rosinality's scripts."""

_AT_ONCE = 64  # a file may declare a z of many thousand components


@dataclass(frozen=True)
class MeanOfW:
    """Replaces the missing tensor `mapping.w_avg` of a file; reading it maps random z, always the same."""

    architecture: Architecture
    layers: Mapping[str, StoredTensor]  # the mapping network's tensors, by their names in it

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.architecture.w_dim,)

    @torch.no_grad()
    def read(self) -> Tensor:
        """Returns the mean of W, float32 [w_dim]."""
        a = self.architecture
        with torch.device("meta"):
            mapping = MappingNetwork(a.z_dim, a.w_dim, a.mapping_layers)
        tensors = {name: tensor.read() for name, tensor in self.layers.items()}
        mapping.load_state_dict({**tensors, "w_avg": torch.zeros(a.w_dim)}, assign=True)
        rng = torch.Generator().manual_seed(0)
        draws = (torch.randn(_AT_ONCE, a.z_dim, generator=rng) for _ in range(MEAN_DRAWS // _AT_ONCE))
        return torch.stack([mapping(z).mean(dim=0) for z in draws]).mean(dim=0)


def mean_of_w(architecture: Architecture, tensors: Mapping[str, StoredTensor]) -> MeanOfW:
    """Makes the mean of W for the network that has these tensors, given by their dotted names."""
    prefix = "mapping."
    layers = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return MeanOfW(architecture, layers)
