"""Outcomes of a search with a generator of a few lines, and their folders."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.generator import Space
from multimodal_pulse.metrics import NullLpips, evaluate
from multimodal_pulse.references.base import degraded
from multimodal_pulse.results.pictures.grid import Words, caption, grid, pages
from multimodal_pulse.results.pictures.redraw import Renderer
from multimodal_pulse.results.pictures.verdict import Verdict
from multimodal_pulse.results.records import ReferenceFolders
from multimodal_pulse.search.consistency import NoConsistency
from multimodal_pulse.search.outcome import Outcome, round_samples

DEGRADATION = Bicubic(4)
ABSENT = NullLpips("alex", "not there")
K = 2
EXACT = {"_target_": "multimodal_pulse.search.ExactConsistency", "rounds": 50}
SETTINGS = {"method": "masked_lr_noise", "seed": 7, "consistency": EXACT}


class TinyGenerator:
    """16 x 16 pictures from [N, 2, 3] latents and two noise maps, a different part of the picture from each."""

    sha256 = "abc"

    def synthesis(self, w_plus: Tensor, noise_maps: Sequence[Tensor] | None = None) -> Tensor:
        rows = torch.linspace(0, 1, 16).reshape(1, 1, 16, 1)
        columns = torch.linspace(-1, 1, 16).reshape(1, 1, 1, 16)
        images = 0.5 + 0.3 * w_plus[:, 0, :, None, None] * rows + 0.3 * w_plus[:, 1, :, None, None] * columns
        if noise_maps is not None:
            images = images + noise_maps[0].repeat_interleave(4, -1).repeat_interleave(4, -2) + 0.1 * noise_maps[1]
        return images


def find(name: str = "face", consistency=None, noise: bool = True, lr_noise: bool = True) -> Outcome:
    """What a search with the tiny generator might hand over; `noise` is in its synthesis, `lr_noise` on its targets."""
    generator = torch.Generator().manual_seed(0)
    reference = degraded(name, torch.rand(3, 16, 16, generator=generator), DEGRADATION)
    latents = {"w_plus": torch.randn(K, 2, 3, generator=generator)}
    maps = [0.1 * torch.randn(1, 1, 4, 4, generator=generator), torch.randn(K, 1, 16, 16, generator=generator)]
    images = TinyGenerator().synthesis(latents["w_plus"], maps if noise else None)
    if noise:
        latents |= {"noise.0": maps[0], "noise.1": maps[1]}
    mask = torch.eye(4)[None]
    exact = (consistency or NoConsistency())(images, reference.lr, DEGRADATION)
    samples, lr_before_rounding = round_samples(exact, DEGRADATION)
    return Outcome(
        reference=reference,
        targets=reference.lr + lr_noise * 0.3 * mask * torch.randn(K, 3, 4, 4, generator=generator),
        mask=mask,
        samples=samples,
        lr_found=DEGRADATION(images.clamp(0, 1)),
        lr_before_rounding=lr_before_rounding,
        latents=latents,
        fidelity_trace=torch.ones(3, K),
        best_step=[1, 2],
        steps=3,
        seconds=1.0,
    )


def shown(found: Outcome) -> tuple:
    """What `grid` and `pages` get of an outcome."""
    verdicts = [Verdict(sample.lr_psnr) for sample in evaluate(found, DEGRADATION, ABSENT).records]
    return found.reference, found.targets, found.mask, found.samples, DEGRADATION, verdicts


def drawn(found: Outcome, words: str = "") -> Image.Image:
    """The grid of an outcome, as a run draws it."""
    return grid(*shown(found), Words(words))


def write(run_dir: Path, found: Outcome, weights_sha256: str | None = "abc") -> Path:
    scores, downsampled = evaluate(found, DEGRADATION, ABSENT), DEGRADATION(found.samples)
    pictures = pages(*shown(found), Words(caption(SETTINGS, found.steps), exact=True))
    folders = ReferenceFolders(run_dir, SETTINGS, ABSENT.state, weights_sha256)
    return folders.write(found, scores, downsampled, pictures)


def renderer(settings: object) -> Renderer:
    return Renderer(TinyGenerator(), Space, DEGRADATION, NoConsistency())
