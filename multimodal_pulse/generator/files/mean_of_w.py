"""The mean of W for files that lack it: estimated from the mapping network."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal_pulse.generator.files.torch_files import StoredTensor
from multimodal_pulse.generator.stylegan2 import Architecture, MappingNetwork

MEAN_DRAWS = 4096
"""Random z from which the mean is estimated; as many as rosinality's scripts draw."""

_AT_ONCE = 64  # a file may declare a z of many thousand components


@dataclass(frozen=True)
class MeanOfW:
    """Stands for the tensor `mapping.w_avg` that a file lacks: reading it draws z, always the same, and maps them."""

    architecture: Architecture
    layers: Mapping[str, StoredTensor]  # of the mapping network, by their names there

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.architecture.w_dim,)

    @torch.no_grad()
    def read(self) -> Tensor:
        """float32 [w_dim]."""
        a = self.architecture
        with torch.device("meta"):
            mapping = MappingNetwork(a.z_dim, a.w_dim, a.mapping_layers)
        tensors = {name: tensor.read() for name, tensor in self.layers.items()}
        mapping.load_state_dict({**tensors, "w_avg": torch.zeros(a.w_dim)}, assign=True)
        rng = torch.Generator().manual_seed(0)
        draws = (torch.randn(_AT_ONCE, a.z_dim, generator=rng) for _ in range(MEAN_DRAWS // _AT_ONCE))
        return torch.stack([mapping(z).mean(dim=0) for z in draws]).mean(dim=0)


def mean_of_w(architecture: Architecture, tensors: Mapping[str, StoredTensor]) -> MeanOfW:
    """For the network that these tensors, by their dotted names, belong to."""
    prefix = "mapping."
    layers = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return MeanOfW(architecture, layers)
