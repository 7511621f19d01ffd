"""Make table.md and table.csv from the run directories below outputs/methods, and check the claims about them.

python experiments/methods/table.py
"""

import argparse
import csv
import io
import json
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from method_rows import HERE, ROWS, RUNS
from PIL import Image

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.metrics.functional import lr_psnr
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.records import read_entries


@dataclass(frozen=True)
class Run:
    """One run directory: a row at one seed, with all references finished."""

    folder: Path
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    references: Sequence[str]
    provenance: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Reads a run directory.

        Raises:
            UserError: the run is not finished.
        """
        references = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["references"]
        lines = _text(folder / "records.jsonl").splitlines()
        run = cls(
            folder=folder,
            config=yaml.safe_load(_text(folder / "config.yaml")),
            metrics=json.loads(_text(folder / "metrics.json")),
            records=[json.loads(line) for line in lines],
            references=references,
            provenance=json.loads(_text(folder / "provenance.json")),
        )
        if run.metrics["num_references"] != len(references):
            raise UserError(
                f"{folder} has {run.metrics['num_references']} of {len(references)} references: start it again, which"
                " does what is missing."
            )
        return run

    @property
    def seed(self) -> int:
        return self.config["seed"]

    @property
    def lr_psnr(self) -> list[float]:
        """The LR-PSNR of every sample, in dB; minus infinity for a failed one."""
        return [-math.inf if record["lr_psnr"] is None else record["lr_psnr"] for record in self.records]

    @cached_property
    def lr_psnr_of_files(self) -> list[float]:
        """The LR-PSNR of every saved picture against lr.png, in dB, measured on the files."""
        degradation = Bicubic(self.config["degradation"]["factor"])
        folders = [self.folder / "references" / record["reference"] for record in self.records]
        return [
            lr_psnr(
                load_rgb(folder / f"sr_{record['sample']:02d}.png")[None], load_rgb(folder / "lr.png"), degradation
            ).item()
            for folder, record in zip(folders, self.records, strict=True)
        ]


Runs = Mapping[str, Sequence[Run]]
"""The runs of each row, by its name: one per seed, in the order of the seeds."""


def _text(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path} is missing: the run has not finished; start it again, which does what is missing.")
    return path.read_text(encoding="utf-8")


def read_runs(folder: Path) -> Runs:
    """Reads the runs below `folder`, in the order of the table.

    Raises:
        UserError: there are none, one is not finished, or they cannot be compared.
    """
    found = {row: sorted(path.parent for path in (folder / row).glob("seed-*/plan.json")) for row in ROWS}
    runs = {row: sorted(map(Run.read, paths), key=lambda run: run.seed) for row, paths in found.items() if paths}
    if not runs:
        raise UserError(f"{folder} has no runs: python experiments/methods/run_methods.py makes them.")
    _refuse_incomparable(runs)
    return runs


def _refuse_incomparable(runs: Runs) -> None:
    """Checks that all runs have the same references, size and weights, except the weights of untrained ones."""
    first, *others = (run for of_row in runs.values() for run in of_row)
    for run in others:
        if (run.references, _size(run)) != (first.references, _size(first)):
            raise UserError(f"{run.folder} and {first.folder} have different references: they cannot share a table.")
    weights: dict[str | None, Path] = {}
    for row, of_row in runs.items():
        for run in of_row if row != "untrained_generator" else []:
            # From the entry of each reference: provenance.json knows only the last process of a run.
            for entry in read_entries(run.folder, run.references):
                weights.setdefault(entry["weights_sha256"], run.folder)
    if len(weights) > 1:
        one, other, *_ = weights.values()
        raise UserError(
            f"{one} and {other} were made with different generator weights: remove the older one and run it again."
        )


def _size(run: Run) -> tuple[int, int]:
    with Image.open(run.folder / "references" / run.references[0] / "hr.png") as original:
        return original.size


# --- the table ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A measure of a run.

    Attributes:
        key: its name in table.csv.
        title: its name in table.md.
        places: the decimals shown in table.md.
        measure: computes it for one run; None if it does not exist.
        over_seeds: combines the values of all seeds into one.
    """

    key: str
    title: str
    places: int
    measure: Callable[[Run], float | None]
    over_seeds: Callable[[Sequence[float]], float] = statistics.fmean


