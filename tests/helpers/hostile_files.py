"""Files that must be refused: some try to run something, some to fill the memory, some are merely broken.

Run as a program it writes them all, loads each under a limit on memory, and reports what happened as JSON. Whatever
tries to run something tries to create the file CANARY.
"""

import argparse
import codecs
import io
import json
import os
import pickle
import resource
import struct
import sys
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from official_files import (
    Call,
    EasyDict,
    checkpoint,
    dumps,
    module,
    named,
    network_arguments,
    network_tensors,
    official,
)
from rosinality_files import state_dict

CANARY = "canary"
RUN = f"touch {CANARY}"
TERABYTES = 2**43
MEMORY = 256 * 2**20
"""What all of them together may take, in bytes."""

Hostile = tuple[str, bytes, str]
"""Name of the file, its content, and what must be in the message."""


def stored(*arguments: Any) -> Call:
    """A tensor, as a pickle calls for it."""
    return Call(torch._utils._rebuild_tensor_v2, *arguments, False, OrderedDict())


def storage(content: bytes) -> Call:
    """A storage nested as bytes."""
    return Call(torch.storage._load_from_bytes, content)


def legacy(value: bytes, keys: bytes = b"\x80\x02]q\x00.", rest: bytes = b"") -> bytes:
    """PyTorch's older container around a pickled value."""
    info = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = (0x1950A86A20F9469CFC6C, 1001, info)
    return b"".join(pickle.dumps(part, 2) for part in head) + value + keys + rest


def reference_to_storage(key: str, numel: int, kind: str = "FloatStorage") -> bytes:
    """A pickle of the storage `key`, as PyTorch's older container has it."""
    identifier = b"(X\x07\x00\x00\x00storagectorch\n" + kind.encode() + b"\n"
    for text in (key, "cpu"):
        identifier += b"X" + struct.pack("<I", len(text)) + text.encode()
    return b"\x80\x02" + identifier + b"\x8a\x08" + struct.pack("<q", numel) + b"NtQ."


def floats(numel: int) -> bytes:
    """A sound nested storage of zeros."""
    raw = struct.pack("<q", numel) + bytes(4 * numel)
    return legacy(reference_to_storage("0", numel), pickle.dumps(["0"], 2), raw)


def small_checkpoint(**changes: Any) -> dict[str, Any]:
    """A sound checkpoint, except for tensors that `changes` replaces by name (with __ for dots)."""
    arguments = network_arguments()
    tensors: dict[str, Any] = network_tensors(arguments)
    tensors.update({name.replace("__", "."): value for name, value in changes.items()})
    return checkpoint(arguments, tensors)


