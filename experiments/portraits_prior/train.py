"""Train the portraits prior: a StyleGAN2 against a discriminator, on rendered portraits, growing from 32 to 128 pixels.

    python experiments/portraits_prior/train.py                       # the shipped recipe
    python experiments/portraits_prior/train.py --folder elsewhere    # another folder; the same command resumes

It uses the non-saturating loss, lazy R1, style mixing and a moving average of the weights, as in Karras et al. 2020.
The training is resumable from `<folder>/resume.pt` (under 16 MB: Adam's first moment is not used, and its second one
is kept in bfloat16). A kill loses the work since the last save.
"""

import argparse
import copy
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from dataset import RenderedPortraits
from discriminator import Discriminator
from torch import Tensor, nn
from torchvision.utils import save_image
from tqdm import tqdm

from multimodal_pulse.generator import Architecture, StyleGAN2, save_generator


@dataclass(frozen=True)
class Stage:
    """One resolution of the training."""

    resolution: int
    until: float  # images seen by the discriminator, counted from the start of the whole training
    batch: int
    learning_rate: float  # learning rate of Adam for both networks, before the final fall
    r1_weight: float  # gamma: (gamma / 2) |grad D(real)|^2


STAGES = (
    Stage(resolution=32, until=60_000, batch=32, learning_rate=2.5e-3, r1_weight=0.1),
    Stage(resolution=64, until=132_600, batch=16, learning_rate=2.5e-3, r1_weight=0.2),
    Stage(resolution=128, until=math.inf, batch=16, learning_rate=2.0e-3, r1_weight=0.3),
)
IMAGES = 350_000  # images seen in the whole training
Z_DIM = W_DIM = 128
MAPPING_LAYERS = 4
CHANNEL_BASE, CHANNEL_MAX = 2048, 128
PORTRAITS = 24_000  # number of different renders
MIXING = 0.5  # share of images made from two latents
NOISE_STRENGTH = 0.1  # initial noise strength of the two highest blocks after growing
FADE = 10_000  # images over which a new resolution is blended in
R1_INTERVAL = 16  # steps between two penalties
COOLING = 80_000  # images at the end over which the learning rate falls to COOLED of what it was
COOLED = 0.1
EMA_HALF_LIFE = 10_000  # images; shorter at the beginning: a twentieth of what was seen
SHEET_EVERY = 10_000  # images
SAVE_EVERY = 180  # seconds


class Training:
    """The networks, optimisers and counters at one stage; they can be saved, restored and grown."""

    def __init__(self, stage: Stage, seed: int):
        self.stage = stage
        self.images = 0  # images seen so far
        self.stage_start = 0
        self.seconds = 0.0
        torch.manual_seed(seed)
        architecture = Architecture(stage.resolution, Z_DIM, W_DIM, MAPPING_LAYERS, CHANNEL_BASE, CHANNEL_MAX)
        self.generator = StyleGAN2(architecture).to(memory_format=torch.channels_last)
        self.discriminator = Discriminator(stage.resolution, CHANNEL_BASE, CHANNEL_MAX)
        self.discriminator.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        # beta1 = 0: no momentum, the usual choice for adversarial training.
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), stage.learning_rate, (0.0, 0.99))
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), stage.learning_rate, (0.0, 0.99))

    def state(self) -> dict:
        return {
            "stage": STAGES.index(self.stage),
            "images": self.images,
            "stage_start": self.stage_start,
            "seconds": self.seconds,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": {name: tensor.half() for name, tensor in self.average.state_dict().items()},
            "moments_g": second_moments(self.generator, self.optimizer_g),
            "moments_d": second_moments(self.discriminator, self.optimizer_d),
        }

    def restore(self, state: dict) -> None:
        """Loads `state`; parameters of a new resolution, which it lacks, keep their initial values."""
        self.images, self.seconds = state["images"], state["seconds"]
        self.stage_start = state["stage_start"]
        self.generator.load_state_dict(state["generator"], strict=False)
        self.discriminator.load_state_dict(state["discriminator"], strict=False)
        self.average.load_state_dict(self.generator.state_dict())
        self.average.load_state_dict({k: v.float() for k, v in state["average"].items()}, strict=False)
        restore_moments(self.generator, self.optimizer_g, state["moments_g"])
        restore_moments(self.discriminator, self.optimizer_d, state["moments_d"])

    def grow(self, stage: Stage, seed: int) -> "Training":
        """Returns the same training at the next resolution; the new ToRGB is zero, so images are unchanged at first.

        Noise strengths grow slowly from zero, and low resolutions have little fine detail to learn them from; those of
        the two highest blocks are set to `NOISE_STRENGTH`.
        """
        grown = Training(stage, seed)
        highest = grown.generator.synthesis.blocks[-2:]
        nn.init.zeros_(highest[1].torgb.weight)
        grown.restore(self.state())
        for layer in highest[0].layers + highest[1].layers:
            nn.init.constant_(layer.noise_strength, NOISE_STRENGTH)
        grown.stage_start = self.images
        return grown


