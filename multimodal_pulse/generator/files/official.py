"""Official checkpoints: the pickles of stylegan2-ada-pytorch, and of stylegan3 for its StyleGAN2 networks.

Such a file is a dict with the networks `G`, `D` and `G_ema`. Each module of a network is a record: the source code of
its class, the arguments of its constructor, and its state. The source code is plain text here and never used; the
arguments and the tensors determine what the network computes.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import torch

from multimodal_pulse.generator.files.mean_of_w import MeanOfW, mean_of_w
from multimodal_pulse.generator.files.restricted_pickle import (
    Allowance,
    Opaque,
    RefusedError,
    empty_dict,
    ignored,
    printable,
    read_pickle,
)
from multimodal_pulse.generator.files.torch_files import TENSOR_NAMES, StoredTensor, storage_from_bytes
from multimodal_pulse.generator.ops.plain import blur_filter
from multimodal_pulse.generator.stylegan2 import MAPPING_LEARNING_RATE_MULTIPLIER, Architecture, is_positive_number

MAX_PARTS = 10_000
"""The most modules and tensors of a network; the one for 1024 x 1024 has about 300."""

MAX_DEPTH = 8
MAX_PART_NAME = 64

REQUIRED = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
POSITIONAL = (*REQUIRED, "mapping_kwargs", "synthesis_kwargs")
"""The constructor's arguments that may be positional, in their order."""

FIXED_IN_SYNTHESIS: Mapping[str, tuple[Any, ...]] = {
    "architecture": ("skip",),
    "resample_filter": ([1, 3, 3, 1],),
    "use_noise": (True,),
    "activation": ("lrelu",),
    "kernel_size": (3,),
}
FIXED_IN_MAPPING: Mapping[str, tuple[Any, ...]] = {"activation": ("lrelu",)}
"""Arguments that may have only these values, since the network here supports no others."""

READ_IN_SYNTHESIS = {"channel_base", "channel_max", "conv_clamp"}
READ_IN_MAPPING = {"num_layers", "layer_features", "lr_multiplier"}
WITHOUT_EFFECT = {  # without effect on float32 inference: half precision, memory layout, training, labels
    *("num_fp16_res", "use_fp16", "fp16_channels_last", "channels_last", "fused_modconv_default"),
    *("embed_features", "w_avg_beta"),
}


NUMPY_NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
"""The NumPy number types that an argument may have; the digit is the number of bytes."""


def read_official(data: memoryview, allowance: Allowance) -> tuple[Architecture, dict[str, StoredTensor | MeanOfW]]:
    """Returns architecture and tensors of the network `G_ema`.

    Raises:
        RefusedError: the file is damaged, contains something that could run, or its network is not supported.
        ValueError: the network's sizes are impossible.
    """
    checkpoint, end = read_pickle(data, 0, _names(allowance), allowance)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("G_ema"), dict):
        raise RefusedError("it is a pickle, but not a StyleGAN2 checkpoint: it has no network G_ema")
    if end != len(data):
        raise RefusedError(f"{len(data) - end} bytes follow its pickle, as in no such checkpoint")
    network = checkpoint["G_ema"]
    generator, synthesis, mapping = _constructor_arguments(network)
    modules = _modules(network)
    tensors = _tensors(modules)
    _check_kind(generator, synthesis, mapping, tensors)
    expected_filter = blur_filter(torch.empty(0), channels=1)[0, 0]
    for name in [name for name in tensors if name.endswith("resample_filter")]:
        if not tensors.pop(name).equals(expected_filter):
            raise RefusedError(f"its {printable(name)} is not the filter [1, 3, 3, 1]")
    architecture = _architecture(generator, synthesis, mapping, _conv_clamp(synthesis, modules))
    tensors = _with_multiplier(tensors, mapping)
    if "mapping.w_avg" not in tensors and mapping.get("w_avg_beta", "tracked") is None:
        return architecture, {**tensors, "mapping.w_avg": mean_of_w(architecture, tensors)}
    return architecture, {**tensors}


# --- the names that the pickle may use


