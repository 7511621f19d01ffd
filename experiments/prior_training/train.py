"""Train a prior of real faces: from the portraits prior, against a projected and a pixel discriminator together.

    python experiments/prior_training/train.py --folder outputs/faces_prior    # 64 x 64; the same command resumes

The projected discriminator teaches what faces look like within minutes; alone it lets them melt (ears, mouths), which
the portraits' own discriminator, on pixels, corrects. Hinge and logistic losses, lazy R1, style mixing, DiffAugment for
both, a moving average of the weights. Everything a continuation needs is in `<folder>/resume.pt`.
"""

import argparse
import copy
import json
import os
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from photographs import Photographs
from projected import ProjectedDiscriminator, augment, frozen_features
from torch import Tensor, nn
from torchvision.utils import save_image
from tqdm import tqdm

from multimodal_pulse.domains.portraits.prior import WEIGHTS
from multimodal_pulse.generator import Architecture, StyleGAN2, load_generator, save_generator
from multimodal_pulse.metrics.manifold import Manifold, features

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
sys.path.append(str(ROOT / "experiments" / "portraits_prior"))
from discriminator import Discriminator  # noqa: E402

Z_DIM, CHANNEL_BASE, CHANNEL_MAX = 128, 2048, 128  # the portraits prior's
BATCH = 16
RATE = 1e-3  # of Adam, all networks
MIXING = 0.5  # share of images made from two latents
R1_WEIGHT, R1_INTERVAL = 0.3, 16
EMA_HALF_LIFE = 10_000  # images
PROJECTION_SIZE = 128  # side of what the frozen backbone sees
EVALUATE_EVERY, SAVE_EVERY = 10_000, 180  # images, seconds


class Training(nn.Module):
    """The networks and their optimisers."""

    def __init__(self, resolution: int):
        super().__init__()
        architecture = Architecture(resolution, Z_DIM, Z_DIM, 4, CHANNEL_BASE, CHANNEL_MAX)
        self.generator = StyleGAN2(architecture).to(memory_format=torch.channels_last)
        start = load_generator(WEIGHTS).network.state_dict()
        known = self.generator.state_dict().keys()
        self.generator.load_state_dict({k: v for k, v in start.items() if k in known}, strict=False)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.projected = ProjectedDiscriminator(PROJECTION_SIZE, SHARED / "lpips").to(memory_format=torch.channels_last)
        self.pixel = Discriminator(resolution, CHANNEL_BASE, CHANNEL_MAX).to(memory_format=torch.channels_last)
        self.moved = {"generator": self.generator, "heads": self.projected.heads, "pixel": self.pixel}
        self.optimizers = {k: torch.optim.Adam(v.parameters(), RATE, (0.0, 0.99)) for k, v in self.moved.items()}
        self.images, self.steps, self.seconds = 0, 0, 0.0

    def state(self) -> dict:
        networks = {"average": self.average, **self.moved}
        return {
            **{name: network.state_dict() for name, network in networks.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "counters": [self.images, self.steps, self.seconds],
        }

    def restore(self, state: dict) -> None:
        for name, network in {"average": self.average, **self.moved}.items():
            network.load_state_dict({key: value.float() for key, value in state[name].items()})
        for name, optimizer in self.optimizers.items():
            if name in state.get("optimizers", {}):
                optimizer.load_state_dict(state["optimizers"][name])
        self.images, self.steps, self.seconds = state["counters"]

    def sample(self, size: int) -> Tensor:
        """Random images [size, 3, R, R] in [-1, 1], some made from two latents, all with fresh noise maps."""
        a = self.generator.architecture
        w = self.generator.mapping(torch.randn(2 * size, Z_DIM))
        self.generator.mapping.w_avg.lerp_(w.detach().float().mean(dim=0), 0.002)
        first, second = w[:, None].expand(-1, a.num_ws, -1).chunk(2)
        crossover = torch.randint(1, a.num_ws, (size,))
        crossover[torch.rand(size) >= MIXING] = a.num_ws
        w_plus = torch.where((torch.arange(a.num_ws) >= crossover[:, None])[:, :, None], second, first)
        return self.generator.synthesis(w_plus, [torch.randn(size, 1, r, r) for r in a.noise_resolutions])

    def step(self, real: Tensor) -> None:
        """Updates both discriminators, then the generator, then its moving average."""
        with torch.autocast("cpu", torch.bfloat16):
            fake_seen, real_seen = augment(self.sample(len(real)).float()), augment(real)
            fake_features = self.projected.project(fake_seen)
            with torch.no_grad():
                real_features = self.projected.project(real_seen)
            real_logits = self.projected.judge(real_features)
            fake_logits = self.projected.judge([x.detach() for x in fake_features])
            real_pixel, fake_pixel = self.pixel(real_seen).float(), self.pixel(fake_seen.detach()).float()
        loss = F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()
        loss = loss + F.softplus(-real_pixel).mean() + F.softplus(fake_pixel).mean()
        critics = (self.optimizers["heads"], self.optimizers["pixel"])
        for optimizer in critics:
            optimizer.zero_grad()
        loss.backward()
        if self.steps % R1_INTERVAL == 0:
            shown = real_seen.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.pixel(shown).sum(), shown, create_graph=True)
            (gradient.square().sum(dim=(1, 2, 3)).mean() * (R1_WEIGHT / 2 * R1_INTERVAL)).backward()
        for optimizer in critics:
            optimizer.step()

        self._freeze_critics(True)
        with torch.autocast("cpu", torch.bfloat16):
            logits, pixel = self.projected.judge(fake_features), self.pixel(fake_seen).float()
        self.optimizers["generator"].zero_grad()
        (F.softplus(-pixel).mean() - logits.mean()).backward()
        self.optimizers["generator"].step()
        self._freeze_critics(False)

        self.images, self.steps = self.images + len(real), self.steps + 1
        with torch.no_grad():
            followers = [*self.average.parameters(), self.average.mapping.w_avg]
            leaders = [*self.generator.parameters(), self.generator.mapping.w_avg]
            torch._foreach_lerp_(followers, leaders, 1 - 0.5 ** (len(real) / EMA_HALF_LIFE))

    def _freeze_critics(self, frozen: bool) -> None:
        self.projected.heads.requires_grad_(not frozen)
        self.pixel.requires_grad_(not frozen)


