"""Measure `method=explore` on checkpoints of other sizes: time and memory of the bank, the starts and the search.

    python experiments/methods/checkpoints.py        # checkpoints.md; five minutes on a core

The official pickles of random weights lie in ../shared/stylegan2; one that is not there is left out. The network of 256
pixels has the size of the official one, with random weights of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from method_rows import HERE

from multimodal_pulse.base.files import CACHE_VARIABLE, write_atomic
from multimodal_pulse.generator import save_generator, untrained

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "stylegan2"
FFHQ256 = {
    "resolution": 256,
    "z_dim": 512,
    "w_dim": 512,
    "mapping_layers": 8,
    "channel_base": 16384,
    "channel_max": 512,
}
"""The size of the official network of 256 pixels."""
COMMON = [
    "generator=file", "references=portraits", "references.limit=1", "method=explore", "num_samples=2",
    "latent_resampling.draws=200", "latent_resampling.nearest=64", "metrics.lpips_net=null", "tracking=none",
]  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What one run of the program took, and what it found.

    Attributes:
        seconds: processor time, user and system.
        megabytes: the largest resident memory.
        lr_psnr_found: of its samples, before the consistency step, in dB.
        lr_psnr: of the saved files, in dB.
    """

    seconds: float
    megabytes: float
    lr_psnr_found: list[float]
    lr_psnr: list[float]


def run(folder: Path, cache: Path, *overrides: str) -> Cost:
    """Runs the program in a process of its own, on one thread.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "run.py", *COMMON, *overrides, f"hydra.run.dir={folder}"]
    environment = os.environ | {CACHE_VARIABLE: str(cache), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(status, command)
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    return Cost(
        seconds=used.ru_utime + used.ru_stime,
        megabytes=used.ru_maxrss / 1024,
        lr_psnr_found=[record["lr_psnr_found"] for record in records],
        lr_psnr=[record["lr_psnr"] for record in records],
    )


def measure(checkpoint: Path, folder: Path) -> tuple[Cost, Cost, Cost]:
    """Measures three runs: the starts without a bank, the starts with the bank that the first has made, a search."""
    cache, generator = folder / "cache", f"generator.path={checkpoint}"
    starts = [generator, "steps=1", "batch_diversity=none"]
    return (
        run(folder / "bank", cache, *starts),
        run(folder / "starts", cache, *starts),
        run(folder / "search", cache, generator),
    )


def table(measured: dict[str, tuple[Cost, Cost, Cost]]) -> str:
    """Formats the costs of each checkpoint, by its name."""
    titles = [
        "checkpoint", "bank and statistics, s", "starting, starts and scores, s", "20 passes of 2 samples, s",
        "memory, MB", "LR-PSNR of the starts, dB", "found, dB", "saved files, dB",
    ]  # fmt: skip
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for name, (bank, starts, search) in measured.items():
        lines.append([
            name, f"{bank.seconds - starts.seconds:.1f}", f"{starts.seconds:.1f}",
            f"{search.seconds - starts.seconds:.1f}", f"{max(bank.megabytes, search.megabytes):.0f}",
            *(", ".join(f"{value:.1f}" for value in found)
              for found in (starts.lr_psnr_found, search.lr_psnr_found, search.lr_psnr)),
        ])  # fmt: skip
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def checkpoints(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names the checkpoints that are there; the large one is written to `folder`."""
    for size in (32, 64):
        if (path := SHARED / f"random{size}.pkl").is_file():
            yield f"official pickle, {size} pixels", path
    large = folder / "random256.safetensors"
    save_generator(untrained(**FFHQ256).network, large)
    yield "256 pixels, the official size", large


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "checkpoints.md")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        of_checkpoints = checkpoints(Path(scratch))
        measured = {name: measure(path, Path(scratch) / path.stem) for name, path in of_checkpoints}
    write_atomic(args.out, table(measured))
    print(args.out.read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
