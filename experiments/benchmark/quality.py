"""Does the quick way of computing find as good samples as single precision? The same references and seeds, in pairs.

    python experiments/benchmark/quality.py                                  # 32 test portraits, 2 seeds, three methods
    python experiments/benchmark/quality.py --methods report --limit 8       # another method, fewer portraits
    python experiments/benchmark/quality.py generator=faces references=folder references.path=<pictures>

Arguments with "=" go to both runs of a pair. What was searched already is not searched again.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.metrics.intervals import estimate

sys.path.append(str(Path(__file__).resolve().parents[1] / "methods"))
from columns import COLUMNS

RUNS = Path("outputs/quality")
WAYS = {
    "plain": ["trainer.precision=32-true", "trainer.kernels=plain"],
    "quick": ["trainer.precision=bf16-mixed", "trainer.kernels=fused"],
}
"""The two ways of computing, as overrides of run.py."""
MEASURES = ("lr_psnr_found", "psnr", "lpips", "realism", "distance")
SEEDS = (0, 1)

Found = Mapping[str, np.ndarray]
"""Each measure of every reference, [references]."""


def found(method: str, way: str, seed: int, overrides: Sequence[str], runs: Path) -> Found:
    """Searches the references, unless that was done, and returns the measures.

    Args:
        method: the method.
        way: a key of WAYS.
        seed: the seed.
        overrides: further overrides of run.py.
        runs: folder of the run directories, one for each set of overrides.
    """
    folder = runs / hashlib.sha256("\n".join(sorted(overrides)).encode()).hexdigest()[:8] / f"{method}-{way}-{seed}"
    given = [f"method={method}", f"seed={seed}", "tracking=none", *WAYS[way], *overrides]
    entries = run_overrides(given, folder).entries
    return {key: np.array([COLUMNS[key].of(entry) for entry in entries], dtype=float) for key in MEASURES}


def rows(method: str, of: Mapping[tuple[str, int], Found]) -> list[str]:
    """Formats, for each measure, the means of both ways, what lies between them, and between the two seeds.

    Args:
        method: the method.
        of: the measures by way and seed.
    """
    lines = []
    for key in MEASURES:
        plain, quick = (np.stack([of[way, seed][key] for seed in SEEDS]) for way in WAYS)
        if np.isnan(plain).any():  # the distance of a single sample
            continue
        places = COLUMNS[key].places + 1
        apart = estimate((quick - plain).mean(axis=0))
        seeds = np.abs(plain[1] - plain[0]).mean()
        cells = f"{plain.mean():.{places}f} | {quick.mean():.{places}f} | {apart:{places}} | {seeds:.{places}f}"
        lines.append(f"| `{method}` | {COLUMNS[key].title} | {cells} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--methods", default="explore,faithful,combined", help="separated by commas")
    parser.add_argument("--limit", type=int, default=32, help="number of references")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    args, given = parser.parse_known_args(arguments)
    own = [] if any(word.startswith("references=") for word in given) else ["references.split=test"]
    overrides = [f"references.limit={args.limit}", *own, *given]
    try:
        measured = {
            method: {(way, seed): found(method, way, seed, overrides, args.runs) for seed in SEEDS for way in WAYS}
            for method in args.methods.split(",")
        }
    except UserError as error:
        sys.exit(f"quality: {error}")
    print("| method | measure | single precision | quick | quick - single | one seed - the other, absolute |")
    print("|---|---|---:|---:|---:|---:|")
    print("\n".join(line for method, of in measured.items() for line in rows(method, of)))


if __name__ == "__main__":
    main()
