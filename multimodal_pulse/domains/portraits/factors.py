"""The factors of a portrait: the meaning of each entry of a parameter vector, and the seeds of each split."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Factor:
    """One entry of a parameter vector, uniform in [0, 1]; `meaning` describes the range from 0 to 1."""

    name: str
    meaning: str


FACTORS: tuple[Factor, ...] = (
    Factor("skin_tone", "very light to very dark"),
    Factor("skin_warmth", "rosy to golden undertone"),
    Factor("blush", "pale to flushed cheeks"),
    Factor("freckles", "none (below 0.6) to many"),
    Factor("presentation", "masculine to feminine: jaw, brows, lips, hair length; a beard needs a value below 0.5"),
    Factor("age", "smooth and youthful to lined and greying"),
    Factor("face_width", "narrow to wide"),
    Factor("face_length", "short to long chin"),
    Factor("jaw", "pointed to square"),
    Factor("head_turn", "turned to the picture's left to its right"),
    Factor("shift_x", "horizontal offset of the whole head, about 0.7 % of the width either way"),
    Factor("shift_y", "vertical offset of the whole head, about 0.7 % of the height either way"),
    Factor("hair_colour", "black, brown, auburn, red, blond"),
    Factor("hair_grey", "no grey (below 0.8 when young) to white"),
    Factor("hair_length", "cropped to below the shoulders"),
    Factor("hair_volume", "flat to full"),
    Factor("hair_curl", "straight to curly"),
    Factor("hairline", "low to high forehead"),
    Factor("fringe", "none (below 0.45) to brow length"),
    Factor("parting", "parting at the picture's left to its right"),
    Factor("eye_size", "small to large"),
    Factor("eye_spacing", "close to wide set"),
    Factor("eye_colour", "dark brown, hazel, green, blue, grey"),
    Factor("eye_tilt", "outer corners down to up"),
    Factor("eye_openness", "relaxed to wide open"),
    Factor("gaze", "looking to the picture's left to its right"),
    Factor("brow_thickness", "thin to bushy"),
    Factor("brow_height", "low to raised"),
    Factor("brow_arch", "flat to arched"),
    Factor("nose_width", "narrow to wide"),
    Factor("nose_length", "short to long"),
    Factor("mouth_width", "narrow to wide"),
    Factor("lip_fullness", "thin to full"),
    Factor("lip_colour", "natural to painted"),
    Factor("smile", "corners down to a broad smile"),
    Factor("mouth_open", "closed (below 0.4) to open with visible teeth"),
    Factor("glasses", "none (below 0.77), then small to large lenses"),
    Factor("glasses_shape", "round to rectangular lenses"),
    Factor("glasses_colour", "black, brown, red, gold rims"),
    Factor("beard", "shaved (above 0.5 on a masculine face) to dense, at 0"),
    Factor("beard_shape", "around the mouth only to the full jaw"),
    Factor("clothes_hue", "hue around the colour circle"),
    Factor("clothes_lightness", "dark to light cloth"),
    Factor("collar", "round, V-shaped, shirt collar"),
    Factor("knit", "plain to coarse cloth"),
    Factor("background_hue", "hue around the colour circle"),
    Factor("background_contrast", "one tone to two contrasting tones"),
    Factor("background_lightness", "dark to light"),
    Factor("background_direction", "direction of the gradient, a half turn"),
    Factor("light_direction", "light from the picture's left to its right"),
    Factor("light_elevation", "light from eye level to above"),
    Factor("light_strength", "flat to contrasty"),
    Factor("light_warmth", "cool to warm"),
)
NUM_FACTORS: int = len(FACTORS)

SPLITS: dict[str, range] = {
    "train": range(0, 100_000_000),
    "validation": range(100_000_000, 101_000_000),
    "test": range(200_000_000, 201_000_000),
}
"""Disjoint ranges of portrait seeds. All are below 2**32, since torch's CPU generator uses 32 bits of a seed."""


def split_seeds(split: str, count: int, start: int = 0) -> range:
    """Returns `count` seeds of `split`, from number `start` on.

    Raises:
        ValueError: the split is unknown, or has fewer seeds.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown portrait split {split!r}: choose one of {', '.join(SPLITS)}")
    seeds = SPLITS[split]
    if start < 0 or count < 0 or start + count > len(seeds):
        raise ValueError(f"portrait split {split!r} holds {len(seeds)} seeds: cannot take {count} from {start} on")
    return seeds[start : start + count]


def sample_factors(seeds: Sequence[int]) -> Tensor:
    """Draws parameter vectors [N, NUM_FACTORS], uniform in [0, 1); row i depends on seeds[i] only (one CPU stream)."""
    generator = torch.Generator()
    rows = [torch.rand(NUM_FACTORS, generator=generator.manual_seed(int(seed))) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, NUM_FACTORS)


class FactorView:
    """Gives access to a batch of parameter vectors by name: `view["smile"]` is [N, 1, 1, 1]."""

    _INDEX = {factor.name: index for index, factor in enumerate(FACTORS)}

    def __init__(self, factors: Tensor) -> None:
        self._columns = factors.float()[:, :, None, None, None].unbind(1)

    def __getitem__(self, name: str) -> Tensor:
        return self._columns[self._INDEX[name]]

    def span(self, name: str, low: float, high: float) -> Tensor:
        """Returns the factor, scaled from [0, 1] to [low, high]."""
        return self[name] * (high - low) + low

    def above(self, name: str, threshold: float) -> Tensor:
        """Returns 0 up to the threshold and a linear rise above it, to 1 at 1."""
        return ((self[name] - threshold) / (1 - threshold)).clamp(min=0)