def _names(allowance: Allowance) -> Mapping[tuple[str, str], Any]:
    return {
        **TENSOR_NAMES,
        ("torch.storage", "_load_from_bytes"): storage_from_bytes(allowance),
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _record,
        ("dnnlib.util", "EasyDict"): empty_dict,
        ("dnnlib.tflib.network", "Network"): _tensorflow,
        ("builtins", "set"): ignored,
        ("numpy", "dtype"): _numpy_dtype,
        ("numpy", "ndarray"): ignored,
        ("numpy.core.multiarray", "scalar"): _numpy_scalar,
        ("numpy.core.multiarray", "_reconstruct"): ignored,
        ("numpy.core.numeric", "_frombuffer"): ignored,
        ("numpy._core.multiarray", "scalar"): _numpy_scalar,
        ("numpy._core.multiarray", "_reconstruct"): ignored,
        ("numpy._core.numeric", "_frombuffer"): ignored,
    }


def _record(arguments: tuple) -> dict:
    match arguments:
        case (dict() as record,):
            return record
    raise RefusedError("one of its modules is built from something else than a record")


def _numpy_dtype(arguments: tuple) -> Opaque:
    match arguments:
        case (str() as kind, *_):
            return Opaque(kind)
    return Opaque()


def _numpy_scalar(arguments: tuple) -> Any:
    match arguments:
        case (Opaque(kind=str() as kind), memoryview() as data) if kind in NUMPY_NUMBERS and len(data) == int(kind[1]):
            return np.frombuffer(data, f"<{kind}")[0].item()
    return Opaque()


def _tensorflow(arguments: tuple) -> NoReturn:
    raise RefusedError("it is a TensorFlow checkpoint: convert it with legacy.py of stylegan2-ada-pytorch or stylegan3")


# --- records of modules


def _state(record: Any) -> dict:
    if not isinstance(record, dict) or not isinstance(record.get("state"), dict):
        raise RefusedError("one of its modules has no state")
    return record["state"]


def _modules(network: dict) -> dict[str, dict]:
    """Returns the states of all modules by their dotted names; the network's own name is empty."""
    found: dict[str, dict] = {}
    pending: list[tuple[str, int, Any]] = [("", 0, network)]
    parts = 0
    while pending:
        name, depth, record = pending.pop()
        state = _state(record)
        found[name] = state
        for group in ("_parameters", "_buffers", "_modules"):
            entries = state.setdefault(group, {})
            if not isinstance(entries, dict):
                raise RefusedError(f"one of its modules has unusable {group}")
            parts += len(entries)
            if parts > MAX_PARTS or (entries and depth >= MAX_DEPTH):
                raise RefusedError("its network has more parts than a StyleGAN2 has")
            if not all(isinstance(part, str) and len(part) <= MAX_PART_NAME for part in entries):
                raise RefusedError("a part of its network has an unusable name")
        below = state["_modules"].items()
        pending += [(_dotted(name, part), depth + 1, record) for part, record in below if record is not None]
    return found


def _tensors(modules: dict[str, dict]) -> dict[str, StoredTensor]:
    """Returns all parameters and buffers by their dotted names."""
    found: dict[str, StoredTensor] = {}
    for name, state in modules.items():
        for part, entry in (state["_parameters"] | state["_buffers"]).items():
            if isinstance(entry, StoredTensor):
                found[_dotted(name, part)] = entry
            elif entry is not None:
                raise RefusedError(f"its {printable(_dotted(name, part))} is not a tensor")
    return found


