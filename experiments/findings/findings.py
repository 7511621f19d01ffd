"""Make the seven verdicts from measures.csv: a plot and a CSV for each finding, and the tables of the README.

python experiments/findings/findings.py
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from curves import Curves
from explore_verdicts import explore_findings
from plots import csv_of, plot
from points import HERE, MEASURES
from verdicts import Finding, findings

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import atomic_file, write_atomic


def table(of: Sequence[Finding]) -> str:
    """Writes the Markdown table: a row for each finding, with its verdict and the numbers for it."""
    rows = [
        "| finding | verdict | what was measured: mean (95 % interval), and what the finding needs |",
        "|---|---|---|",
    ]
    for finding in of:
        parts = "<br>".join(str(part) + ("" if part.holds else " **(not so)**") for part in finding.parts)
        rows.append(
            f"| [{finding.number}. {finding.says}](finding{finding.number}.png) | **{finding.verdict}** | {parts} |"
        )
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measures", type=Path, default=MEASURES)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the plots, the CSVs and verdicts.md")
    args = parser.parse_args(arguments)
    try:
        curves = Curves(args.measures)
    except UserError as error:
        sys.exit(f"findings: {error}")
    of_report, of_explore = findings(curves), explore_findings(curves)
    for finding in of_report:
        name = f"finding{finding.number}"
        write_atomic(args.out / f"{name}.csv", csv_of(finding.number, curves))
        with atomic_file(args.out / f"{name}.png") as partial:
            plot(finding.number, finding.says, curves).savefig(partial)
    tables = {"The report's methods": of_report, "The same asked of `explore`": of_explore}
    for title, of in tables.items():
        print(f"\n{title}")
        for finding in of:
            print(f"{finding.number}. {finding.says}: {finding.verdict}")
            for part in finding.parts:
                print(f"   {'+' if part.holds else '-'} {part}")
    write_atomic(args.out / "verdicts.md", "\n".join(f"### {title}\n\n{table(of)}" for title, of in tables.items()))
    print(f"{len(curves.portraits)} portraits, seeds {', '.join(curves.seeds)}")
    print(f"all searches: {curves.seconds / 3600:.1f} hours, one after the other on one core each")


if __name__ == "__main__":
    main()
