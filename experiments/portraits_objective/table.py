"""Print the table of a sweep over one weight: a row for each run, computed from its records.

python experiments/portraits_objective/table.py outputs/portraits_objective/geodesic objective.geodesic_weight
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

import yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sweep", type=Path, help="folder of the sweep")
    parser.add_argument("key", help="the swept key")
    args = parser.parse_args()
    runs = [path.parent for path in sorted(args.sweep.glob("*/records.jsonl"))]
    if not runs:
        sys.exit(f"table: {args.sweep} has no finished runs.")
    print(f"| {args.key} | PSNR | LR-PSNR, mean | median | worst | from 30 dB upwards | distance |")
    print("|---|---|---|---|---|---|---|")
    for _, row in sorted(_row(run, args.key) for run in runs):
        print(row)


def _row(run: Path, key: str) -> tuple[float, str]:
    records = [json.loads(line) for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    section, name = key.split(".")
    weight = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))[section][name]
    lr_psnr = [record["lr_psnr"] for record in records]
    share = 100 * statistics.fmean(decibels >= 30 for decibels in lr_psnr)
    measures = (
        f"{metrics['psnr']['mean']:.2f}",
        *(f"{measure(lr_psnr):.1f}" for measure in (statistics.fmean, statistics.median, min)),
        f"{share:.0f} %",
        f"{metrics['diversity']['rms']:.1f}",
    )
    return weight, f"| {weight} | {' | '.join(measures)} |"


if __name__ == "__main__":
    main()
