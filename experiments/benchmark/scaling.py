"""How do the time and the memory of a pass grow with the resolution and with the number of samples?

    python experiments/benchmark/scaling.py                       # both, into scaling.json and scaling.png beside this
    python experiments/benchmark/scaling.py --from scaling.json   # the table and the plot again

Each point is a process of its own (see passes.py), with fused operators in bfloat16 and freed memory kept, of which the
median of the processor's time counts. M references of K samples share a pass of M * K samples, so that one axis is
both. The exponents are those of a power law, fitted to all points of an axis and to its upper half.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from passes import Way

from multimodal_pulse.base.files import atomic_file, write_atomic

HERE = Path(__file__).resolve().parent
WAY = "fused bfloat16 malloc"
RESOLUTIONS = (64, 128, 256, 512, 1024)
SAMPLES = (1, 2, 4, 8, 16, 32, 64)
CHANNEL_BASE = 32768
"""Of the official networks of 512 and 1024 pixels; those of 256 have half the channels at the largest resolutions."""

Point = Mapping[str, float]
"""`size`, and `seconds` of the processor and `gigabytes` at the peak of a pass."""


def point(portraits: bool, resolution: int, samples: int, size: int, turns: int) -> Point:
    """Measures a pass.

    Args:
        portraits: whether the built-in prior is taken, else random weights of this resolution.
        resolution, samples: what is drawn.
        size: the one of them that the axis is about.
        turns: passes, of which the median counts.
    """
    process = Way(WAY, portraits, resolution, CHANNEL_BASE, samples, 1, "")
    process.ask()
    answers = [process.ask() for _ in range(turns)]
    process.end()
    seconds = statistics.median(answer[1] for answer in answers)
    return {"size": size, "seconds": seconds, "gigabytes": answers[-1][3] / 1e6}


def exponent(points: Sequence[Point], key: str) -> float:
    """Returns the slope of a line through the points, both axes logarithmic."""
    sizes, values = (np.log([of[name] for of in points]) for name in ("size", key))
    return float(np.polyfit(sizes, values, 1)[0])


def table(axes: Mapping[str, Sequence[Point]]) -> str:
    """Formats the points of each axis and the exponents."""
    lines = ["| axis | size | processor s | peak GB |", "|---|---:|---:|---:|"]
    for axis, points in axes.items():
        lines += [f"| {axis} | {p['size']:.0f} | {p['seconds']:.3f} | {p['gigabytes']:.2f} |" for p in points]
    lines.append("")
    for axis, points in axes.items():
        upper = points[len(points) // 2 :]
        of_time, of_memory = ((exponent(points, key), exponent(upper, key)) for key in ("seconds", "gigabytes"))
        lines.append(
            f"- {axis}: time grows with the power {of_time[0]:.2f} ({of_time[1]:.2f} in the upper half),"
            f" memory with {of_memory[0]:.2f} ({of_memory[1]:.2f})."
        )
    return "\n".join(lines)


def plot(axes: Mapping[str, Sequence[Point]], path: Path) -> None:
    """Draws time and memory against each axis."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, len(axes), squeeze=False)[0]
    for panel, (axis, points) in zip(panels, axes.items(), strict=True):
        sizes = [of["size"] for of in points]
        panel.loglog(sizes, [of["seconds"] for of in points], "o-", label="processor time of a pass, s")
        panel.loglog(sizes, [of["gigabytes"] for of in points], "s--", label="peak memory of the process, GB")
        panel.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
        panel.minorticks_off()
        panel.set_xlabel(axis)
        panel.grid(alpha=0.3)
    panels[0].legend()
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolutions", type=int, nargs="+", default=RESOLUTIONS)
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--from", dest="source", type=Path, help="a JSON file of points: measures nothing")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of scaling.json and scaling.png")
    args = parser.parse_args(arguments)
    axes: Mapping[str, Sequence[Point]]
    if args.source is not None:
        axes = json.loads(args.source.read_text(encoding="utf-8"))
    else:
        axes = {
            "resolution, one sample": [point(False, side, 1, side, args.turns) for side in args.resolutions],
            "samples of 128 x 128": [point(True, 128, count, count, args.turns) for count in args.samples],
        }
        write_atomic(args.out / "scaling.json", json.dumps(axes, indent=1) + "\n")
    plot(axes, args.out / "scaling.png")
    print(table(axes))


if __name__ == "__main__":
    main()
