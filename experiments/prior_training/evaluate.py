"""Measure a prior on pictures that were kept out of its training, and look whether it repeats those it was trained on.

    python experiments/prior_training/evaluate.py domain=faces weights=<file>
    python experiments/prior_training/evaluate.py domain=folder path=<pictures> weights=<file> out=<folder>

Writes `evaluation.json`, `contact_sheet.jpg` (seeds 0 to 31, truncation 1, not selected) and `nearest.jpg` (the same,
each above its nearest training picture). Without AlexNet's weights the figures that need them are null.
"""

import json
import sys
from typing import Any

import hydra
import torch
from backbones import frozen_features
from figures import figures_of, generate
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from inversion import inversion, noise_effect
from nearest import Neighbours, quantiles
from omegaconf import DictConfig
from one_line import ending_in_one_line
from sheets import in_pairs, save_sheet
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded, write_atomic
from multimodal_pulse.generator import load_generator, untrained
from multimodal_pulse.metrics.lpips import SMALLEST, NullLpips, build_lpips
from multimodal_pulse.metrics.manifold import NEIGHBOURS

SHEET = 32
SHEET_SIDE, NEAREST_SIDE = 128, 96  # the most pixels of a picture on the sheets
CHOICE_SEED = 0  # of the choice of training pictures that stand for real ones


def some(pictures: Tensor, count: int) -> Tensor:
    """Returns `count` of the pictures (uint8 [M, 3, R, R]), always the same ones: [count, 3, R, R] in [0, 1]."""
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(CHOICE_SEED))
    return pictures[order[:count]].float() / 255


def compare(generated: Tensor, kept_out: Tensor) -> dict[str, Any]:
    """Compares distances to the nearest training picture: no generated one should be less than those of others are."""
    return {
        "generated": quantiles(generated),
        "kept_out": quantiles(kept_out),
        "generated_nearer_than_all_kept_out": int((generated < kept_out.min()).sum()),
    }


def evaluate(cfg: DictConfig, domain: str) -> dict[str, Any]:
    """Measures everything, draws the sheets, and returns the content of evaluation.json.

    Raises:
        UserError: the weights or the pictures cannot be used.
    """
    if cfg.weights is None:
        raise UserError("weights=<a generator's file> is missing.")
    generator, out = load_generator(expanded(cfg.weights)), expanded(cfg.out)
    pictures = instantiate(cfg.domain)(resolution=generator.resolution)
    real, trained_on = pictures.kept_out(), pictures.trained_on(cfg.trained_on)
    images = generate(generator.network, range(max(len(real), SHEET)))
    out.mkdir(parents=True, exist_ok=True)
    save_sheet(images[:SHEET], SHEET_SIDE, 8, out / "contact_sheet.jpg")

    figures = figures_of(real, cfg.features)
    a = generator.architecture
    random = untrained(a.resolution, 0, a.z_dim, a.w_dim, a.mapping_layers, a.channel_base, a.channel_max)
    report = {
        "weights_sha256": generator.sha256, "domain": domain, "resolution": generator.resolution,
        "kept_out": len(real), "trained_on": len(trained_on), "features": cfg.features, "neighbours": NEIGHBOURS,
        "generated": figures(images[: len(real)]),
        "untrained": figures(generate(random.network, range(len(real)))),
        "real_against_real": figures(some(trained_on, len(real))),
        "noise_grey_levels": round(noise_effect(generator), 2),
        "inversion": inversion(generator, pictures, real[: cfg.inversion.count], cfg.inversion.steps),
        "nearest": None,
    }  # fmt: skip
    lpips = build_lpips("alex")
    too_small = f"LPIPS needs {SMALLEST['alex']} pixels a side" if generator.resolution < SMALLEST["alex"] else None
    if reason := lpips.reason if isinstance(lpips, NullLpips) else too_small:
        print(f"The nearest training pictures are left out (null): {reason}.", file=sys.stderr)
        return report
    neighbours = Neighbours(trained_on, pictures.mirrored, lpips, frozen_features("alexnet"), cfg.nearest.candidates)
    found = neighbours(images)
    nearest = neighbours.pictures(found)[:SHEET]
    save_sheet(in_pairs(images[:SHEET], nearest, 8), NEAREST_SIDE, 8, out / "nearest.jpg")
    about = {"distance": "LPIPS (AlexNet)", "candidates": cfg.nearest.candidates, "mirrored": pictures.mirrored}
    return report | {"nearest": about | compare(found.distances[: len(real)], neighbours(real).distances)}


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    with ending_in_one_line():
        report = json.dumps(evaluate(cfg, HydraConfig.get().runtime.choices["domain"]), indent=2)
        write_atomic(expanded(cfg.out) / "evaluation.json", report + "\n")
        print(report)


if __name__ == "__main__":
    main()
