"""Writes checkpoints as the official code does: pickles whose modules carry source code, arguments and state.

Everything is written out here from the format alone; nothing of the package under test is used.
"""

import io
import math
import pickle
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

SOURCE = "raise RuntimeError('source text embedded in a checkpoint was executed')\n"
HOOKS = ("_backward_hooks", "_forward_hooks", "_forward_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks")


class EasyDict(dict):
    """Stands for dnnlib's."""


def named(module: str, name: str) -> Callable:
    """Something that is pickled under a name which need not exist."""

    def function(*arguments: Any) -> Any:
        raise AssertionError("called while writing")

    function.written_as = (module, name)  # type: ignore[attr-defined]
    return function


class Call:
    """Pickled as a call of `function` with `arguments`, followed by `state` where there is one."""

    def __init__(self, function: Callable, *arguments: Any, state: Any = None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced

    def __call__(self, *arguments: Any) -> Any:
        """pickle wants to see that what is called is callable."""
        raise AssertionError("called while writing")


class Pickler(pickle._Pickler):  # type: ignore[misc]  # the one written in Python, where saving of names can be replaced
    """pickle's own, which writes `named` things and `EasyDict` by name without looking for them."""

    def save_name(self, obj: Any, name: str | None = None) -> None:
        written_as = ("dnnlib.util", "EasyDict") if obj is EasyDict else getattr(obj, "written_as", None)
        if written_as is None:
            super().save_global(obj, name)
        elif self.proto >= 4:
            self.save(written_as[0])
            self.save(written_as[1])
            self.write(pickle.STACK_GLOBAL)
            self.memoize(obj)
        else:
            self.write(pickle.GLOBAL + "{}\n{}\n".format(*written_as).encode())
            self.memoize(obj)

    save_global = save_name
    dispatch = {**pickle._Pickler.dispatch, types.FunctionType: save_name}  # type: ignore[attr-defined]


def dumps(value: Any, protocol: int = 4) -> bytes:
    file = io.BytesIO()
    Pickler(file, protocol).dump(value)
    return file.getvalue()


def network_arguments(**changes: Any) -> dict[str, Any]:
    """Constructor arguments as stylegan3's training script gives them, small; `changes` replace or add some."""
    arguments = {
        "z_dim": 8,
        "w_dim": 12,
        "mapping_kwargs": EasyDict(num_layers=2),
        "channel_base": 128,
        "channel_max": 16,
        "fused_modconv_default": "inference_only",
        "num_fp16_res": 4,
        "conv_clamp": 256,
        "c_dim": 0,
        "img_resolution": 16,
        "img_channels": 3,
    }
    return {**arguments, **changes}


def in_the_manner_of_ada(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same arguments as stylegan2-ada-pytorch gives them: those of the synthesis in a dict of their own."""
    outer = {"z_dim", "w_dim", "c_dim", "mapping_kwargs", "img_resolution", "img_channels"}
    inner = EasyDict({name: value for name, value in arguments.items() if name not in outer})
    return {**{name: value for name, value in arguments.items() if name in outer}, "synthesis_kwargs": inner}


def network_tensors(arguments: dict[str, Any], seed: int = 0) -> dict[str, Tensor]:
    """Random weights for a network of these arguments, by their dotted names."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng)

    z_dim, w_dim, resolution = arguments["z_dim"], arguments["w_dim"], arguments["img_resolution"]
    tensors = {"mapping.w_avg": draw(w_dim)}
    multiplier = arguments["mapping_kwargs"].get("lr_multiplier", 0.01)
    for index in range(arguments["mapping_kwargs"].get("num_layers", 8)):
        tensors[f"mapping.fc{index}.weight"] = draw(w_dim, w_dim if index else z_dim) / multiplier
        tensors[f"mapping.fc{index}.bias"] = draw(w_dim)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    resample_filter = torch.outer(taps, taps) / 64

    def affine(prefix: str, channels: int) -> None:
        tensors[f"{prefix}.affine.weight"] = draw(channels, w_dim)
        tensors[f"{prefix}.affine.bias"] = 1 + draw(channels) / 10

    def layer(prefix: str, below: int, channels: int, r: int) -> None:
        affine(prefix, below)
        tensors[f"{prefix}.weight"] = draw(channels, below, 3, 3)
        tensors[f"{prefix}.bias"] = draw(channels) / 10
        tensors[f"{prefix}.noise_strength"] = draw() / 10
        tensors[f"{prefix}.noise_const"] = draw(r, r)
        tensors[f"{prefix}.resample_filter"] = resample_filter

    below = 0
    for level in range(2, int(math.log2(resolution)) + 1):
        r = 2**level
        channels = min(arguments["channel_base"] // r, arguments["channel_max"])
        block = f"synthesis.b{r}"
        if r == 4:
            tensors[f"{block}.const"] = draw(channels, r, r)
        else:
            layer(f"{block}.conv0", below, channels, r)
        layer(f"{block}.conv1", channels, channels, r)
        affine(f"{block}.torgb", channels)
        tensors[f"{block}.torgb.weight"] = draw(arguments["img_channels"], channels, 1, 1)
        tensors[f"{block}.torgb.bias"] = draw(arguments["img_channels"]) / 10
        tensors[f"{block}.resample_filter"] = resample_filter
        below = channels
    return tensors


def conv_clamp(arguments: dict[str, Any]) -> Any:
    """What the layers of a network with these arguments are built with: the two codes have different defaults."""
    if "synthesis_kwargs" in arguments:
        return arguments["synthesis_kwargs"].get("conv_clamp")
    return arguments.get("conv_clamp", 256)


def module(
    class_name: str,
    arguments: dict[str, Any],
    tensors: dict[str, Any],
    source: str = SOURCE,
    kept: dict[str, Any] | None = None,
) -> Call:
    """A module and those below it, from the dotted names of `tensors`, pickled as the official classes are.

    Args:
        kept: attributes of the layers that convolve.
    """
    state: dict[str, Any] = {
        "training": False,
        "_parameters": OrderedDict(),
        "_buffers": OrderedDict(),
        "_non_persistent_buffers_set": set(),
        **{hooks: OrderedDict() for hooks in HOOKS},
        "_modules": OrderedDict(),
    }
    below: dict[str, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        if rest:
            below.setdefault(first, {})[rest] = tensor
        elif first in ("resample_filter", "noise_const", "w_avg"):
            state["_buffers"][first] = tensor
        else:
            state["_parameters"][first] = torch.nn.Parameter(tensor) if isinstance(tensor, Tensor) else tensor
    for name, children in below.items():
        state["_modules"][name] = module(f"Class of {name}", {}, children, source, kept)
    if tensors.keys() & {"noise_strength", "affine.weight"}:
        state |= kept or {}
    state |= {"activation": "lrelu", "weight_gain": 1 / np.sqrt(3), "_init_args": (), "_init_kwargs": arguments}
    record = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}
    return Call(named("torch_utils.persistence", "_reconstruct_persistent_obj"), record)


def checkpoint(arguments: dict[str, Any], tensors: dict[str, Any], **others: Any) -> dict[str, Any]:
    """The dict that the official scripts pickle."""
    return {
        "training_set_kwargs": {"class_name": "training.dataset.ImageFolderDataset", "resolution": 16},
        **others,
        "G_ema": module("Generator", arguments, tensors, kept={"conv_clamp": conv_clamp(arguments)}),
        "augment_pipe": None,
    }


def official(protocol: int = 4, **changes: Any) -> bytes:
    """A whole checkpoint file with random weights."""
    arguments = network_arguments(**changes)
    return dumps(checkpoint(arguments, network_tensors(arguments)), protocol)
