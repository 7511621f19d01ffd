"""The runs of the rows, read from the record.json of each reference."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from method_rows import FEW, ROWS
from PIL import Image

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.metrics.functional import lr_psnr
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.records import read_entries

Entry = Mapping[str, Any]
"""The content of a record.json."""


@dataclass(frozen=True)
class Run:
    """A run directory, or the first references of one.

    Attributes:
        folder: the run directory.
        config: its config.yaml.
        provenance: its provenance.json.
        references: the names of its references, in order.
        entries: those that are finished.
    """

    folder: Path
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    references: Sequence[str]
    entries: Sequence[Entry]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Reads a run directory.

        Raises:
            UserError: a reference was scored by an earlier version.
        """
        references = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["references"]
        run = cls(
            folder=folder,
            config=yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")),
            provenance=json.loads((folder / "provenance.json").read_text(encoding="utf-8")),
            references=references,
            entries=read_entries(folder, references),
        )
        records = [record for entry in run.entries for record in entry["records"]]
        if any(record["lr_psnr_found"] is None and record["lr_psnr"] is not None for record in records):
            raise UserError(f"{folder} was made by an earlier version: remove it and run it again.")
        return run

    @property
    def seed(self) -> int:
        return self.config["seed"]

    @property
    def is_finished(self) -> bool:
        return len(self.entries) == len(self.references)

    def __str__(self) -> str:
        """Names the run and counts its finished references."""
        place = Path(self.folder.parent.name, self.folder.name)
        return f"{place} ({len(self.entries)} of {len(self.references)} references)"

    def first(self, count: int) -> "Run":
        """Returns the same run with the first references only."""
        return replace(self, references=self.references[:count], entries=self.entries[:count])

    @cached_property
    def lr_psnr_of_files(self) -> list[float]:
        """The LR-PSNR of every saved picture against lr.png, in dB, measured on the files."""
        degradation = Bicubic(self.config["degradation"]["factor"])
        measured: list[float] = []
        for entry in self.entries:
            folder = self.folder / "references" / entry["reference"]
            samples = [load_rgb(folder / f"sr_{record['sample']:02d}.png") for record in entry["records"]]
            measured += lr_psnr(torch.stack(samples), load_rgb(folder / "lr.png"), degradation).tolist()
        return measured


Runs = Mapping[str, Sequence[Run]]
"""The runs of each row, by its name: one per seed, in the order of the seeds."""


def read_runs(folder: Path) -> Runs:
    """Reads the runs below `folder`, finished or not, in the order of the rows.

    Raises:
        UserError: there are none, or they cannot be compared.
    """
    found = {row: sorted(path.parent for path in (folder / row).glob("seed-*/plan.json")) for row in ROWS}
    runs = {row: sorted(map(Run.read, paths), key=lambda run: run.seed) for row, paths in found.items() if paths}
    if not runs:
        raise UserError(f"{folder} has no runs: python experiments/methods/run_methods.py makes them.")
    _refuse_incomparable(runs)
    return runs


def main_table(runs: Runs) -> Runs:
    """Returns the finished runs of the rows that are measured on more than the first portraits."""
    return _finished({row: of_row for row, of_row in runs.items() if ROWS[row].is_main})


def few_table(runs: Runs) -> Runs:
    """Returns the first portraits of the finished runs of every row, at its first seed."""
    of_first_seed = {
        row: [run.first(FEW) for run in of_row if run.seed == ROWS[row].seeds[0]] for row, of_row in runs.items()
    }
    return _finished(of_first_seed)


def _finished(runs: Runs) -> Runs:
    finished = {row: [run for run in of_row if run.is_finished] for row, of_row in runs.items()}
    return {row: of_row for row, of_row in finished.items() if of_row}


def _refuse_incomparable(runs: Runs) -> None:
    """Checks that the runs begin with the same references, in one size, and have the same weights, but for untrained
    ones.
    """
    every = [run for of_row in runs.values() for run in of_row if run.entries]
    for run in every[1:]:
        shared = min(len(run.references), len(every[0].references))
        if run.references[:shared] != every[0].references[:shared] or size(run) != size(every[0]):
            raise UserError(f"{run.folder} and {every[0].folder} have different references: they cannot share a table.")
    weights: dict[str | None, Path] = {}
    for row, of_row in runs.items():
        for run in of_row if row != "untrained_generator" else []:
            # From the entry of each reference: provenance.json knows only the last process of a run.
            for entry in run.entries:
                weights.setdefault(entry["weights_sha256"], run.folder)
    if len(weights) > 1:
        one, other, *_ = weights.values()
        raise UserError(
            f"{one} and {other} were made with different generator weights: remove the older one and run it again."
        )


def size(run: Run) -> tuple[int, int]:
    """Returns the width and height of the originals."""
    with Image.open(run.folder / "references" / run.entries[0]["reference"] / "hr.png") as original:
        return original.size