def cool(training: Training, remaining: int) -> None:
    """Sets the learning rates for the next step, `remaining` images before the end.

    With small batches the weights oscillate; a linear fall of the learning rate at the end lets them converge.
    """
    rate = training.stage.learning_rate * max(COOLED, min(1.0, remaining / COOLING))
    for optimizer in (training.optimizer_g, training.optimizer_d):
        optimizer.param_groups[0]["lr"] = rate


def second_moments(network: nn.Module, optimizer: torch.optim.Adam) -> dict:
    moments = {}
    for name, parameter in network.named_parameters():
        if parameter in optimizer.state:
            state = optimizer.state[parameter]
            moments[name] = (float(state["step"]), state["exp_avg_sq"].bfloat16())
    return moments


def restore_moments(network: nn.Module, optimizer: torch.optim.Adam, moments: dict) -> None:
    for name, parameter in network.named_parameters():
        if name in moments:
            step, second = moments[name]
            optimizer.state[parameter] = {
                "step": torch.tensor(step),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": second.float().to(memory_format=torch.preserve_format).reshape(parameter.shape),
            }


def sample(network: StyleGAN2, batch: int) -> Tensor:
    """Draws images [batch, 3, R, R] in [-1, 1], some made from two latents (style mixing), all with fresh noise."""
    architecture = network.architecture
    w = network.mapping(torch.randn(2 * batch, Z_DIM))
    network.mapping.w_avg.lerp_(w.detach().float().mean(dim=0), 0.002)
    first, second = w[:, None].expand(-1, architecture.num_ws, -1).chunk(2)
    crossover = torch.randint(1, architecture.num_ws, (batch,))
    crossover[torch.rand(batch) >= MIXING] = architecture.num_ws
    from_second = torch.arange(architecture.num_ws) >= crossover[:, None]
    w_plus = torch.where(from_second[:, :, None], second, first)
    return network.synthesis(w_plus, [torch.randn(batch, 1, r, r) for r in architecture.noise_resolutions])


def train_step(training: Training, real: Tensor, step: int) -> tuple[float, float]:
    """Updates each network once; returns the mean logits of real and of generated images."""
    generator, discriminator, batch = training.generator, training.discriminator, len(real)
    fade = min(1.0, (training.images - training.stage_start) / FADE) if training.stage_start else 1.0

    with torch.autocast("cpu", torch.bfloat16):
        fake = sample(generator, batch)  # used in both updates
        real_logits, fake_logits = discriminator(real, fade), discriminator(fake.detach(), fade)
    loss = F.softplus(fake_logits.float()).mean() + F.softplus(-real_logits.float()).mean()
    training.optimizer_d.zero_grad()
    loss.backward()
    if step % R1_INTERVAL == 0:  # in float32: it is a second derivative
        real = real.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(real, fade).sum(), real, create_graph=True)
        penalty = gradient.square().sum(dim=(1, 2, 3)).mean()
        (penalty * (training.stage.r1_weight / 2 * R1_INTERVAL)).backward()
    training.optimizer_d.step()

    discriminator.requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        logits = discriminator(fake, fade)
    training.optimizer_g.zero_grad()
    F.softplus(-logits.float()).mean().backward()
    training.optimizer_g.step()
    discriminator.requires_grad_(True)

    training.images += batch
    half_life = min(EMA_HALF_LIFE, 0.05 * training.images)
    decay = 0.5 ** (batch / half_life)
    with torch.no_grad():
        averages = [*training.average.parameters(), training.average.mapping.w_avg]
        torch._foreach_lerp_(averages, [*generator.parameters(), generator.mapping.w_avg], 1 - decay)
    return real_logits.detach().mean().item(), fake_logits.detach().mean().item()


