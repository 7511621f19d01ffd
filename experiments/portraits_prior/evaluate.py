"""Measure the portraits prior on portraits it was not trained on, beside an untrained generator and real portraits.

    python experiments/portraits_prior/evaluate.py            # the shipped weights; writes evaluation.json
    python experiments/portraits_prior/evaluate.py --weights outputs/portraits_prior/portraits-128.safetensors --quick

Precision and recall need the SqueezeNet 1.1 backbone of torchvision in TORCH_HOME; without it they are omitted.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import make_grid, save_image
from tqdm import tqdm

from multimodal_pulse.domains.portraits.prior import WEIGHTS
from multimodal_pulse.domains.portraits.renderer import render, render_seeds, sample_factors, split_seeds
from multimodal_pulse.generator import Generator, load_generator, untrained
from multimodal_pulse.metrics.manifold import NEIGHBOURS, Manifold, features, squeezenet

HERE = Path(__file__).parent
BATCH = 25
Source = Callable[[range], Tensor]  # indices -> images [N, 3, R, R] in [0, 1]


def generated(generator: Generator) -> Source:
    """A source of generated images: truncation 1, fresh noise; image i depends on i alone."""

    @torch.no_grad()
    def images(indices: range) -> Tensor:
        z = torch.stack([torch.randn(generator.z_dim, generator=torch.Generator().manual_seed(i)) for i in indices])
        return generator.synthesis(generator.mapping(z), fresh_noise(generator, indices)).clamp(0, 1)

    return images


def fresh_noise(generator: Generator, indices: range) -> list[Tensor]:
    streams = [torch.Generator().manual_seed(1_000_000 + i) for i in indices]
    return [
        torch.stack([torch.randn(1, r, r, generator=stream) for stream in streams]) for r in generator.noise_resolutions
    ]


def rendered(split: str) -> Source:
    return lambda indices: render_seeds(list(split_seeds(split, len(indices), indices.start)))


def batches(count: int) -> Iterator[range]:
    for first in range(0, count, BATCH):
        yield range(first, min(first + BATCH, count))


def pictures(source: Source, count: int) -> Iterator[Tensor]:
    """Makes the first `count` images of a source, in batches, with a progress bar."""
    return (source(indices) for indices in tqdm(list(batches(count)), desc="features", leave=False))


def invert(generator: Generator, targets: Tensor, steps: int) -> Tensor:
    """Computes the PSNR [N] in dB of the best of `steps` Adam steps in W+, from the mean, with constant noise maps."""
    mean = generator.network.mapping.w_avg
    w_plus = mean.repeat(len(targets), generator.num_ws, 1).clone().requires_grad_()
    optimizer = torch.optim.Adam([w_plus], lr=0.05)
    best = torch.full((len(targets),), float("inf"))
    for step in tqdm(range(steps), desc="inversion", leave=False):
        optimizer.param_groups[0]["lr"] = 0.05 * min(1.0, 2 * (1 - step / steps))
        images = generator.synthesis(w_plus)
        optimizer.zero_grad()
        (images - targets).square().mean(dim=(1, 2, 3)).sum().backward()
        optimizer.step()
        best = torch.minimum(best, (images.detach().clamp(0, 1) - targets).square().mean(dim=(1, 2, 3)))
    return -10 * best.log10()


def detail_energy(count: int) -> Tensor:
    """Computes the mean square of the detail per portrait: half that of the difference of two detail seeds."""
    seeds = list(split_seeds("test", count))
    factors = sample_factors(seeds)
    first, second = render(factors, seeds), render(factors, [seed + 1 for seed in seeds])
    return (first - second).square().mean(dim=(1, 2, 3)) / 2


@torch.no_grad()
def noise_effect(generator: Generator, latents: int = 16, draws: int = 16) -> float:
    """Computes the standard deviation by fresh noise maps, in grey levels, as a mean over pixels and latents."""
    deviations = []
    for index in range(latents):
        w_plus = generator.mapping(torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(index)))
        maps = fresh_noise(generator, range(index * draws, (index + 1) * draws))
        images = (generator.synthesis(w_plus.expand(draws, -1, -1), maps).clamp(0, 1) * 255).round()
        deviations.append(images.std(dim=0).mean())
    return torch.stack(deviations).mean().item()


def contact_sheet(generator: Generator, path: Path) -> None:
    """Draws the contact sheet. Left: generated, seeds 0 to 31, truncation 1. Right: 32 test portraits."""
    left = make_grid(generated(generator)(range(32)), nrow=4, padding=2, pad_value=1)
    right = make_grid(rendered("test")(range(32)), nrow=4, padding=2, pad_value=1)
    save_image(torch.cat([left, F.pad(right, (16, 0, 0, 0), value=1.0)], dim=2), path)


def share(manifold: Manifold, others: Manifold) -> float:
    """Computes the share of pictures that lie in the manifold of the others."""
    return round(manifold.covers(others.features).float().mean().item(), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of evaluation.json and the contact sheet")
    parser.add_argument("--quick", action="store_true", help="500 portraits and 8 inversions of 200 steps")
    args = parser.parse_args()
    count, inversions, steps = (500, 8, 200) if args.quick else (2000, 32, 500)

    trained, random = load_generator(args.weights), untrained()
    report: dict = {"weights_sha256": trained.sha256, "portraits": count, "neighbours": NEIGHBOURS}
    contact_sheet(trained, args.out / "contact_sheet.png")
    report["noise_grey_levels"] = round(noise_effect(trained), 2)
    targets = rendered("test")(range(inversions))
    for name, generator in {"trained": trained, "untrained": random}.items():
        psnr = invert(generator, targets, steps)
        report[f"inversion_{name}"] = {
            "psnr_median": round(psnr.median().item(), 2),
            "steps": steps,
            "count": inversions,
        }
        if name == "trained":
            share = detail_energy(inversions) / 10 ** (-psnr / 10)
            report["inversion_trained"]["random_detail_to_residual"] = round(share.median().item(), 2)
    try:
        backbone = squeezenet()
    except OSError as error:
        print(f"precision and recall are left out: no SqueezeNet 1.1 weights in TORCH_HOME ({error})")
    else:
        real = Manifold(features(pictures(rendered("test"), count), backbone))
        sources = {"trained": generated(trained), "untrained": generated(random)}
        sources["real_against_real"] = rendered("validation")
        for name, source in sources.items():
            other = Manifold(features(pictures(source, count), backbone))
            report[name] = {"precision": share(real, other), "recall": share(other, real)}
    (args.out / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
