"""Run the missing rows of the tables, each at its own seeds, in outputs/methods/<row>/seed-<seed>.

    python experiments/methods/run_methods.py                                         # all of it
    python experiments/methods/run_methods.py --rows resampling,explore trainer=gpu   # some, with overrides of run.py

The same command resumes; a finished reference is never searched again.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from method_rows import ROWS, RUNS, run_dir

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.interface.api import run_overrides


def run_row(row: str, seed: int, overrides: Sequence[str], runs: Path) -> None:
    """Runs one row at one seed, or resumes it; `overrides` may change all of it but the options that make the row.

    Raises:
        UserError: the configuration cannot be used, or the run directory belongs to another one.
    """
    of_row = ROWS[row]
    common = ["experiment=methods", f"references.limit={of_row.limit}", *overrides]
    report = run_overrides([*common, *of_row.overrides, f"seed={seed}"], run_dir(runs, row, seed))
    print(f"\n{row}, seed {seed}", report, sep="\n", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS), help="rows to run in this order, separated by commas")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("overrides", nargs="*", help="overrides of run.py for every row")
    args = parser.parse_intermixed_args(arguments)
    rows = args.rows.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        parser.error(f"no row is called {unknown[0]}; there are {', '.join(ROWS)}")
    try:
        # Every row at its first seed before any at its second: what is stopped halfway leaves a complete table of one.
        for seed in sorted({seed for row in rows for seed in ROWS[row].seeds}):
            for row in rows:
                if seed in ROWS[row].seeds:
                    run_row(row, seed, args.overrides, args.runs)
    except UserError as error:
        sys.exit(f"run_methods: {error}")


if __name__ == "__main__":
    main()
