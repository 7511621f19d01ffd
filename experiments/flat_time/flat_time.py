"""Is the last of 2824 references searched as fast as the first, and in as much memory?

python experiments/flat_time/flat_time.py                      # runs with each tracker, then the plot and the verdict
python experiments/flat_time/flat_time.py --trackings none     # a run with one tracker
python experiments/flat_time/flat_time.py --trackings ""       # the plot and the verdict from the CSV files alone
"""

import argparse
import csv
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

import numpy as np
import torch
from matplotlib.figure import Figure

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.references.pixels import save_png

HERE = Path(__file__).parent
RUNS = Path("outputs/flat_time")
TRACKINGS = ("none", "wandb")
REFERENCES = 2824
PER_GROUP = 4
RESOLUTION = 16
OVERRIDES = [
    "references=folder", "references.as=hr", "generator=untrained", f"generator.resolution={RESOLUTION}",
    "generator.z_dim=16", "generator.w_dim=16", "generator.mapping_layers=1", "generator.channel_max=8",
    "degradation.factor=4", "num_samples=2", "steps=3", f"trainer.references_per_group={PER_GROUP}",
    "metrics.lpips_net=null",
]  # fmt: skip
WINDOW = 100
"""The number of references compared at the beginning and at the end."""
MOST_SLOWER = 1.1
"""The largest allowed ratio of the last references' time to the first ones'."""
MOST_GROWTH = 0.02
"""The largest allowed growth of the memory from the first to the last hundred references, as a share."""
SAMPLING_SECONDS = 0.1


@dataclass(frozen=True)
class Group:
    """The cost of one group, with its scores and files.

    Attributes:
        references: the number of finished references at the end of the group.
        seconds: the wall time per reference of the group.
        cpu_seconds: the processor time per reference of the group, which other work on the machine does not change.
        megabytes: the memory of the process at the end of the group.
    """

    references: int
    seconds: float
    cpu_seconds: float
    megabytes: float


class Sampler(threading.Thread):
    """Reads the process's clock and its memory every tenth of a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float, float]] = []
        """Returns (seconds since 1970, processor seconds, bytes of memory)."""
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(SAMPLING_SECONDS):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.samples.append((time.time(), time.process_time(), float(pages * os.sysconf("SC_PAGE_SIZE"))))

    def end(self) -> np.ndarray:
        """Stops and returns the readings, [N, 3]."""
        self._ended.set()
        self.join()
        return np.array(self.samples)


def make_pictures(folder: Path, count: int) -> None:
    """Makes small pictures of noise, unless they exist."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number:04d}.png"
        if not path.exists():
            rng = torch.Generator().manual_seed(number)
            save_png(torch.rand(3, RESOLUTION, RESOLUTION, generator=rng), path)


