"""Loads mutated generator files for some minutes: a network that draws, or `CheckpointError`, is all that may come out.

    python tests/generator/fuzz_loader.py --minutes 10 --seed 0

prints the number of cases, and leaves each file that did something else in `--failures`.
"""

import argparse
import codecs
import io
import pickletools
import random
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from official_files import network_arguments, network_tensors, official
from reference_files import FOLDER
from rosinality_files import state_dict

from multimodal_pulse.generator import CheckpointError, load_generator, save_generator, untrained

FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.",
    "compile",
    "pickle.",
    "marshal.",
    "ctypes.",
)
"""Audit events that no load may cause."""

SLOW = 20.0
"""Seconds for one file that count as a failure; the machine may be busy."""

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
NAMES = (
    (b"_rebuild_tensor_v2", b"_rebuild_parameter"),
    (b"_rebuild_parameter", b"_rebuild_tensor_v2"),
    (b"_load_from_bytes", b"_rebuild_tensor_v2"),
    (b"OrderedDict", b"defaultdict"),
    (b"FloatStorage", b"DoubleStorage"),
    (b"FloatStorage", b"HalfStorage"),
    (b"_reconstruct_persistent_obj", b"scalar"),
    (b"scalar", b"dtype"),
    (b"_parameters", b"_buffers"),
    (b"_modules", b"_buffers"),
    (b"img_resolution", b"z_dim"),
    (b"state", b"G_ema"),
)


class Seeds:
    """Sound files of every kind, and where in them the structure is."""

    def __init__(self) -> None:
        self.files = [official(), official(protocol=3), *_torch_files(), _own_file()]
        if FOLDER.is_dir():
            self.files += [(FOLDER / f"{name}.pkl").read_bytes() for name in ("random32", "random64")] * 3
        self.structure = [_structure(content) for content in self.files]

    def mutated(self, rng: random.Random) -> bytes:
        index = rng.randrange(len(self.files))
        content = bytearray(self.files[index])
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            place = rng.choice(self.structure[index]) if rng.random() < 0.8 else rng.randrange(len(content) + 1)
            rng.choice(MUTATIONS)(content, min(place, len(content)), rng)
        if rng.random() < 0.1:
            other = rng.choice(self.files)
            content[rng.randrange(len(content) + 1) :] = other[rng.randrange(len(other)) :]
        return bytes(content)


def _torch_files() -> list[bytes]:
    state = state_dict(network_tensors(network_arguments(z_dim=12)), 2, 16)
    content = {"g_ema": state, "latent_avg": torch.zeros(12), "args": argparse.Namespace(size=16)}
    files = [io.BytesIO(), io.BytesIO()]
    torch.save(content, files[0])
    torch.save(content, files[1], _use_new_zipfile_serialization=False)
    return [file.getvalue() for file in files]


def _own_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.safetensors"
        network = untrained(16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=4).network
        save_generator(network, path)
        return path.read_bytes()


