"""Run the missing points of the seven curves, at every seed, each in outputs/findings/<point>/seed-<seed>.

    python experiments/findings/run_findings.py --seeds 0 & python experiments/findings/run_findings.py --seeds 1
    python experiments/findings/run_findings.py --points explore   # those of `explore` alone
    python experiments/findings/run_findings.py --except explore   # those of the report's methods
    python experiments/findings/run_findings.py --points lr_noise trainer=gpu   # some, with overrides of run.py

The same command resumes; a finished reference is never searched again.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from points import COMMON, POINTS, RUNS, SEEDS, run_dir

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.interface.api import run_overrides


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", default="", help="only points that begin so, such as lr_noise or combined/0.05")
    parser.add_argument("--except", dest="excluded", help="no points that begin so, such as explore")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="seeds, separated by commas")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("overrides", nargs="*", help="overrides of run.py for every point")
    args = parser.parse_intermixed_args(arguments)
    begin = [point for point in POINTS if point.startswith(args.points)]
    points = [point for point in begin if not (args.excluded and point.startswith(args.excluded))]
    if not points:
        parser.error(f"no point begins with {args.points}; there are {', '.join(POINTS)}")
    try:
        # Seed by seed, so that stopping halfway leaves complete curves of one seed.
        for seed in map(int, args.seeds.split(",")):
            for point in points:
                overrides = [*COMMON, *args.overrides, *POINTS[point], f"seed={seed}"]
                report = run_overrides(overrides, run_dir(args.runs, point, seed))
                print(f"\n{point}, seed {seed}", report, sep="\n", flush=True)
    except UserError as error:
        sys.exit(f"run_findings: {error}")


if __name__ == "__main__":
    main()
