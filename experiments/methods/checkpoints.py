"""Measure `method=explore` on checkpoints of other sizes: time and memory of the bank, the starts and the search.

    python experiments/methods/checkpoints.py        # checkpoints.md; five minutes on a core

The official pickles of random weights lie in ../shared/stylegan2; one that is not there is left out. The network of 256
pixels has the size of the official one, with random weights of its own.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from method_rows import HERE
from processes import ROOT, Cost, run

from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.generator import save_generator, untrained

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
class Measured:
    """One run of the program.

    Attributes:
        cost: what it took.
        lr_psnr_found: of its samples, before the consistency step, in dB.
        lr_psnr: of the saved files, in dB.
    """

    cost: Cost
    lr_psnr_found: list[float]
    lr_psnr: list[float]


def measured(run_dir: Path, cache: Path, *overrides: str) -> Measured:
    """Runs the program and reads what it found."""
    cost = run(run_dir, [*COMMON, *overrides], cache)
    lines = (run_dir / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return Measured(cost, *([record[key] for record in records] for key in ("lr_psnr_found", "lr_psnr")))


def measure(checkpoint: Path, folder: Path) -> tuple[Measured, Measured, Measured]:
    """Measures three runs: the starts without a bank, the starts with the bank that the first has made, a search."""
    cache, generator = folder / "cache", f"generator.path={checkpoint}"
    starts = [generator, "steps=1", "batch_diversity=none"]
    return (
        measured(folder / "bank", cache, *starts),
        measured(folder / "starts", cache, *starts),
        measured(folder / "search", cache, generator),
    )


def table(of_checkpoints: dict[str, tuple[Measured, Measured, Measured]]) -> str:
    """Formats the costs of each checkpoint, by its name."""
    titles = [
        "checkpoint", "bank and statistics, s", "starting, starts and scores, s", "20 passes of 2 samples, s",
        "memory, MB", "LR-PSNR of the starts, dB", "found, dB", "saved files, dB",
    ]  # fmt: skip
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for name, of_checkpoint in of_checkpoints.items():
        _, starts, search = of_checkpoint
        bank_seconds, start_seconds, search_seconds = (each.cost.seconds for each in of_checkpoint)
        seconds = (bank_seconds - start_seconds, start_seconds, search_seconds - start_seconds)
        decibels = (starts.lr_psnr_found, search.lr_psnr_found, search.lr_psnr)
        lines.append([
            name,
            *(f"{value:.1f}" for value in seconds),
            f"{max(each.cost.megabytes for each in of_checkpoint):.0f}",
            *(", ".join(f"{value:.1f}" for value in of_samples) for of_samples in decibels),
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
        there = checkpoints(Path(scratch))
        of_checkpoints = {name: measure(path, Path(scratch) / path.stem) for name, path in there}
    write_atomic(args.out, table(of_checkpoints))
    print(args.out.read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