def _structure(content: bytes) -> list[int]:
    """Places of instructions and headers, apart from the numbers of the tensors."""
    places = [place for place in range(min(len(content), 200))]
    for sign in (b"\x80\x02\x8a\x0a", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"):
        start = content.find(sign)
        while start >= 0:
            places += range(start, min(start + 400, len(content)))
            start = content.find(sign, start + 1)
    try:
        for _, _, place in pickletools.genops(content):
            places += (place, place + 1)  # the instruction, and its argument where it has one
    except ValueError:  # no pickle
        places += range(max(0, len(content) - 2000), len(content))
    return places


def _flip(content: bytearray, place: int, rng: random.Random) -> None:
    for position in range(place, min(place + rng.choice((1, 1, 4, 32)), len(content))):
        content[position] ^= 1 << rng.randrange(8)


def _replace(content: bytearray, place: int, rng: random.Random) -> None:
    content[place : place + 1] = bytes([rng.choice(_OPCODES) if rng.random() < 0.8 else rng.randrange(256)])


def _insert(content: bytearray, place: int, rng: random.Random) -> None:
    content[place:place] = bytes(rng.choice(_OPCODES) for _ in range(rng.choice((1, 2, 8))))


def _delete(content: bytearray, place: int, rng: random.Random) -> None:
    del content[place : place + rng.choice((1, 2, 9, 100, 10_000))]


def _truncate(content: bytearray, place: int, rng: random.Random) -> None:
    del content[place:]


def _repeat(content: bytearray, place: int, rng: random.Random) -> None:
    length = rng.choice((1, 3, 20, 500))
    content[place:place] = content[place : place + length] * rng.choice((1, 2, 50))


def _splice(content: bytearray, place: int, rng: random.Random) -> None:
    start, length = rng.randrange(len(content) + 1), rng.choice((2, 20, 500, 5000))
    content[place : place + rng.choice((0, length))] = content[start : start + length]


def _resize(content: bytearray, place: int, rng: random.Random) -> None:
    width = rng.choice((1, 2, 4, 8))
    number = rng.choice((*EXTREMES, len(content), rng.getrandbits(64)))
    content[place : place + width] = (number % 2 ** (8 * width)).to_bytes(
        width, rng.choice(("little", "little", "big"))
    )


def _rename(content: bytearray, place: int, rng: random.Random) -> None:
    old, new = rng.choice(NAMES)
    start = content.find(old, place)
    if start >= 0:
        content[start : start + len(old)] = new
        if rng.random() < 0.7 and content[start - 1] == len(old):  # keep the pickle in step
            content[start - 1] = len(new)


def _hostile_snippet(content: bytearray, place: int, rng: random.Random) -> None:
    content[place:place] = rng.choice(
        (
            b"cos\nsystem\n(X\x04\x00\x00\x00true\x85R",
            b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R",
            b"\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R",
            b"\x8e" + struct.pack("<Q", 2**43),
            b"\x8d" + struct.pack("<Q", 2**43),
            b"(((((((((((",
            b"}" * 1000,
            b"\x85" * 1000,
            b"h\x00" * 50,
        )
    )


_OPCODES = [ord(opcode.code) for opcode in pickletools.opcodes]
MUTATIONS: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    *(_flip, _replace, _insert, _delete, _truncate),
    *(_repeat, _splice, _resize, _resize, _rename, _hostile_snippet),
)


def outcome(path: Path) -> str:
    """How loading ends: loaded and fit to draw a picture, refused, or a traceback of what may not happen."""
    try:
        generator = load_generator(path)
        with torch.no_grad():
            generator.synthesis(generator.mapping(torch.ones(1, generator.z_dim), truncation=0.5))
        return "loaded"
    except CheckpointError as error:
        text = str(error)
        return text if "\n" in text.replace(str(path), "") or len(text) > 1000 else "refused"
    except BaseException:
        return traceback.format_exc()


def fuzz(minutes: float, seed: int, failures: Path) -> Counter[str]:
    """How often what happened; a file that did what it may not is kept in `failures` with the reason beside it."""
    seeds, rng, counts = Seeds(), random.Random(seed), Counter[str]()
    events: list[str] = []
    codecs.lookup("cp437")  # of names in archives; Python imports it when it is first needed

    def watch(event: str, arguments: tuple) -> None:
        if event.startswith(FORBIDDEN):
            events.append(f"{event} {arguments!r:.200}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated"
        for content in seeds.files:
            path.write_bytes(content)
            assert outcome(path) == "loaded"
        sys.addaudithook(watch)
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            content = seeds.mutated(rng)
            path.write_bytes(content)
            events.clear()
            start = time.monotonic()
            result = outcome(path)
            if result in ("loaded", "refused") and (events or time.monotonic() - start > SLOW):
                result = f"{events or 'too slow'}"
            if result not in ("loaded", "refused"):
                failures.mkdir(parents=True, exist_ok=True)
                number = counts["failed"]
                (failures / f"{number:04d}.bin").write_bytes(content)
                (failures / f"{number:04d}.txt").write_text(result)
            counts[result if result in ("loaded", "refused") else "failed"] += 1
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, default=Path("outputs/fuzz"))
    options = parser.parse_args()
    counted = fuzz(options.minutes, options.seed, options.failures)
    print(f"{counted.total()} cases with seed {options.seed}: {dict(counted)}")
    sys.exit(counted["failed"] > 0)
