"""Compute what comes with a prior, so that a first run does not wait: the statistics of W, a bank, and an estimate.

    python experiments/prior_training/companions.py multimodal_pulse/domains/portraits/prior.safetensors

The files are written beside the weights. The bank keeps 5,000 LR pictures, as many as go into 4 MB; the estimate of
latents from LR pictures is fitted to 40,000, because its error falls with their number and its size does not grow.
"""

import argparse
from pathlib import Path

from safetensors.torch import save

from multimodal_pulse.base.files import cache_folder, write_atomic
from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.diversity.bank import Bank, bank, estimate_file, lr_pictures
from multimodal_pulse.generator import load_generator
from multimodal_pulse.generator.computed_once import Unfinished

DRAWS, FITTED_TO = 5_000, 40_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path, help="a generator's file; the others are written beside it")
    args = parser.parse_args()
    generator, degradation = load_generator(args.weights), Bicubic()
    kept = Unfinished(cache_folder() / f"{estimate_file(generator, degradation)}.unfinished")
    fitted = Bank(generator, lr_pictures(generator, degradation, FITTED_TO, kept)).estimate
    for old in args.weights.parent.glob("*-*.safetensors"):
        old.unlink()
    tensors = {name: tensor.half().contiguous() for name, tensor in vars(fitted).items()}
    write_atomic(args.weights.parent / estimate_file(generator, degradation), save(tensors))
    bank(generator, degradation, DRAWS)  # in the cache, like the statistics of W
    for pattern in (f"bank-{generator.sha256[:16]}-*-{DRAWS}.safetensors", f"w-statistics-{generator.sha256}-*"):
        for file in cache_folder().glob(pattern):
            write_atomic(args.weights.parent / file.name, file.read_bytes())
    kept.forget()


if __name__ == "__main__":
    main()