def _dotted(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def _constructor_arguments(network: dict) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Returns the constructor arguments of the generator, its synthesis network and its mapping network."""
    state = _state(network)
    positional, named = state.get("_init_args", ()), state.get("_init_kwargs")
    if not isinstance(named, dict) or not isinstance(positional, tuple):
        raise RefusedError("its network G_ema carries no constructor arguments")
    arguments = {**dict(zip(POSITIONAL, positional, strict=False)), **named}
    nested = [arguments.get(group) or {} for group in ("synthesis_kwargs", "mapping_kwargs")]
    if not all(isinstance(group, dict) for group in nested):
        raise RefusedError("its network G_ema carries unusable constructor arguments")
    for name in REQUIRED:
        if name not in arguments:
            raise RefusedError(f"its constructor arguments lack {name}")
    generator = {name: value for name, value in arguments.items() if name in POSITIONAL}
    # stylegan3 passes the arguments of the synthesis network to the generator
    synthesis = {name: value for name, value in arguments.items() if name not in POSITIONAL}
    return generator, {**synthesis, **nested[0]}, nested[1]


def _check_kind(
    generator: dict[str, Any], synthesis: dict[str, Any], mapping: dict[str, Any], tensors: Mapping[str, StoredTensor]
) -> None:
    """Refuses networks that this program does not support."""
    if any(name.startswith("synthesis.input.") for name in tensors):
        raise RefusedError("it is a StyleGAN3 network; this program knows StyleGAN2")
    if generator["c_dim"] != 0:
        raise RefusedError(
            f"it is a conditional network (c_dim {_shown(generator['c_dim'])}), which needs a label with every"
            " image; this program knows unconditional ones"
        )
    for arguments, fixed, read in (
        (synthesis, FIXED_IN_SYNTHESIS, READ_IN_SYNTHESIS),
        (mapping, FIXED_IN_MAPPING, READ_IN_MAPPING),
    ):
        for name, value in arguments.items():
            if name in fixed:
                if (list(value) if isinstance(value, tuple) else value) not in fixed[name]:
                    raise RefusedError(f"it is a StyleGAN2 variant with {name}={_shown(value)}, which is not supported")
            elif name not in read | WITHOUT_EFFECT:
                raise RefusedError(
                    f"it is a StyleGAN2 variant with an argument {printable(str(name))}, which is not supported"
                )
    layer_features = mapping.get("layer_features")
    if layer_features is not None and not (isinstance(layer_features, int) and layer_features == generator["w_dim"]):
        raise RefusedError(
            f"it is a StyleGAN2 variant with layer_features={_shown(layer_features)} instead of w_dim in its mapping"
            " network, which is not supported"
        )


def _conv_clamp(synthesis: dict[str, Any], modules: dict[str, dict]) -> float | None:
    """Returns the bound on activations.

    Its default is None in stylegan2-ada-pytorch and 256 in stylegan3, so the value that the layers store comes first.
    """
    kept = [state["conv_clamp"] for state in modules.values() if "conv_clamp" in state]
    clamp = kept[0] if kept else synthesis.get("conv_clamp")
    for value in (clamp, *kept):
        if value is not None and not is_positive_number(value):
            raise RefusedError(f"its conv_clamp must be a positive number or None, not {_shown(value)}")
        if value != clamp:
            raise RefusedError(f"its layers have different conv_clamp: {_shown(clamp)} and {_shown(value)}")
    return clamp


def _architecture(
    generator: dict[str, Any], synthesis: dict[str, Any], mapping: dict[str, Any], conv_clamp: float | None
) -> Architecture:
    """Makes the architecture from the arguments; missing ones have the defaults of the official constructors."""
    return Architecture(
        resolution=generator["img_resolution"],
        z_dim=generator["z_dim"],
        w_dim=generator["w_dim"],
        mapping_layers=mapping.get("num_layers", 8),
        channel_base=synthesis.get("channel_base", 32768),
        channel_max=synthesis.get("channel_max", 512),
        img_channels=generator["img_channels"],
        conv_clamp=conv_clamp,
    )


def _with_multiplier(tensors: dict[str, StoredTensor], mapping: dict) -> dict[str, StoredTensor]:
    """Rescales the mapping layers to our learning-rate multiplier, which scales weights and biases when used."""
    multiplier = mapping.get("lr_multiplier", MAPPING_LEARNING_RATE_MULTIPLIER)
    if not is_positive_number(multiplier):
        raise RefusedError(f"its mapping network has the unusable lr_multiplier={_shown(multiplier)}")
    scale = multiplier / MAPPING_LEARNING_RATE_MULTIPLIER
    return {name: tensor.scaled(scale) if name.startswith("mapping.fc") else tensor for name, tensor in tensors.items()}


def _shown(value: Any) -> str:
    """Formats a value from the file for a message; of a container, which may be endless, only the type."""
    return printable(str(value)) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
