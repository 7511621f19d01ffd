"""How often does a blind start name the degradation of a test portrait? Writes estimate.csv and prints the table.

python experiments/degradations/estimate.py
python experiments/degradations/estimate.py --split validation --noise 0.02 --out outputs/noisy.csv
"""

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from multimodal_pulse.degradation.candidates import CANDIDATES
from multimodal_pulse.diversity.blind import most_likely, priors
from multimodal_pulse.domains.portraits import load_prior
from multimodal_pulse.references import Portraits
from multimodal_pulse.references.pixels import quantise

FACTOR = 8


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--split", default="test", help="of the portraits")
    parser.add_argument("--portraits", type=int, default=32, help="how many, each under every candidate")
    parser.add_argument("--noise", type=float, default=0.0, help="standard deviation of noise on the references")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("estimate.csv"), help="the table")
    args = parser.parse_args(arguments)
    generator = load_prior()
    candidates = {name: make(FACTOR) for name, make in CANDIDATES.items()}
    of_candidates = priors(generator, candidates)
    rows = []
    rng = torch.Generator().manual_seed(0)
    for portrait in Portraits(generator.resolution, candidates["bicubic"], args.portraits, args.split):
        assert portrait.hr is not None
        for true, degradation in candidates.items():
            lr = degradation(portrait.hr)
            lr = quantise(lr + args.noise * torch.randn(lr.shape, generator=rng))
            found = most_likely(lr[None], of_candidates)
            numbers = f"{found.margin:.2f}", found.second, f"{found.noise_std:.4f}"
            rows.append((portrait.name, true, found.name, *numbers))
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["portrait", "true", "found", "margin", "second", "noise_std"])
        writer.writerows(rows)
    pairs = Counter((true, found) for _, true, found, *_ in rows)
    print("true".ljust(18), *(name.rjust(18) for name in CANDIDATES))
    for true in CANDIDATES:
        print(true.ljust(18), *(str(pairs[true, found]).rjust(18) for found in CANDIDATES))
    right = sum(true == found for _, true, found, *_ in rows)
    wrong = [float(margin) for _, true, found, margin, *_ in rows if true != found]
    print(f"right: {right} of {len(rows)}, {right / len(rows):.1%}")
    print(f"largest margin of a wrong answer: {max(wrong, default=0)} nats")


if __name__ == "__main__":
    main()