COLUMNS = (
    Column("psnr", "PSNR, dB", 2, lambda run: run.metrics["psnr"]["mean"]),
    Column("ssim", "SSIM", 3, lambda run: run.metrics["ssim"]["mean"]),
    Column("lpips", "LPIPS", 3, lambda run: run.metrics["lpips"]["mean"]),
    Column("lr_psnr", "LR-PSNR, dB", 1, lambda run: run.metrics["lr_psnr"]["mean"]),
    Column("lr_psnr_worst", "worst LR-PSNR, dB", 1, lambda run: run.metrics["lr_psnr"]["min"], min),
    Column("distance", "distance, grey levels", 1, lambda run: run.metrics["diversity"]["rms"]),
    Column("seconds", "s per reference", 2, lambda run: run.metrics["seconds"] / run.metrics["num_references"]),
)


@dataclass(frozen=True)
class Cell:
    """One measure of one row: its value over the seeds, and the largest minus the smallest value."""

    value: float | None
    spread: float | None

    def __format__(self, places: str) -> str:
        if self.value is None:
            return "-"
        shown = f"{self.value:.{places}f}"
        return shown if self.spread is None else f"{shown} ({self.spread:.{places}f})"


def cell(column: Column, runs: Sequence[Run]) -> Cell:
    """Computes a measure over the seeds of a row; its spread needs two seeds."""
    values = [value for run in runs if (value := column.measure(run)) is not None]
    if not values:
        return Cell(None, None)
    return Cell(column.over_seeds(values), max(values) - min(values) if len(values) > 1 else None)