@torch.no_grad()
def generate(network: StyleGAN2, count: int) -> Tensor:
    """Images of seeds 0 to count - 1, truncation 1: [count, 3, R, R] in [0, 1]."""
    images = []
    for first in range(0, count, 25):
        seeds = range(first, min(first + 25, count))
        z = torch.stack([torch.randn(Z_DIM, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        w_plus = network.mapping(z)[:, None].expand(-1, network.architecture.num_ws, -1)
        rng = torch.Generator().manual_seed(10**6 + first)
        noise = [torch.randn(len(z), 1, r, r, generator=rng) for r in network.architecture.noise_resolutions]
        images.append(network.synthesis(w_plus, noise))
    return ((torch.cat(images) + 1) / 2).clamp(0, 1)


def alexnet_features(backbone: nn.Module, images: Tensor) -> Tensor:
    """[N, 256]: AlexNet's last convolutions, averaged over the picture. No discriminator sees through them."""
    return features(F.interpolate(images, size=(128, 128), mode="bilinear").split(50), backbone).double()


def frechet(a: Tensor, b: Tensor) -> float:
    """Distance of two Gaussians (Heusel et al. 2017) fitted to features [N, D]."""
    first, second = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(first)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return ((a.mean(dim=0) - b.mean(dim=0)).square().sum() + first.trace() + second.trace() - 2 * cross).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("outputs/faces_prior"), help="what is kept between runs")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--images", type=int, default=1_000_000, help="stop after so many images")
    parser.add_argument("--start", type=Path, help="a state to begin from; default: the portraits prior")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    resume = args.folder / "resume.pt"

    training = Training(args.resolution)
    if (state := resume if resume.exists() else args.start) is not None:
        training.restore(torch.load(state, weights_only=True))
    torch.manual_seed(training.images)
    rng = torch.Generator().manual_seed(training.images)
    squeezenet, backbone = training.projected.backbone, frozen_features("alexnet", SHARED / "lpips")
    photographs = Photographs(SHARED / "photographs", args.resolution, squeezenet[:9])
    real = alexnet_features(backbone, photographs.kept_out_pictures())
    saved = time.monotonic()
    bar = tqdm(total=args.images, initial=training.images, unit="image", smoothing=0.02)
    while training.images < args.images:
        begun, seen = time.process_time(), training.images
        training.step(photographs.batch(BATCH, rng))
        training.seconds += time.process_time() - begun
        bar.update(training.images - seen)
        if training.images // EVALUATE_EVERY > seen // EVALUATE_EVERY:
            fake = alexnet_features(backbone, generate(training.average, len(real)))
            line = {"images": training.images, "processor_seconds": round(training.seconds)}
            line["frechet"] = round(frechet(real, fake), 1)
            line["precision"] = round(Manifold(real).covers(fake).double().mean().item(), 3)
            line["recall"] = round(Manifold(fake).covers(real).double().mean().item(), 3)
            with (args.folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            save_image(generate(training.average, 32), args.folder / f"sheet-{training.images // 1000:05d}k.png")
        if time.monotonic() - saved > SAVE_EVERY or training.images >= args.images:
            torch.save(training.state(), args.folder / "resume.tmp")
            os.replace(args.folder / "resume.tmp", resume)
            save_generator(training.average, args.folder / f"faces-{args.resolution}.safetensors")
            saved = time.monotonic()
    bar.close()


if __name__ == "__main__":
    main()
