"""Make table.md and table.csv from the run directories below outputs/methods, and check the claims about them.

python experiments/methods/table.py
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from claims import FEW_CLAIMS, MAIN_CLAIMS, verdict
from columns import COLUMNS, SECTIONS, Column
from method_rows import FEW, HERE, ROWS, RUNS
from runs import Run, Runs, few_table, main_table, read_runs, size

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.metrics.intervals import Estimate


def markdown(runs: Runs) -> str:
    """Formats the rows for people: a narrow table for each section of columns."""
    return "\n".join(f"**{title}**\n\n{_section(columns, runs)}" for title, columns in SECTIONS.items())


def _section(columns: Sequence[Column], runs: Runs) -> str:
    lines = [["row", *(column.title for column in columns)], ["---", *["---:"] * len(columns)]]
    for row, of_row in runs.items():
        lines.append([f"`{row}`", *(shown(column.cell(of_row), column.places) for column in columns)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def shown(cell: Estimate | float | None, places: int) -> str:
    """Formats a measure, with half the width of its interval; one that does not exist is a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, Estimate):
        return cell.plus_minus(places)
    return f"{cell:.{places}f}"


def comma_separated(tables: dict[str, Runs]) -> str:
    """Formats the tables, by name, for programs: all digits, both ends of the intervals, an empty cell for none."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    measures = [f"{key}{end}" for key in COLUMNS for end in ("", "_low", "_high")]
    writer.writerow(["table", "row", "references", "seeds", *measures])
    for name, runs in tables.items():
        for row, of_row in runs.items():
            numbers = [number for column in COLUMNS.values() for number in _numbers(column.cell(of_row))]
            writer.writerow([name, row, len(of_row[0].entries), len(of_row), *numbers])
    return lines.getvalue()


def _numbers(cell: Estimate | float | None) -> tuple[float | None, float | None, float | None]:
    """Returns a measure and the ends of its interval."""
    return (cell.mean, cell.low, cell.high) if isinstance(cell, Estimate) else (cell, None, None)


def amounts(runs: Runs) -> str:
    """Says on which references and seeds most rows were measured, and which rows on others."""
    of_rows = {row: _amount(of_row) for row, of_row in runs.items()}
    usual = max(set(of_rows.values()), key=list(of_rows.values()).count)
    return "; ".join([usual, *(f"`{row}`: {amount}" for row, amount in of_rows.items() if amount != usual)])


def _amount(runs: Sequence[Run]) -> str:
    references, seeds = runs[0].references, [str(run.seed) for run in runs]
    return (
        f"{len(references)} references ({references[0]} to {references[-1]}),"
        f" seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"
    )


def conditions(runs: Runs) -> str:
    """Describes in a few lines on what and how the tables were measured."""
    every = [run for of_row in runs.values() for run in of_row if run.entries]
    devices = ", ".join(sorted({run.provenance["device"] for run in every}))
    commits = ", ".join(sorted({str(run.provenance["commit"])[:7] for run in every}))
    lpips, realism = (sorted({_backbone(run, name) for run in every}) for name in ("lpips", "realism"))
    return (
        f"- Pictures of {size(every[0])[0]} pixels. Device: {devices}. LPIPS: {', '.join(lpips)}."
        f" Realism: {', '.join(realism)}. Commits: {commits}.\n"
        "- Means over samples, then seeds, then references; ± half the width of their 95 % interval, the percentile"
        " bootstrap over references, whose ends are in table.csv. A worst value is the lowest of all samples and seeds,"
        " and has no interval.\n"
        "- Found: before the consistency step. Saved file: measured on the 8-bit files. Seconds: wall time of"
        " the search per reference, of the fastest one, since all need the same work and the machine had other work."
        " Distance: root-mean-square difference of two samples of one reference, 0 to 255.\n"
    )


def _backbone(run: Run, name: str) -> str:
    state = run.entries[0][f"{name}_backbone"]
    return f"{state.get('net') or state.get('domain')}, weights {state['weights']}"


def content(runs: Runs) -> str:
    """Formats both tables, with the claims about each."""
    main, few = main_table(runs), few_table(runs)
    parts = []
    for title, of, claims in (
        ("The main rows", main, MAIN_CLAIMS),
        (f"Every row on the first {FEW} references, at one seed", few, FEW_CLAIMS),
    ):
        if of:
            parts += [f"## {title}\n\n{amounts(of)}.\n", markdown(of), "".join(f"- {verdict(c, of)}\n" for c in claims)]
    return "\n".join([*parts, f"## Conditions\n\n{conditions(runs)}"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for table.md and table.csv")
    args = parser.parse_args(arguments)
    try:
        runs = read_runs(args.runs)
    except UserError as error:
        sys.exit(f"table: {error}")
    written = content(runs)
    write_atomic(args.out / "table.csv", comma_separated({"main": main_table(runs), "few": few_table(runs)}))
    write_atomic(args.out / "table.md", written)
    print(written, end="")
    if unfinished := [str(run) for of_row in runs.values() for run in of_row if not run.is_finished]:
        print(f"not finished, left out: {', '.join(unfinished)}", file=sys.stderr)
    if absent := [row for row in ROWS if row not in runs]:
        print(f"no runs yet: {', '.join(absent)}", file=sys.stderr)


if __name__ == "__main__":
    main()
