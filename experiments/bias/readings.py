"""Reads the traits of references and of samples, and keeps what was read in CSV files, from which the rest is computed.

- confusion.csv: how often each reader takes one class for another, on portraits that it was not trained on, with
  "projected" for the reader of pictures on those that have the LR pixels of another (see `reader`);
- references.csv: each reference's classes, how its original is read, and the probability of each class given its LR
  picture;
- samples.csv: how each sample is read.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import reader as readers
import torch
from torch import Tensor, nn
from traits import TRAITS, Trait, classes_of

from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.domains.portraits.renderer import sample_factors, split_seeds
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.references.pixels import load_rgb

METHODS = ("explore", "faithful")
NUM_SAMPLES = 4
SETTINGS = [
    "references=portraits", "references.split=test", f"num_samples={NUM_SAMPLES}", "seed=0", "metrics.lpips_net=null",
    "tracking=none",
]  # fmt: skip


@dataclass(frozen=True)
class Readings:
    """What was read of one trait. N references, K samples each, C classes.

    Attributes:
        confusions: counts of held-out portraits by class and class read, int [C, C], by what is read: "pictures",
            "projected" or "lr".
        known: the class of each reference, [N].
        original: the class read from its original, [N].
        posterior: the probability of each class given its LR picture, [N, C].
        samples: by method, the class read from each sample, [N, K].
    """

    confusions: Mapping[str, np.ndarray]
    known: np.ndarray
    original: np.ndarray
    posterior: np.ndarray
    samples: Mapping[str, np.ndarray]

    @property
    def confusion(self) -> np.ndarray:
        """The counts of the reader of samples, of which some are projected and others hardly differ from before."""
        return self.confusions["pictures"] + self.confusions["projected"]


def search(method: str, portraits: int, outputs: Path) -> Path:
    """Searches the samples that are still missing, and returns the run directory.

    Raises:
        UserError: the run directory belongs to another configuration.
    """
    folder = outputs / f"{method}-{portraits}"
    run_overrides([f"method={method}", f"references.limit={portraits}", *SETTINGS], folder)
    return folder


def write(folder: Path, portraits: int, outputs: Path) -> None:
    """Searches, trains the readers and reads, as far as that is not done yet; writes the three files to `folder`.

    Args:
        folder: of the three files.
        portraits: the number of test portraits.
        outputs: of the run directories and the trained readers.
    """
    runs = {method: search(method, portraits, outputs) for method in METHODS}
    names = json.loads((runs[METHODS[0]] / "plan.json").read_text(encoding="utf-8"))["references"]
    trained = readers.trained(outputs)
    held_out = readers.portraits("validation", readers.HELD_OUT, readers.FIRST_HELD_OUT)
    _write_confusion(folder / "confusion.csv", trained, held_out)
    references = [runs[METHODS[0]] / "references" / name for name in names]
    originals = _read(trained["pictures"], [reference / "hr.png" for reference in references])
    lr = torch.stack([readers.in_8_bits(load_rgb(reference / "lr.png")) for reference in references])
    _write_references(folder / "references.csv", names, originals, readers.probabilities(trained["lr"], lr))
    lines = []
    for method, run in runs.items():
        every = [(name, sample) for name in names for sample in range(NUM_SAMPLES)]
        files = [run / "references" / name / f"sr_{sample:02d}.png" for name, sample in every]
        for (name, sample), classes in zip(every, _read(trained["pictures"], files), strict=True):
            lines.append([method, name, sample, *_names(classes)])
    _write_csv(folder / "samples.csv", ["method", "reference", "sample", *(trait.name for trait in TRAITS)], lines)


def read_back(folder: Path) -> dict[str, Readings]:
    """Reads the three files, by the name of the trait."""
    confusion, references, samples = (
        list(csv.DictReader((folder / f"{name}.csv").open(encoding="utf-8", newline="")))
        for name in ("confusion", "references", "samples")
    )
    return {trait.name: _of_trait(trait, confusion, references, samples) for trait in TRAITS}


def _of_trait(
    trait: Trait,
    confusion: Sequence[Mapping[str, str]],
    references: Sequence[Mapping[str, str]],
    samples: Sequence[Mapping[str, str]],
) -> Readings:
    number = {name: index for index, name in enumerate(trait.classes)}
    counts = {read: np.zeros((len(number), len(number)), dtype=int) for read in ("pictures", "projected", "lr")}
    for row in confusion:
        if row["trait"] == trait.name:
            counts[row["reader"]][number[row["class"]], number[row["read as"]]] = int(row["portraits"])
    of_methods = {
        method: np.array([number[row[trait.name]] for row in samples if row["method"] == method])
        for method in dict.fromkeys(row["method"] for row in samples)
    }
    return Readings(
        counts,
        known=np.array([number[row[trait.name]] for row in references]),
        original=np.array([number[row[f"{trait.name}, read"]] for row in references]),
        posterior=np.array([[float(row[_probability(trait, name)]) for name in trait.classes] for row in references]),
        samples={method: classes.reshape(len(references), -1) for method, classes in of_methods.items()},
    )


def _read(reader: nn.Module, paths: Sequence[Path]) -> Tensor:
    """Returns the class of each trait that is read from picture files, [N, traits]."""
    seen = torch.stack([readers.in_8_bits(readers.halved(load_rgb(path))) for path in paths])
    return torch.stack([of_trait.argmax(dim=1) for of_trait in readers.probabilities(reader, seen)], dim=1)


def _names(classes: Tensor) -> list[str]:
    """Returns the names of one portrait's classes, [traits]."""
    return [trait.classes[index] for trait, index in zip(TRAITS, classes.tolist(), strict=True)]


def _probability(trait: Trait, name: str) -> str:
    return f"P({trait.name} = {name} | LR)"


def _write_confusion(path: Path, trained: Mapping[str, nn.Module], held_out: readers.Portraits) -> None:
    lines = []
    everything = torch.ones_like(held_out.projected)
    for read, view, some in (
        ("pictures", "pictures", ~held_out.projected),
        ("projected", "pictures", held_out.projected),
        ("lr", "lr", everything),
    ):
        probabilities = readers.probabilities(trained[view], held_out.seen[view][some])
        for index, (trait, of_trait) in enumerate(zip(TRAITS, probabilities, strict=True)):
            size = len(trait.classes)
            pairs = held_out.classes[some, index] * size + of_trait.argmax(dim=1)
            counts = pairs.bincount(minlength=size**2).view(size, size).tolist()
            for name, row in zip(trait.classes, counts, strict=True):
                lines += [[read, trait.name, name, other, n] for other, n in zip(trait.classes, row, strict=True)]
    _write_csv(path, ["reader", "trait", "class", "read as", "portraits"], lines)


def _write_references(path: Path, names: Sequence[str], originals: Tensor, posteriors: Sequence[Tensor]) -> None:
    known = classes_of(sample_factors(split_seeds("test", len(names))))
    header = ["reference", *(trait.name for trait in TRAITS), *(f"{trait.name}, read" for trait in TRAITS)]
    header += [_probability(trait, name) for trait in TRAITS for name in trait.classes]
    lines = []
    for index, name in enumerate(names):
        probabilities = torch.cat([of_trait[index] for of_trait in posteriors]).tolist()
        classes = [*_names(known[index]), *_names(originals[index])]
        lines.append([name, *classes, *(f"{value:.4f}" for value in probabilities)])
    _write_csv(path, header, lines)


def _write_csv(path: Path, header: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    write_atomic(path, text.getvalue())
