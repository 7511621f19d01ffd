"""The search with every mechanism off, written down as a plain PyTorch loop: no Lightning, no module of the search."""

from functools import partial

import torch
import torch.nn.functional as F
from pytorch_optimizer import Ranger21
from torch import Tensor

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.generator import Generator
from multimodal_pulse.generator.statistics import WStatistics

ranger21 = partial(Ranger21, num_iterations=30, lr=0.4, weight_decay=0.0)
adam = partial(torch.optim.Adam, lr=0.4)


def plain_loop(
    generator: Generator,
    statistics: WStatistics,
    degradation: Bicubic,
    targets: Tensor,
    initial: Tensor,
    make_optimizer,
    steps: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """targets [B, 3, h, w], initial latents [B, num_ws, w_dim] -> best latents, their images, fidelity [steps, B]."""
    latents = [torch.nn.Parameter(latent.clone()) for latent in initial]
    radii = (initial.pow(2).sum(2, keepdim=True) + 1e-9).sqrt()
    optimizer = make_optimizer(latents)
    trace = []
    best_fidelity, best_latent = torch.full([len(initial)], torch.inf), initial.clone()
    for _ in range(steps):
        latent = torch.stack(latents)
        w_plus = F.leaky_relu(latent * statistics.std + statistics.mean, 0.2)
        images = generator.synthesis(w_plus)
        fidelity = (degradation(images) - targets).pow(2).mean((1, 2, 3))

        x, y = w_plus.unsqueeze(2), w_plus.unsqueeze(1)
        numerator = ((x - y).pow(2).sum(-1) + 1e-9).sqrt()
        denominator = ((x + y).pow(2).sum(-1) + 1e-9).sqrt()
        angle = 2 * torch.atan2(numerator, denominator)
        geodesic = angle.pow(2).mean((1, 2)) * (w_plus.shape[2] / 8)
        loss = 405 * fidelity.sum() + 0.058 * geodesic.sum()

        trace.append(fidelity.detach())
        for k in range(len(initial)):
            if fidelity[k] < best_fidelity[k]:
                best_fidelity[k], best_latent[k] = fidelity[k].detach(), latent[k].detach()

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            stacked = torch.stack(latents)
            norms = (stacked.pow(2).sum(2, keepdim=True) + 1e-9).sqrt()
            for parameter, projected in zip(latents, stacked * (radii / norms), strict=True):
                parameter.copy_(projected)
    with torch.no_grad():
        images = generator.synthesis(F.leaky_relu(best_latent * statistics.std + statistics.mean, 0.2))
    return best_latent, images.clamp(0, 1), torch.stack(trace)
