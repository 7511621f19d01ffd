"""Print the report's Table I with our runs below it.

python experiments/table1/table.py outputs/table1/ffhq256 [another run or merged directory ...]
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.results.tables import table1_markdown, table1_samples

REPORT: dict[str, Any] = {
    "psnr": {"mean": 18.28, "std": 1.65},
    "ssim": {"mean": 0.4961, "std": 0.0841},
    "lpips": {"mean": 0.3732, "std": 0.0803},
}
"""The report's row, in the units of metrics.json. It does not state the LPIPS backbone, nor which samples count."""


def table(runs: Sequence[Path]) -> str:
    """Formats the table, and says for each of our rows what it is a mean of.

    Raises:
        UserError: a directory has no scores.
    """
    found = {str(run): _metrics(run) for run in runs}
    lines = [f"- `{run}`: {table1_samples(metrics)}; LPIPS: {_backbone(metrics)}." for run, metrics in found.items()]
    return "\n".join([table1_markdown({"the report": REPORT} | {f"`{run}`": found[run] for run in found}), *lines])


def _metrics(run: Path) -> Mapping[str, Any]:
    path = run / "metrics.json"
    if not path.is_file():
        raise UserError(f"{path} is missing: {run} is not a run directory, or nothing in it is finished.")
    return json.loads(path.read_text(encoding="utf-8"))


def _backbone(metrics: Mapping[str, Any]) -> str:
    backbone = metrics["lpips_backbone"]
    absent = backbone is None or backbone["weights"] == "absent"
    return "none" if absent else f"{backbone['net']}, {backbone['weights']} weights"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run directories")
    args = parser.parse_args(arguments)
    try:
        print(table(args.runs))
    except UserError as error:
        sys.exit(f"table: {error}")


if __name__ == "__main__":
    main()
