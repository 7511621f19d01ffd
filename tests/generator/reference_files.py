"""Reads the checkpoints of ../shared/stylegan2 as plain data: every class in them becomes an empty stand-in."""

import collections
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from multimodal_pulse.generator import Architecture, StyleGAN2

FOLDER = Path(__file__).parents[3] / "shared" / "stylegan2"


class _StandIn:
    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _DataOnly(pickle.Unpickler):
    allowed = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
        ("torch.storage", "_load_from_bytes"): lambda data: torch.load(io.BytesIO(data), weights_only=True),
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): lambda record: record,
    }

    def find_class(self, module: str, name: str) -> Any:
        return self.allowed.get((module, name), _StandIn)


def read_network(path: Path) -> StyleGAN2:
    """The network `G_ema` of an official checkpoint."""
    with path.open("rb") as file:
        record = _DataOnly(file).load()["G_ema"]
    arguments = record["state"]["_init_kwargs"]
    arguments = arguments | arguments.get("synthesis_kwargs", {})
    network = StyleGAN2(
        Architecture(
            resolution=arguments["img_resolution"],
            z_dim=arguments["z_dim"],
            w_dim=arguments["w_dim"],
            mapping_layers=arguments["mapping_kwargs"]["num_layers"],
            channel_base=arguments["channel_base"],
            channel_max=arguments["channel_max"],
            conv_clamp=arguments["conv_clamp"],
        )
    )
    tensors = dict(_tensors(record, ""))
    network.load_state_dict({name: t for name, t in tensors.items() if not name.endswith("resample_filter")})
    return network


def _tensors(record: dict, prefix: str) -> list[tuple[str, torch.Tensor]]:
    state = record["state"]
    own = [(prefix + name, t.detach()) for name, t in {**state["_parameters"], **state["_buffers"]}.items()]
    return own + [pair for name, child in state["_modules"].items() for pair in _tensors(child, f"{prefix}{name}.")]