def measure(tracking: str, count: int, runs: Path) -> list[Group]:
    """Runs `count` references in a new run directory; returns the cost of each group but the first."""
    run_dir, pictures = runs / tracking, runs / f"pictures-{count}"
    make_pictures(pictures, count)
    shutil.rmtree(run_dir, ignore_errors=True)
    sampler = Sampler()
    sampler.start()
    report = run_overrides([*OVERRIDES, f"references.path={pictures}", f"tracking={tracking}"], run_dir)
    samples = sampler.end()
    names = [entry["reference"] for entry in report.entries]
    assert len(names) == count
    ends = np.array([(run_dir / "references" / name / "record.json").stat().st_mtime for name in names])
    last_of_group = np.append(np.arange(PER_GROUP - 1, count - 1, PER_GROUP), count - 1)
    wall = ends[last_of_group]
    cpu, memory = (np.interp(wall, samples[:, 0], samples[:, column]) for column in (1, 2))
    sizes = np.diff(last_of_group)
    columns = last_of_group[1:] + 1, np.diff(wall) / sizes, np.diff(cpu) / sizes, memory[1:] / 1e6
    return [Group(int(done), *map(float, rest)) for done, *rest in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Verdict:
    """The comparison of the last hundred references with the first.

    Attributes:
        first, last: the median processor time per reference, in seconds.
        growth: the growth of the median memory, as a share of the first.
        megabytes: the memory during the last hundred.
    """

    first: float
    last: float
    growth: float
    megabytes: float

    @property
    def flat(self) -> bool:
        return self.last <= MOST_SLOWER * self.first and self.growth <= MOST_GROWTH

    def __str__(self) -> str:
        return (
            f"{'flat' if self.flat else 'NOT flat'}: {1000 * self.first:.1f} ms of the processor for each of the first"
            f" {WINDOW} references, {1000 * self.last:.1f} ms for each of the last, {self.last / self.first:.2f} times"
            f" as long; memory {self.megabytes:.0f} MB at the end, {100 * self.growth:+.1f} % since the first {WINDOW}"
        )


def verdict(groups: Sequence[Group]) -> Verdict:
    """Compares the ends of a run of at least two windows."""
    first = [group for group in groups if group.references <= groups[0].references + WINDOW]
    last = [group for group in groups if group.references > groups[-1].references - WINDOW]
    before, after = (median(group.megabytes for group in part) for part in (first, last))
    return Verdict(
        first=median(group.cpu_seconds for group in first),
        last=median(group.cpu_seconds for group in last),
        growth=after / before - 1,
        megabytes=after,
    )


def draw(runs: dict[str, Sequence[Group]]) -> Figure:
    """Draws time and memory over finished references: a dot for each group, a line for the median of each hundred."""
    figure = Figure(figsize=(9, 3.4), dpi=110, layout="constrained")
    time_axes, memory_axes = figure.subplots(1, 2)
    for number, (tracking, groups) in enumerate(runs.items()):
        done = np.array([group.references for group in groups])
        cpu = 1000 * np.array([group.cpu_seconds for group in groups])
        color, label = f"C{number}", f"tracking={tracking}"
        hundreds = range(0, int(done[-1]), WINDOW)
        inside = [(done > start) & (done <= start + WINDOW) for start in hundreds]
        middles = [start + WINDOW / 2 for start, within in zip(hundreds, inside, strict=True) if within.any()]
        time_axes.plot(done, cpu, ".", color=color, markersize=1.5, alpha=0.35)
        time_axes.plot(middles, [np.median(cpu[within]) for within in inside if within.any()], color=color, label=label)
        memory_axes.plot(done, [group.megabytes for group in groups], color=color, label=label)
    time_axes.set_ylabel("ms of the processor for each reference")
    memory_axes.set_ylabel("MB of memory")
    for axes in (time_axes, memory_axes):
        axes.set_xlabel("references done")
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower right")
    memory_axes.set_ylim(top=1.2 * max(group.megabytes for groups in runs.values() for group in groups))
    dots = np.concatenate([[group.cpu_seconds for group in groups] for groups in runs.values()])
    time_axes.set_ylim(top=2.2 * 1000 * float(np.median(dots)))  # a few disturbed groups would compress the rest
    return figure


def write_csv(path: Path, groups: Sequence[Group]) -> None:
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Group)])
        writer.writerows([group.references, *(f"{value:.6g}" for value in astuple(group)[1:])] for group in groups)


def read_csv(path: Path) -> list[Group]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Group(int(row.pop("references")), **{name: float(value) for name, value in row.items()}) for row in rows]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trackings", default=",".join(TRACKINGS), help="trackers to run now, separated by commas")
    parser.add_argument("--references", type=int, default=REFERENCES)
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the CSV files and the plot")
    args = parser.parse_args(arguments)
    for tracking in filter(None, args.trackings.split(",")):
        write_csv(args.out / f"{tracking}.csv", measure(tracking, args.references, args.runs))
    runs = {name: read_csv(args.out / f"{name}.csv") for name in TRACKINGS if (args.out / f"{name}.csv").exists()}
    with atomic_file(args.out / "flat_time.png") as partial:
        draw(runs).savefig(partial)
    for tracking, groups in runs.items():
        print(f"tracking={tracking}: {verdict(groups)}")


if __name__ == "__main__":
    main()
