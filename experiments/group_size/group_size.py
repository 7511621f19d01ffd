"""Measure the memory of a group against its estimate, and from which size on a group is no faster.

python experiments/group_size/group_size.py                       # group_size.csv beside this file, and its table
python experiments/group_size/group_size.py --generators tiny     # some of the generators; the rows of the others stay
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.run.build import build
from multimodal_pulse.search.group_size import kept_bytes, peak_bytes, search_bytes

HERE = Path(__file__).parent
UNTRAINED = ["generator=untrained", "generator.mapping_layers=1"]  # the mapping network is not used in a search
GENERATORS: dict[str, list[str]] = {
    "tiny": [*UNTRAINED, "generator.resolution=32", "generator.channel_max=8", "degradation.factor=4"],
    "portraits": [],
    "ffhq256": [
        *UNTRAINED, "generator.resolution=256", "generator.z_dim=512", "generator.w_dim=512",
        "generator.channel_base=16384", "generator.channel_max=512", "objective=report",
    ],
}  # fmt: skip
"""The generators: a tiny one of 32 x 32, the built-in one of 128 x 128, and one as large as the official 256 x 256."""
POINTS = {
    "tiny": [(1, 4), (4, 4), (16, 4), (64, 4)],
    "portraits": [(1, 1), (1, 4), (2, 4), (4, 4), (8, 4)],
    "ffhq256": [(1, 1), (1, 2), (1, 4)],
}
"""The groups of each generator: (references, samples of each)."""
FEW, MANY = 1, 5
"""Steps of two runs; the difference of their times is the time of steps alone, without the first step."""


@dataclass(frozen=True)
class Row:
    """The measurement of one group.

    Attributes:
        images: the number of images searched at once.
        kept_mb: the memory that autograd keeps, from the architecture.
        estimated_mb: the estimated peak memory of the process.
        measured_mb: the measured peak memory of the process.
        cpu_ms: the processor time per step and image.
    """

    generator: str
    references: int
    num_samples: int
    images: int
    kept_mb: float
    estimated_mb: float
    measured_mb: float
    cpu_ms: float


def measure(generator: str, references: int, num_samples: int) -> Row:
    """Measures one point; the peak memory is right only for the first point in a process."""
    overrides = [
        *GENERATORS[generator], f"references.limit={references}", f"trainer.references_per_group={references}",
        f"num_samples={num_samples}", "metrics.lpips_net=null", "tracking=none",
    ]  # fmt: skip
    seconds = []
    for steps in (FEW, FEW, MANY):  # the first run is a warm-up
        with tempfile.TemporaryDirectory() as folder:
            begun = time.process_time()
            run_overrides([*overrides, f"steps={steps}"], Path(folder) / "run")
            seconds.append(time.process_time() - begun)
    network = build(compose_config(overrides).generator)
    images = references * num_samples
    kept = images * kept_bytes(network.architecture)
    return Row(
        generator, references, num_samples, images,
        kept_mb=kept / 1e6,
        estimated_mb=search_bytes(network, kept) / 1e6,
        measured_mb=peak_bytes(torch.device("cpu")) / 1e6,
        cpu_ms=1000 * (seconds[2] - seconds[1]) / (MANY - FEW) / images,
    )  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Formats the rows as Markdown."""
    lines = [
        "| generator | references x samples | kept, MB | estimated, MB | measured, MB | off by"
        " | CPU ms per step and image |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        estimated, measured = float(row["estimated_mb"]), float(row["measured_mb"])
        lines.append(
            f"| `{row['generator']}` | {row['references']} x {row['num_samples']} | {float(row['kept_mb']):.0f}"
            f" | {estimated:.0f} | {measured:.0f} | {100 * (estimated / measured - 1):+.0f} %"
            f" | {float(row['cpu_ms']):.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--generators", default=",".join(GENERATORS), help="names, separated by commas")
    parser.add_argument("--out", type=Path, default=HERE / "group_size.csv")
    parser.add_argument("--point", help=argparse.SUPPRESS)  # the point that a subprocess measures, as JSON
    args = parser.parse_args(arguments)
    if args.point:
        print(json.dumps(vars(measure(*json.loads(args.point)))))
        return
    there = list(csv.DictReader(args.out.open(newline="", encoding="utf-8"))) if args.out.exists() else []
    chosen = args.generators.split(",")
    rows: list[Mapping[str, Any]] = [row for row in there if row["generator"] not in chosen]
    for generator in chosen:
        for point in POINTS[generator]:
            command = [sys.executable, __file__, "--point", json.dumps([generator, *point])]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    rows.sort(key=lambda row: (list(GENERATORS).index(row["generator"]), int(row["images"])))
    with atomic_file(args.out) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Row.__annotations__), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{v:.4g}" if isinstance(v, float) else v for key, v in row.items()} for row in rows)
    print(table(rows))


if __name__ == "__main__":
    main()
