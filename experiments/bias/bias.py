"""Compare the traits of samples with those of their references, and with what the LR pictures leave open.

    python experiments/bias/bias.py              # the searches, the readers, every CSV and bias.png
    python experiments/bias/bias.py --computed   # bias.csv and bias.png again, from what was read before

A stopped command resumes where it was.
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import bias_plot
import readings
import shares
from traits import TRAITS

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import atomic_file, write_atomic

HERE = Path(__file__).parent
PORTRAITS = 96
COLUMNS = (
    "method", "trait", "class", "given", "references", "expected", "read", "share", "low", "high", "difference",
    "difference low", "difference high",
)  # fmt: skip


def csv_of(rows: Sequence[shares.Row]) -> str:
    """Returns bias.csv: a line for each row, shares with four digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        numbers = [row.expected, row.read, row.share.value, row.share.low, row.share.high]
        numbers += [row.difference.value, row.difference.low, row.difference.high]
        names = [row.method, row.trait, row.name, row.given, row.references]
        writer.writerow([*names, *(f"{number:.4f}" for number in numbers)])
    return text.getvalue()


def table(rows: Sequence[shares.Row], read: dict[str, readings.Readings]) -> str:
    """Formats the README's table: for each class its share, and how many samples of its references have it too."""
    by_key = {(row.method, row.trait, row.name, row.given): row for row in rows}
    methods = list(dict.fromkeys(row.method for row in rows))
    headings = [f"`{method}`: {what}" for what in ("share", "kept") for method in methods]
    lines = [["trait", "class", "references", *headings, "reader"], ["---"] * (4 + len(headings))]
    for trait in TRAITS:
        for name in trait.classes:
            everywhere = [by_key[method, trait.name, name, "all"] for method in methods]
            kept = [by_key[method, trait.name, name, f"reference: {name}"] for method in methods]
            cells = [f"{row.share:2}" for row in [*everywhere, *kept]]
            reader = f"{shares.accuracy(read[trait.name].confusion):.3f}" if name == trait.classes[0] else ""
            lines.append([trait.name, name, f"{everywhere[0].expected:.2f}", *cells, reader])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--computed", action="store_true", help="read nothing anew")
    parser.add_argument("--portraits", type=int, default=PORTRAITS, help="number of test portraits")
    parser.add_argument("--outputs", type=Path, default=Path("outputs/bias"), help="folder of runs and readers")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the CSV files and the plot")
    args = parser.parse_args(arguments)
    if not args.computed:
        try:
            readings.write(args.out, args.portraits, args.outputs)
        except UserError as error:
            sys.exit(f"bias: {error}")
    read = readings.read_back(args.out)
    rows = list(shares.rows(read))
    write_atomic(args.out / "bias.csv", csv_of(rows))
    with atomic_file(args.out / "bias.png") as partial:
        bias_plot.plot(rows).savefig(partial)
    print(table(rows, read))


if __name__ == "__main__":
    main()