@torch.no_grad()
def sample_sheet(network: StyleGAN2, path: Path) -> None:
    """Writes a picture of 32 generated portraits, seeds 0 to 31, truncation 1."""
    z = torch.stack([torch.randn(Z_DIM, generator=torch.Generator().manual_seed(seed)) for seed in range(32)])
    w_plus = network.mapping(z)[:, None].expand(-1, network.architecture.num_ws, -1)
    rng = torch.Generator().manual_seed(0)
    noise = [torch.randn(32, 1, r, r, generator=rng) for r in network.architecture.noise_resolutions]
    save_image(((network.synthesis(w_plus, noise) + 1) / 2).clamp(0, 1), path, nrow=8)


def save(training: Training, folder: Path) -> None:
    temporary = folder / "resume.pt.tmp"
    torch.save(training.state(), temporary)
    os.replace(temporary, folder / "resume.pt")
    save_generator(training.average, folder / f"portraits-{training.stage.resolution}.safetensors")


def start(folder: Path, seed: int) -> Training:
    """Resumes from the resume file, or starts from the beginning."""
    resume = folder / "resume.pt"
    if not resume.exists():
        return Training(STAGES[0], seed)
    state = torch.load(resume, weights_only=True)
    training = Training(STAGES[state["stage"]], seed + state["images"])
    training.restore(state)
    return training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, default=Path("outputs/portraits_prior"), help="folder from which it resumes"
    )
    parser.add_argument("--portraits", type=int, default=PORTRAITS, help="number of different renders to train on")
    parser.add_argument("--images", type=int, default=IMAGES, help="number of images after which training stops")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    args.folder.mkdir(parents=True, exist_ok=True)
    dataset = RenderedPortraits(args.folder / "portraits.u8", args.portraits, STAGES[-1].resolution)
    training = start(args.folder, args.seed)
    rng = torch.Generator().manual_seed(args.seed + training.images)
    step, last_save = 0, time.monotonic()
    bar = tqdm(total=args.images, initial=training.images, unit="image", smoothing=0.02)
    log = (args.folder / "log.jsonl").open("a")
    while training.images < args.images:
        if training.images >= training.stage.until:
            training = training.grow(STAGES[STAGES.index(training.stage) + 1], args.seed + training.images)
        began = time.monotonic()
        stage, seen = training.stage, training.images
        real = dataset.batch(stage.batch, stage.resolution, rng)
        cool(training, remaining=args.images - training.images)
        logits = train_step(training, real, step)
        training.seconds += time.monotonic() - began
        step += 1
        bar.update(training.images - seen)
        if step % 50 == 0:
            strengths = [layer.noise_strength.item() for layer in training.generator.synthesis.layers]
            record = {"images": training.images, "resolution": stage.resolution, "seconds": round(training.seconds)}
            record |= {"real": logits[0], "fake": logits[1], "noise": [round(strength, 3) for strength in strengths]}
            log.write(json.dumps(record) + "\n")
            log.flush()
            bar.set_postfix_str(f"{stage.resolution} px, logits real {logits[0]:+.2f} fake {logits[1]:+.2f}")
        if training.images // SHEET_EVERY > seen // SHEET_EVERY:
            sample_sheet(training.average, args.folder / f"sheet-{training.images // 1000:04d}k.png")
        if time.monotonic() - last_save > SAVE_EVERY or training.images >= args.images:
            save(training, args.folder)
            last_save = time.monotonic()
    bar.close()


if __name__ == "__main__":
    main()
