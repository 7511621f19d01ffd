"""How near a generator comes to pictures that it was not trained on, and how much its noise maps change."""

from typing import Any

import torch
from figures import fresh_noise
from pictures import Pictures
from torch import Tensor

from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.generator import Generator


def invert(generator: Generator, targets: Tensor, steps: int) -> Tensor:
    """Returns the PSNR [N] in dB of the best of `steps` Adam steps in W+, from the mean, with constant noise maps.

    Args:
        generator: the generator.
        targets: [N, 3, R, R] in [0, 1].
        steps: of the optimiser, whose rate falls over the second half.
    """
    w_plus = generator.network.mapping.w_avg.repeat(len(targets), generator.num_ws, 1).requires_grad_()
    optimizer = torch.optim.Adam([w_plus], lr=0.05)
    best = torch.full((len(targets),), float("inf"))
    for step in progress_bar(iterable=range(steps), desc="inversion", unit="step", leave=False):
        optimizer.param_groups[0]["lr"] = 0.05 * min(1.0, 2 * (1 - step / steps))
        images = generator.synthesis(w_plus)
        optimizer.zero_grad()
        (images - targets).square().mean(dim=(1, 2, 3)).sum().backward()
        optimizer.step()
        best = torch.minimum(best, (images.detach().clamp(0, 1) - targets).square().mean(dim=(1, 2, 3)))
    return -10 * best.log10()


@torch.no_grad()
def noise_effect(generator: Generator, latents: int = 16, draws: int = 16) -> float:
    """Returns the standard deviation by fresh noise maps, in grey levels, as a mean over pixels and latents."""
    deviations = []
    for index in range(latents):
        z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(index))
        maps = fresh_noise(generator.network, range(index * draws, (index + 1) * draws))
        images = generator.synthesis(generator.mapping(z).expand(draws, -1, -1), maps)
        deviations.append((images.clamp(0, 1) * 255).round().std(dim=0).mean())
    return torch.stack(deviations).mean().item()


def inversion(generator: Generator, pictures: Pictures, real: Tensor, steps: int) -> dict[str, Any]:
    """Returns the median PSNR of inverted pictures, and how much of what is left no generator could know."""
    psnr = invert(generator, real, steps)
    report = {"psnr_median": round(psnr.median().item(), 2), "steps": steps, "count": len(real)}
    share = (pictures.detail_energy(len(real)) / 10 ** (-psnr / 10)).median()
    return report if share.isnan() else report | {"random_detail_to_residual": round(share.item(), 2)}