def markdown(runs: Runs) -> str:
    """Formats the table for people."""
    titles = ["row", "samples", "steps", *(column.title for column in COLUMNS)]
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for row, of_row in runs.items():
        cells = [f"{cell(column, of_row):{column.places}}" for column in COLUMNS]
        lines.append([f"`{row}`", _settled(of_row, "num_samples"), str(of_row[0].records[0]["steps"]), *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def comma_separated(runs: Runs) -> str:
    """Formats the table for programs: all digits, and an empty cell for a missing number."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    measures = [name for column in COLUMNS for name in (column.key, f"{column.key}_spread")]
    writer.writerow(["row", "seeds", "references", "samples", "steps", *measures])
    for row, of_row in runs.items():
        cells = [cell(column, of_row) for column in COLUMNS]
        writer.writerow([
            row, len(of_row), len(of_row[0].references), _settled(of_row, "num_samples"), of_row[0].records[0]["steps"],
            *(number for entry in cells for number in (entry.value, entry.spread)),
        ])  # fmt: skip
    return lines.getvalue()


def _settled(runs: Sequence[Run], key: str) -> str:
    """Returns a setting that the seeds of a row share."""
    values = {run.config[key] for run in runs}
    if len(values) > 1:
        raise UserError(f"the runs in {runs[0].folder.parent} differ in {key}: {', '.join(map(str, sorted(values)))}.")
    return str(values.pop())


def conditions(runs: Runs) -> str:
    """Describes in a few lines on what the table was measured."""
    every = [run for of_row in runs.values() for run in of_row]
    references = every[0].references
    seeds = ", ".join(map(str, sorted({run.seed for run in every})))
    devices = ", ".join(sorted({run.provenance["device"] for run in every}))
    commits = ", ".join(sorted({str(run.provenance["commit"]) for run in every}))
    backbones = ", ".join(sorted({_backbone(run) for run in every}))
    return (
        f"- {len(references)} references ({references[0]} to {references[-1]}), {_size(every[0])[0]} pixels wide;"
        f" seeds {seeds}.\n"
        f"- Device: {devices}. LPIPS: {backbones}. Commit: {commits}.\n"
        "- Means over samples, then references, then seeds; in brackets the largest minus the smallest over the"
        " seeds. The worst LR-PSNR is the lowest of all samples and seeds.\n"
        "- Distance: root-mean-square difference of two samples of one reference, mean over pairs, 0 to 255.\n"
    )


def _backbone(run: Run) -> str:
    state = run.metrics["lpips_backbone"]
    return "none" if state["weights"] == "absent" else f"{state['net']}, weights {state['weights']}"


# --- the claims --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """A claim about the table with a bound, which is checked at each seed.

    Attributes:
        sentence: the claim.
        rows: the rows it is about.
        measure: computes its figure from one run of each of these rows, at one seed.
        places: the decimals and unit of the figure, as a format.
        holds: tells whether the claim holds for the figure of one seed.
    """

    sentence: str
    rows: tuple[str, ...]
    measure: Callable[..., float]
    places: str
    holds: Callable[[float], bool]

    def verdict(self, runs: Runs) -> str:
        """Formats the claim, its figures and whether it holds at every seed."""
        if missing := [row for row in self.rows if row not in runs]:
            return f"NOT MEASURED: {self.sentence} (no runs of {', '.join(missing)})"
        of_rows = [{run.seed: run for run in runs[row]} for row in self.rows]
        seeds = sorted(set.intersection(*map(set, of_rows)))
        if not seeds:
            return f"NOT MEASURED: {self.sentence} ({', '.join(self.rows)} have no seed in common)"
        figures = [self.measure(*(of_row[seed] for of_row in of_rows)) for seed in seeds]
        shown = ", ".join(
            f"{self.places.format(figure)} (seed {seed})" for figure, seed in zip(figures, seeds, strict=True)
        )
        return f"{'HOLDS' if all(map(self.holds, figures)) else 'DOES NOT HOLD'}: {self.sentence}: {shown}"


def _share_of_30_db(run: Run) -> float:
    return 100 * statistics.fmean(decibels >= 30 for decibels in run.lr_psnr)


def _gain_in_psnr(run: Run, baseline: Run) -> float:
    return run.metrics["psnr"]["mean"] - baseline.metrics["psnr"]["mean"]


def _ratio_of_distances(run: Run, baseline: Run) -> float:
    distance, other = (each.metrics["diversity"]["rms"] for each in (run, baseline))
    if distance is None or other is None:
        raise UserError(f"{run.folder} and {baseline.folder} need at least two samples of a reference each.")
    return distance / other if other else math.inf


def _median_lr_psnr(run: Run) -> float:
    return statistics.median(run.lr_psnr)


CLAIMS = (
    Claim(
        "at least 95 % of the samples of `resampling` have an LR-PSNR of at least 30 dB",
        ("resampling",), _share_of_30_db, "{:.1f} %", lambda share: share >= 95,
    ),
    Claim(
        "the mean PSNR of `resampling` is above that of `bicubic`",
        ("resampling", "bicubic"), _gain_in_psnr, "{:+.2f} dB", lambda gain: gain > 0,
    ),
    Claim(
        "the distance under `batch_diversity` is at least three times that under `synthesis_noise` with std 1",
        ("batch_diversity", "synthesis_noise_std_1"), _ratio_of_distances, "{:.2f} times", lambda ratio: ratio >= 3,
    ),
    Claim(
        "the median LR-PSNR of `batch_diversity` is at least 25 dB",
        ("batch_diversity",), _median_lr_psnr, "{:.1f} dB", lambda median: median >= 25,
    ),
    Claim(
        "the median LR-PSNR of `synthesis_noise` with std 1 is at least 25 dB",
        ("synthesis_noise_std_1",), _median_lr_psnr, "{:.1f} dB", lambda median: median >= 25,
    ),
    Claim(
        "every file that `resampling` with `consistency=exact` saves has an LR-PSNR of at least 60 dB; the worst",
        ("resampling_exact",), lambda run: min(run.lr_psnr_of_files), "{:.1f} dB", lambda worst: worst >= 60,
    ),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for table.md and table.csv")
    args = parser.parse_args(arguments)
    try:
        runs = read_runs(args.runs)
        claims = "".join(f"- {claim.verdict(runs)}\n" for claim in CLAIMS)
        content = "\n".join([markdown(runs), conditions(runs), claims])
        write_atomic(args.out / "table.csv", comma_separated(runs))
        write_atomic(args.out / "table.md", content)
    except UserError as error:
        sys.exit(f"table: {error}")
    print(content, end="")
    if absent := [row for row in ROWS if row not in runs]:
        print(f"no runs yet: {', '.join(absent)}", file=sys.stderr)


if __name__ == "__main__":
    main()
