"""A small network that reads the traits of portraits from pictures, trained on rendered portraits.

It is trained twice: on portraits, to read samples, and on their LR pictures, where it learns P(class | LR picture).

A sample with `consistency=exact` has the LR pixels of its reference, whatever the search has drawn. If it has left out
the glasses, their shade remains, as a smudge over the eyes without rims, which a reader of plain portraits takes for
glasses. Every second portrait is therefore shown with the LR pixels of its twin, which differs in wearing glasses or
none; it counts as what it was drawn with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm
from traits import TRAITS, classes_of

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.domains.portraits.renderer import FACTORS, render, sample_factors, split_seeds

RESOLUTION, FACTOR = 128, 8
SIDES = {"pictures": RESOLUTION // 2, "lr": RESOLUTION // FACTOR}
VIEWS = tuple(SIDES)
"""What a reader looks at: pictures at half their resolution, or LR pictures."""
SIZES = [len(trait.classes) for trait in TRAITS]
TRAIN, HELD_OUT, EPOCHS = 12_000, 4_000, 4
FIRST_HELD_OUT = 10_000
"""The first held-out validation portrait, after those that realism is measured with."""
_AT_ONCE, _BATCH = 200, 64
_GLASSES = [factor.name for factor in FACTORS].index("glasses")


@dataclass(frozen=True)
class Portraits:
    """N drawn portraits.

    Attributes:
        seen: what each reader sees of them, uint8 [N, 3, side, side], by view.
        classes: the class of each trait, int64 [N, traits].
        projected: bool [N]: which of them have the LR pixels of their twins, in the view "pictures" alone.
    """

    seen: Mapping[str, Tensor]
    classes: Tensor
    projected: Tensor


def halved(pictures: Tensor) -> Tensor:
    """Averages 2 x 2 pixels: the grain of a picture disappears, the rim of glasses does not."""
    return F.avg_pool2d(pictures, 2)


def in_8_bits(pictures: Tensor) -> Tensor:
    """Rounds pictures in [0, 1], which are clipped, to uint8."""
    return (255 * pictures.clamp(0, 1)).round().byte()


def portraits(split: str, count: int, start: int) -> Portraits:
    """Draws `count` portraits of a split, from number `start` on; every second one is projected."""
    degradation = Bicubic(FACTOR)
    seeds = split_seeds(split, count, start)
    factors = sample_factors(seeds)
    seen: dict[str, list[Tensor]] = {view: [] for view in VIEWS}
    for first in tqdm(range(0, count, _AT_ONCE), desc=f"drawing {split} portraits", leave=False):
        part, of_part = seeds[first : first + _AT_ONCE], factors[first : first + _AT_ONCE]
        drawn = render(of_part, part, RESOLUTION)
        lr = degradation(drawn)
        seen["lr"].append(in_8_bits(lr))
        of_twins = degradation(render(with_or_without_glasses(of_part[1::2]), part[1::2], RESOLUTION))
        drawn[1::2] += degradation.pseudo_inverse(of_twins - lr[1::2])
        seen["pictures"].append(in_8_bits(halved(drawn.clamp(0, 1))))
    projected = torch.arange(count) % 2 == 1
    return Portraits({view: torch.cat(parts) for view, parts in seen.items()}, classes_of(factors), projected)


def with_or_without_glasses(factors: Tensor) -> Tensor:
    """Returns the parameter vectors of the twins: who wears glasses wears none, and the other way round."""
    (bound,) = TRAITS[0].bounds
    worn = factors[:, _GLASSES]
    # The share of the way through one range becomes the same share of the other.
    twins = torch.where(worn < bound, bound + (1 - bound) * worn / bound, bound * (worn - bound) / (1 - bound))
    changed = factors.clone()
    changed[:, _GLASSES] = twins
    return changed


def network(side: int) -> nn.Sequential:
    """Makes the untrained network for pictures of 64 or 16 pixels a side: scores of all classes of all traits."""
    first = nn.Conv2d(3, 24, 6, stride=2, padding=2) if side > 16 else nn.Conv2d(3, 24, 3, padding=1)
    layers: list[nn.Module] = [first, nn.BatchNorm2d(24), nn.ReLU()]
    for before, after in ((24, 48), (48, 96)):
        layers += [nn.MaxPool2d(2), nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1536, sum(SIZES)))


def train(seen: Tensor, classes: Tensor, epochs: int, softening: bool) -> nn.Sequential:
    """Trains a network by cross-entropy; half of the batches are mirrored.

    Args:
        seen: uint8 [N, 3, side, side].
        classes: [N, traits].
        epochs: how often each portrait is shown.
        softening: whether some pictures lose sharpness or get noise: generated pictures are smoother, or noisier, than
            drawn ones.
    """
    torch.manual_seed(0)
    reader = network(seen.shape[-1])
    optimizer = torch.optim.AdamW(reader.parameters(), weight_decay=0.01)
    batches = [batch for _ in range(epochs) for batch in torch.randperm(len(seen)).split(_BATCH)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=len(batches))
    for batch in tqdm(batches, desc="training a reader", leave=False):
        pictures = seen[batch].float() / 255
        if softening:
            pictures = _softened(pictures)
        if torch.rand(()) < 0.5:
            pictures = pictures.flip(3)
        scores = reader(pictures).split(SIZES, dim=1)
        losses = [F.cross_entropy(score, of_trait) for score, of_trait in zip(scores, classes[batch].T, strict=True)]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
        schedule.step()
    return reader.eval()


def _softened(pictures: Tensor) -> Tensor:
    """Blends pictures with blurred copies and adds noise, by amounts that differ from picture to picture."""
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    blend, noise = (torch.rand(2, len(pictures), 1, 1, 1) - 0.4).clamp(min=0)  # 0 for two pictures in five
    return pictures.lerp(blurred, blend) + 0.04 * noise * torch.randn_like(pictures)


@torch.no_grad()
def probabilities(reader: nn.Module, seen: Tensor) -> list[Tensor]:
    """Returns the probability of each class, [N, classes] for each trait, for uint8 [N, 3, side, side]."""
    scores = torch.cat([reader(part.float() / 255) for part in seen.split(_AT_ONCE)])
    return [score.softmax(dim=1) for score in scores.split(SIZES, dim=1)]


def trained(folder: Path) -> dict[str, nn.Sequential]:
    """Returns the reader of each view, from the files in `folder`; without them, both are trained and saved there."""
    files = {view: folder / f"reader-{view}.safetensors" for view in VIEWS}
    if not all(path.is_file() for path in files.values()):
        shown = portraits("train", TRAIN, 0)
        for view, path in files.items():
            reader = train(shown.seen[view], shown.classes, EPOCHS, softening=view == "pictures")
            with atomic_file(path) as partial:
                save_file(reader.state_dict(), partial)
    readers = {}
    for view, path in files.items():
        readers[view] = network(SIDES[view])
        readers[view].load_state_dict(load_file(path))
        readers[view].eval()
    return readers