def zipped(records: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return file.getvalue()


def torch_saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def small_state() -> dict[str, torch.Tensor]:
    return state_dict(network_tensors(network_arguments(z_dim=12)), 2, 16)


def that_run_something() -> Iterator[Hostile]:
    system = Call(os.system, RUN)
    yield "os.system", dumps({"G_ema": system}), "posix.system"
    yield "os.system of protocol 0", pickle.dumps(system, 0), "posix.system"
    yield "os.system beside a sound network", dumps(small_checkpoint() | {"augment_pipe": system}), "posix.system"
    yield "eval", dumps(Call(eval, f"__import__('os').system('{RUN}')")), "builtins.eval"
    yield "exec in a tensor's place", dumps(small_checkpoint(mapping__w_avg=Call(exec, "1"))), "builtins.exec"
    yield (
        "eval through getattr",
        dumps(Call(Call(getattr, named("builtins", "object"), "__subclasses__"))),
        "builtins.getattr",
    )
    yield "import", dumps(Call(__import__, "os")), "builtins.__import__"
    for dotted in (
        ("torch._utils", "os.system"),
        ("torch.storage", "_load_from_bytes.__globals__"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch", "FloatStorage.from_file"),
        ("builtins", "set.__init__"),
    ):
        name = ".".join(dotted)
        yield f"dotted {name}", dumps(Call(named(*dotted), RUN)), f"names {name}, which is refused"
        yield f"dotted {name} as a line", dumps(Call(named(*dotted), RUN), 3), f"names {name}, which is refused"
    yield "allowed name of a longer module", dumps(Call(named("torch._utils.os", "system"))), "torch._utils.os.system"
    for bypass in (
        ("torch", "load"),
        ("torch.hub", "load"),
        ("torch.serialization", "load"),
        ("torch._utils", "_rebuild_from_type_v2"),
        ("torch._utils", "_rebuild_wrapper_subclass"),
        ("torch._utils", "_import_dotted_name"),
        ("torch.jit", "load"),
        ("torch.nn.modules.module", "Module"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromstring"),
        ("dnnlib.util", "get_obj_by_name"),
        ("dnnlib.util", "call_func_by_name"),
        ("torch_utils.persistence", "_src_to_module"),
    ):
        yield f"bypass {'.'.join(bypass)}", dumps(Call(named(*bypass), RUN)), ".".join(bypass)
    yield "state of a tensor", dumps(Call(*floats_call(), state={"__class__": "x"})), "gives a state to plain data"
    yield (
        "state of a name",
        b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93}\x8c\x0d__reduce_ex__Nsb.",
        "gives a state to plain data",
    )
    yield "call of plain data", b"\x80\x04\x8c\x09os.systemN\x85R.", "something else for a name"
    yield "call of a type of numbers", dumps(Call(named("torch", "FloatStorage"), 4)), "calls torch.FloatStorage"
    yield "made from arguments", dumps(Call(named("dnnlib.util", "EasyDict"), {"a": 1})), "makes a dict from arguments"
    yield "persistent object", b"\x80\x04\x8c\x09os.systemQ.", "persistent objects"
    for opcode, rest in {
        "PERSID": b"posix.system\n.",
        "EXT1": b"\x01.",
        "EXT2": b"\x01\x00.",
        "EXT4": b"\x01\0\0\0.",
    }.items():
        yield f"opcode {opcode}", b"\x80\x04N" + getattr(pickle, opcode) + rest, f"instruction {opcode}"
    yield "opcode INST", b"\x80\x04(S'" + RUN.encode() + b"'\niposix\nsystem\n.", "which is refused"
    yield "opcode OBJ", b"\x80\x04(NNo.", "instruction OBJ"
    yield "opcode NEWOBJ_EX", b"\x80\x04N)}\x92.", "instruction NEWOBJ_EX"
    for name, content in {
        "a pickle": dumps(system),
        "PyTorch's container of a pickle": legacy(pickle.dumps(system, 2)),
        "a pickle in the list of storages": legacy(reference_to_storage("0", 4), pickle.dumps(system, 2)),
        "a container in a container": legacy(b"\x80\x02ctorch.storage\n_load_from_bytes\nN\x85R."),
    }.items():
        refused = (
            "torch.storage._load_from_bytes"
            if "container in" in name
            else "holds something else"
            if name == "a pickle"
            else "posix"
        )
        yield (
            f"{name} in a storage",
            dumps(small_checkpoint(mapping__w_avg=stored(storage(content), 0, (12,), (1,)))),
            refused,
        )
    archive = zipped({"x/data.pkl": dumps(system), "x/version": b"3"})
    nested = dumps(small_checkpoint(mapping__w_avg=stored(storage(archive), 0, (12,), (1,))))
    yield "a zip archive in a storage", nested, "holds something else than a storage"
    yield "os.system in a zip archive", archive, "posix.system"
    state = pickle.dumps({"g_ema": {}, "args": system}, 2)
    yield "os.system in the older container", legacy(state), "posix.system"
    namespace = Call(argparse.Namespace, state={"__class__": system})
    yield "os.system in the arguments", legacy(pickle.dumps({"args": namespace}, 2)), "posix.system"


def floats_call() -> tuple:
    return (torch._utils._rebuild_tensor_v2, storage(floats(4)), 0, (4,), (1,), False, OrderedDict())


def that_fill_the_memory() -> Iterator[Hostile]:
    for opcode in ("BINBYTES8", "BINUNICODE8", "BYTEARRAY8"):
        content = b"\x80\x05" + getattr(pickle, opcode) + struct.pack("<Q", TERABYTES) + b"."
        yield f"terabytes of {opcode}", content, "it is incomplete"
    yield "terabytes of a frame", b"\x80\x04\x95" + struct.pack("<Q", TERABYTES) + b"N.", "it is incomplete"
    yield "opcode LONG4", b"\x80\x04N\x8b" + struct.pack("<i", 2**31 - 1) + b".", "instruction LONG4"
    yield "index of the memo", b"\x80\x04Nr\xff\xff\xff\xff.", "no network G_ema"
    yield "more instructions than any network", b"\x80\x04(" + b"}" * 1_000_000 + b"l.", "more than 500000 instr"
    yield "deep nesting", b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".", "no network G_ema"
    laughs = b"\x80\x04)\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(100))
    yield "a billion laughs", laughs + b".", "no network G_ema"
    yield "a billion laughs as a key", laughs + b"}hdNs.", "key that is neither text nor a number"
    yield (
        "a billion laughs as an argument",
        dumps(checkpoint(network_arguments(resample_filter=nested_tuple()), {})),
        "resample_filter=a tuple",
    )
    twice = EasyDict(layer_features=nested_tuple())
    compared = network_arguments(mapping_kwargs=twice, w_dim=nested_tuple())
    yield "two billion laughs, compared", dumps(checkpoint(compared, {})), "layer_features=a tuple"
    nones: dict[str, Any] = dict.fromkeys(map(str, range(9_000)))
    leaf = {"state": {"_parameters": nones}}
    many = {"_modules": dict.fromkeys(map(str, range(9_000)), leaf)}
    yield "many modules of nothing", dumps({"G_ema": module_of(many)}), "more parts than a StyleGAN2 has"
    line = b"\x80\x03c" + b"os" * 1_000_000 + b"\nsystem\n."
    yield "an endless name", line, "damaged name"
    yield "endlessly many modules", dumps({"G_ema": module_of(shared_modules(60))}), "more parts than a StyleGAN2 has"
    cyclic: dict[str, Any] = {"_init_kwargs": network_arguments(mapping_kwargs={}), "_modules": {}}
    cyclic["_modules"]["again"] = {"state": cyclic}
    yield "a module inside itself", pickle.dumps({"G_ema": {"state": cyclic}}, 4), "more parts than a StyleGAN2 has"
    for name, tensor, reason in (
        ("outside of its storage", (0, (5,), (1,)), "does not fit into its storage of 4"),
        ("behind its storage", (1, (4,), (1,)), "does not fit into its storage of 4"),
        ("before its storage", (-1, (4,), (1,)), "unusable dimensions"),
        ("backwards", (0, (4,), (-1,)), "unusable dimensions"),
        ("with far strides", (0, (2, 2), (TERABYTES, 1)), "does not fit into its storage of 4"),
        ("repeated endlessly", (0, (TERABYTES,), (0,)), "its architecture needs (12,)"),
        ("repeated", (0, (12,), (0,)), "in unusable places"),
        ("of unequal dimensions", (0, (4,), (1, 1)), "unusable dimensions"),
        ("of text", ("0", (4,), (1,)), "other arguments than tensors have"),
        ("of many dimensions", (0, (1,) * 100_000, (1,) * 100_000), "unusable dimensions"),
    ):
        content = dumps(small_checkpoint(mapping__w_avg=stored(storage(floats(4)), *tensor)))
        yield f"a tensor {name}", content, reason
    for numel in (TERABYTES, -4, 2**62):
        content = legacy(reference_to_storage("0", numel), pickle.dumps(["0"], 2), struct.pack("<q", numel) + bytes(16))
        yield f"a storage of {numel} numbers", dumps(small_checkpoint(mapping__w_avg=storage(content))), ""
        yield f"a storage of {numel} numbers in a file of its own", content, ""
    for name, value in {
        "img_resolution": 2**40,
        "z_dim": 2**40,
        "w_dim": 2**600,
        "channel_max": 2**40,
        "mapping_kwargs": EasyDict(num_layers=10**9),
    }.items():
        arguments = {**network_arguments(), name: value}
        yield f"an endless {name}", dumps(checkpoint(arguments, network_tensors(network_arguments()))), "must be"
    for name, value in {
        "conv_clamp": 2**2000,
        "channel_max": 2**2000,
        "mapping_kwargs": EasyDict(num_layers=2, lr_multiplier=2**2000),
    }.items():
        arguments = {**network_arguments(), name: value}
        content = dumps(checkpoint(arguments, network_tensors(network_arguments())))
        yield f"a number beyond all bounds for {name}", content, ""
    clamps = {"conv_clamp": nested_tuple()}
    yield (
        "a billion laughs in every layer",
        dumps({"G_ema": module("Generator", network_arguments(), network_tensors(network_arguments()), kept=clamps)}),
        "not a tuple",
    )
    large = network_arguments(channel_base=32768, channel_max=512, img_resolution=1024, z_dim=512, w_dim=512)
    yield "a network without its tensors", dumps(checkpoint(large, network_tensors(network_arguments()))), "lacks the"
    yield "a network of one storage", one_storage(), "more numbers than fit into it"
    yield "a bomb of a zip archive", zipped({"x/data.pkl": bytes(10_000_000)}, zipfile.ZIP_DEFLATED), "compressed"
    yield (
        "a storage that the archive lacks",
        zipped({"x/data.pkl": reference_to_storage("9", 4)[:-3] + b"tQ."}),
        "lacks",
    )
    header = b'{"a":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}' % (TERABYTES, 4 * TERABYTES)
    many_tensors = b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(50_000))
    yield (
        "a header of many tensors",
        struct.pack("<Q", len(many_tensors) + 2) + b"{" + many_tensors + b"}",
        "header is longer",
    )
    yield "terabytes of safetensors", struct.pack("<Q", len(header)) + header, "not a readable safetensors file"
    yield "an endless header", struct.pack("<Q", TERABYTES) + b"{" + bytes(100), "header is longer"


def nested_tuple() -> tuple:
    value: tuple = ()
    for _ in range(40):
        value = (value, value)
    return value


def shared_modules(depth: int) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for _ in range(depth):
        record = {"state": state}
        state = {"_modules": {"left": record, "right": record}}
    return state


def module_of(state: dict[str, Any]) -> dict[str, Any]:
    return {"state": {**state, "_init_kwargs": network_arguments()}}


def one_storage() -> bytes:
    """A network whose layers all show the same numbers."""
    arguments = network_arguments(z_dim=128, w_dim=128, mapping_kwargs=EasyDict(num_layers=64), channel_max=4)
    shared = torch.zeros(128 * 128)
    tensors: dict[str, Any] = {
        name: shared[: tensor.numel()].view(tensor.shape) if tensor.dim() > 1 and "filter" not in name else tensor
        for name, tensor in network_tensors(arguments).items()
    }
    same = storage(floats(128 * 128))
    for name, tensor in tensors.items():
        if tensor.dim() > 1 and "filter" not in name:
            tensors[name] = stored(same, 0, tuple(tensor.shape), tuple(tensor.contiguous().stride()))
    return dumps(checkpoint(arguments, tensors))


def that_are_broken() -> Iterator[Hostile]:
    yield "an empty file", b"", "it is empty"
    yield "one byte", b"\x80", "it is incomplete"
    yield "a web page", b"\n<!DOCTYPE html><title>Google Drive - Quota exceeded</title>", "it is a web page"
    yield "a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"
    yield "text", b"Once upon a time there was a network.", "neither a pickle nor any other kind"
    yield "a picture", b"\x89PNG\r\n\x1a\n" + bytes(100), "neither a pickle nor any other kind"
    yield "text that is like a pickle", b"hello, network\n", "neither a pickle nor any other kind"
    yield "a checkpoint of protocol 0", pickle.dumps({"G_ema": None}, 0), "pickle of protocol 0"
    yield "zeros", bytes(1000), "neither a pickle nor any other kind"
    sound = official()
    for percent in (1, 10, 50, 90, 99):
        yield f"{percent} % of a file", sound[: len(sound) * percent // 100], "incomplete"
    yield "a file without its last byte", sound[:-1], "incomplete"
    yield "a file with something behind it", sound + bytes(1000), "1000 bytes follow its pickle"
    archive = torch_saved({"g_ema": small_state()})
    with_directory_twice = io.BytesIO()
    with zipfile.ZipFile(with_directory_twice, "w") as entries:
        entries.writestr("x/data.pkl", bytes(10_000))
        entries.filelist *= 100
    yield "an archive whose entries overlap", with_directory_twice.getvalue(), "entries overlap"
    yield "half an archive", archive[: len(archive) // 2], "incomplete or damaged zip"
    yield "an archive of something else", zipped({"holiday.jpg": b"\xff\xd8"}), "not one that PyTorch wrote"
    yield "numbers of another machine", zipped({"x/data.pkl": b"N.", "x/byteorder": b"big"}), "another kind of machine"
    yield (
        "a wrong shape",
        dumps(small_checkpoint(mapping__w_avg=torch.zeros(13))),
        r"w_avg is (13,), its architecture needs (12,)",
    )
    yield "whole numbers", dumps(small_checkpoint(mapping__w_avg=torch.zeros(12, dtype=torch.int64))), "torch.int64"
    yield "NaN", dumps(small_checkpoint(mapping__fc0__weight=torch.full([12, 8], torch.nan))), "not finite"
    yield (
        "infinity",
        dumps(small_checkpoint(synthesis__b16__conv1__noise_strength=torch.tensor(torch.inf))),
        "not finite",
    )
    yield (
        "a missing tensor",
        dumps(small_checkpoint(synthesis__b8__conv0__bias=None)),
        "lacks the tensor synthesis.b8.conv0.bias",
    )
    yield (
        "a tensor too many",
        dumps(small_checkpoint(mapping__embed__weight=torch.zeros(2))),
        "no place for: mapping.embed.weight",
    )
    yield "text for a tensor", dumps(small_checkpoint(mapping__w_avg="zeros")), "w_avg is not a tensor"
    another = torch.ones(4, 4) / 16
    yield "another filter", dumps(small_checkpoint(synthesis__b8__resample_filter=another)), "not the filter"
    yield "no G_ema", dumps({"G": module("Generator", network_arguments(), {})}), "no network G_ema"
    yield "no arguments", dumps({"G_ema": {"state": {"_modules": {}}}}), "carries no constructor arguments"
    yield "no state", dumps({"G_ema": {}}), "has no state"
    partial = {name: value for name, value in network_arguments().items() if name != "w_dim"}
    yield "an argument too few", dumps(checkpoint(partial, network_tensors(network_arguments()))), "lack w_dim"
    for name in ("img_resolution", "z_dim", "c_dim", "channel_base", "mapping_kwargs"):
        arguments = {**network_arguments(), name: "many\nmany" + "y" * 1000}
        yield f"text for {name}", dumps(checkpoint(arguments, network_tensors(network_arguments()))), ""
    tensorflow = dumps(Call(named("dnnlib.tflib.network", "Network")))
    yield "a checkpoint of TensorFlow", tensorflow, "it is a TensorFlow checkpoint"
    yield "a damaged text", b"\x80\x04\x8c\x02\xff\xfe.", "damaged text"
    yield "an empty stack", b"\x80\x04R.", "damaged"
    yield "an unset memo", b"\x80\x04h\x05.", "damaged"
    yield "a mark too few", b"\x80\x04Nt.", "damaged"
    yield "a protocol of the future", b"\x80\x20N.", "later protocol"


KINDS: dict[str, Callable[[], Iterator[Hostile]]] = {
    "runs": that_run_something,
    "fills": that_fill_the_memory,
    "broken": that_are_broken,
}


def hostile_files() -> Iterator[Hostile]:
    for kind in KINDS.values():
        yield from kind()


def _kilobytes(field: str) -> int:
    """A figure of this process, such as VmHWM: the most memory it ever had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])


def main(folder: Path) -> None:
    from multimodal_pulse.generator import CheckpointError, load_generator

    os.chdir(folder)
    sound = {"a.pkl": official(), "b.pt": torch_saved({"g_ema": small_state()})}
    for name, content in sound.items():  # what loading imports is imported now
        Path(name).write_bytes(content)
        load_generator(name)
    compiler = "torch._dynamo" in sys.modules
    codecs.lookup("cp437")  # of names in archives that say nothing of their encoding
    names = []
    for index, (_, content, _) in enumerate(hostile_files()):
        names.append(f"{index:03d}.pkl")
        Path(names[-1]).write_bytes(content)
    events: list[str] = []
    watched = (
        "exec",
        "compile",
        "import",
        "os.",
        "subprocess.",
        "socket.",
        "ctypes.",
        "marshal.",
        "pickle.",
        "shutil.",
    )

    def watch(event: str, arguments: tuple) -> None:
        if event.startswith(watched):
            events.append(f"{event} {arguments!r:.200}")

    sys.addaudithook(watch)
    limit = 1024 * _kilobytes("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    report = []
    for name in names:
        events.clear()
        before, start = _kilobytes("VmHWM"), time.process_time()
        try:
            load_generator(name)
            outcome = "loaded"
        except CheckpointError as error:
            outcome = f"CheckpointError: {error}"
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        seconds, growth = time.process_time() - start, _kilobytes("VmHWM") - before
        report.append({"outcome": outcome, "events": list(events), "seconds": seconds, "growth": 1024 * growth})
    json.dump({"compiler": compiler, "files": report}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
