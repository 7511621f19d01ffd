"""Train the aligner: two small networks that find the frames of faces, on aligned portraits placed at random.

    python experiments/aligner/train.py --network detector    # the same command resumes
    python experiments/aligner/train.py --network refiner
    python experiments/aligner/train.py --pack                # both as one file of the package

Step i sees the same scenes whenever it is made, so that a run that was stopped goes on as if it had not been.
"""

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scenes import Portraits, close_scenes, wide_scenes
from torch import Tensor, nn
from tqdm import tqdm

from multimodal_pulse.domains.faces.aligner import WEIGHTS
from multimodal_pulse.domains.faces.networks import MARGIN, STRIDE, UNIT, VIEW, Aligner, Detector, Refiner, places

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "experiments" / "prior_training"))
from photographs import Photographs  # noqa: E402

BATCH, RATE, DECAY = 32, 3e-3, 1e-4  # RATE falls to 0 along half a cosine
WIDE = 96  # side of a scene of the detector in pixels
NEAR, IGNORED = 0.15, 0.4  # a place within 0.15 sides of a centre is positive, one within 0.4 neither
STEPS = {"detector": 2200, "refiner": 5000}
SAVE_EVERY = 60  # seconds
SEED = 0


class DetectorTask(nn.Module):
    """The loss of the detector."""

    def __init__(self, portraits: Portraits):
        super().__init__()
        self.network, self.portraits = Detector(), portraits

    def loss(self, rng: torch.Generator) -> dict[str, Tensor]:
        pictures, faces = wide_scenes(self.portraits, BATCH, WIDE, rng)
        out = self.network(pictures)
        where = places(*out.shape[-2:])
        way = faces[:, :, None, None, :2] - where[None, None]  # [B, faces, h, w, 2]
        side = faces[:, :, None, None, 2].clamp(min=1)
        distance = way.square().sum(dim=-1).sqrt()
        counted, ignored = (faces[:, :, None, None, 4] == value for value in (1, -1))
        nearest = distance <= distance.amin(dim=(2, 3), keepdim=True) + 1e-3
        positive = counted & ((distance < NEAR * side) | nearest)
        neither = (counted | ignored) & (distance < IGNORED * side)
        target, skipped = positive.any(dim=1), neither.any(dim=1)
        logits = out[:, 0]
        probability = logits.sigmoid()
        wrong = torch.where(target, 1 - probability, probability)
        each = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none") * wrong**2
        number = target.sum().clamp(min=1)
        score = (each * (target | ~skipped)).sum() / number

        # Each place near a centre tells of the face that is nearest to it, in sides.
        relative = torch.where(counted, distance / side, torch.inf)
        told, face = relative.min(dim=1)
        b, i, j = (told < 0.3).nonzero(as_tuple=True)
        x, y, true_side, roll, _ = faces[b, face[b, i, j]].T
        guess, centre = out[b, :, i, j], where[i, j]
        true = torch.stack([(x - centre[:, 0]) / STRIDE, (y - centre[:, 1]) / STRIDE, (true_side / UNIT).log()], dim=1)
        turned = torch.stack([roll.cos(), roll.sin()], dim=1)
        return {
            "score": score,
            "place": F.smooth_l1_loss(guess[:, 1:3], true[:, :2], beta=0.3),
            "scale": 2 * F.smooth_l1_loss(guess[:, 3], true[:, 2], beta=0.1),
            "roll": 2 * F.smooth_l1_loss(guess[:, 4:], turned, beta=0.1),
        }


class RefinerTask(nn.Module):
    """The loss of the refiner."""

    def __init__(self, portraits: Portraits):
        super().__init__()
        self.network, self.portraits = Refiner(), portraits

    def loss(self, rng: torch.Generator) -> dict[str, Tensor]:
        pictures, true = close_scenes(self.portraits, BATCH, VIEW, VIEW / MARGIN, rng)
        guess = self.network(pictures)
        shown = true[:, 4] > 0
        error = F.smooth_l1_loss(guess[shown, :4], true[shown, :4], beta=0.02, reduction="none").mean(dim=0)
        place, scale, roll = error[:2].sum(), error[2], error[3]
        face = 0.1 * F.binary_cross_entropy_with_logits(guess[:, 4], true[:, 4])
        return {"place": 4 * place, "scale": 2 * scale, "roll": 2 * roll, "face": face}


TASKS = {"detector": DetectorTask, "refiner": RefinerTask}


def train(name: str, folder: Path, steps: int) -> None:
    """Trains one network to `steps` steps; what a continuation needs is in `<folder>/<name>.pt`."""
    torch.manual_seed(SEED)
    task = TASKS[name](Portraits(Photographs(128).trained_on()))
    network, file = task.network, folder / f"{name}.pt"
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    begun, seconds = 0, 0.0
    if file.exists():
        state = torch.load(file, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        begun, seconds = state["steps"], state["seconds"]
    saved, counted, means = time.monotonic(), time.process_time(), {}
    bar = tqdm(range(begun, steps), initial=begun, total=steps, unit="step", smoothing=0.02)
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((step + 1) / 100, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        losses = task.loss(torch.Generator().manual_seed(SEED * 10**9 + step))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        for key, value in losses.items():
            means[key] = means.get(key, value.item()) * 0.99 + 0.01 * value.item()
        if time.monotonic() - saved > SAVE_EVERY or step + 1 == steps:
            seconds, counted = seconds + time.process_time() - counted, time.process_time()
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "steps": step + 1, "seconds": seconds}, folder / f"{name}.tmp")
            os.replace(folder / f"{name}.tmp", file)
            line = {"steps": step + 1, "processor_seconds": round(seconds)}
            with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps({**line, **{key: round(value, 4) for key, value in means.items()}}) + "\n")
            saved = time.monotonic()


def pack(folder: Path, file: Path) -> None:
    """Writes both networks, in float16, as the file of the package."""
    aligner = Aligner()
    for name in TASKS:
        state = torch.load(folder / f"{name}.pt", weights_only=True)
        getattr(aligner, name).load_state_dict(state["network"])
        print(f"{name}: {state['steps']} steps, {state['seconds']:.0f} processor seconds")
    tensors = {key: value.half() for key, value in aligner.state_dict().items() if value.is_floating_point()}
    save_file({key: value.contiguous() for key, value in tensors.items()}, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=sorted(TASKS))
    parser.add_argument("--pack", action="store_true", help="write the file of the package from both networks")
    parser.add_argument("--folder", type=Path, default=Path("outputs/aligner"), help="what is kept between runs")
    parser.add_argument("--steps", type=int, help="default: 2200 for the detector, 5000 for the refiner")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.network:
        train(args.network, args.folder, args.steps or STEPS[args.network])
    if args.pack:
        pack(args.folder, WEIGHTS)


if __name__ == "__main__":
    main()
