"""Measure the processor time of the main rows, which other programs on the machine disturb less than the wall time.

    python experiments/methods/processor_time.py        # processor_time.csv; five minutes on a core

The time of a reference is that of 12 of them minus that of 4, by eight: search, scores and pictures, and not the start
of the program.
"""

import argparse
import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from method_rows import HERE, ROWS
from processes import run

from multimodal_pulse.base.files import write_atomic

FILE = HERE / "processor_time.csv"
FEWER, MORE = 4, 12
"""The numbers of references of the two runs."""


def measure(row: str, folder: Path) -> float:
    """Returns the processor seconds of a reference; the two run directories are made in `folder`."""
    few, many = (
        run(
            folder / f"{row}-{limit}", ["experiment=methods", f"references.limit={limit}", *ROWS[row].overrides]
        ).seconds
        for limit in (FEWER, MORE)
    )
    return (many - few) / (MORE - FEWER)


def read(path: Path) -> dict[str, float]:
    """Returns the seconds of each row that was measured."""
    with path.open(encoding="utf-8", newline="") as lines:
        return {line["row"]: float(line["seconds"]) for line in csv.DictReader(lines)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rows", default=",".join(row for row in ROWS if ROWS[row].is_main), help="separated by commas"
    )
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args(arguments)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seconds"])
    with tempfile.TemporaryDirectory() as scratch:
        for row in args.rows.split(","):
            writer.writerow([row, f"{measure(row, Path(scratch)):.2f}"])
    write_atomic(args.out, text.getvalue())
    print(text.getvalue(), end="")


if __name__ == "__main__":
    main()
