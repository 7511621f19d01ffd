"""Procedural portraits, aligned like FFHQ: pictures are drawn from parameter vectors, without asset files.

A portrait has a parameter vector (`factors.FACTORS`) and fine random detail with its own seed: hair strands, beard,
brows, pores, freckles, cloth and film grain. An 8x downsampled picture shows almost nothing of the detail, so one
low-resolution portrait really has many originals.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil

import torch
from torch import Tensor
from torch.nn import functional as F

from multimodal_pulse.domains.portraits import face, figure
from multimodal_pulse.domains.portraits.factors import (
    FACTORS,
    NUM_FACTORS,
    SPLITS,
    Factor,
    FactorView,
    sample_factors,
    split_seeds,
)
from multimodal_pulse.domains.portraits.shapes import soft, window

__all__ = [
    "FACTORS",
    "NUM_FACTORS",
    "SPLITS",
    "Factor",
    "mouth_mask",
    "render",
    "render_seeds",
    "sample_factors",
    "split_seeds",
]

CHUNK = 8
"""Portraits drawn at a time; few enough for the processor's cache."""
DRAWING_RESOLUTION = 128
"""Smaller pictures are drawn at this resolution or more and averaged down, since their pixels are too coarse for the
fine detail."""
GRAIN_STD = 0.012
"""Standard deviation of the film grain."""
STRAND_CELLS = (64, 64)
"""Lattice cells of the hair noise, across and along the strands."""
SURFACE_CELLS = 64
"""Lattice cells of the surface noise (pores, cloth, canvas) along each side of the picture."""


def _detail(seeds: Sequence[int], resolution: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draws lattices of strands [N,2,A,B] and surface [N,2,C,C] in [-1, 1], and grain [N,1,R,R]; a stream per row."""
    generator = torch.Generator()
    strand_size, surface_size = 2 * STRAND_CELLS[0] * STRAND_CELLS[1], 2 * SURFACE_CELLS**2
    lattices = torch.empty(len(seeds), strand_size + surface_size)
    grain = torch.empty(len(seeds), 1, resolution, resolution)
    for row, seed in enumerate(seeds):
        generator.manual_seed(int(seed))
        lattices[row].uniform_(-1, 1, generator=generator)
        grain[row].normal_(0, GRAIN_STD, generator=generator)
    strands, surface = lattices.split([strand_size, surface_size], dim=1)
    return strands.view(-1, 2, *STRAND_CELLS), surface.view(-1, 2, SURFACE_CELLS, SURFACE_CELLS), grain


@torch.no_grad()
def _draw(factors: Tensor, detail_seeds: Sequence[int], resolution: int) -> Tensor:
    """Draws one chunk of portraits at a resolution of at least DRAWING_RESOLUTION."""
    f = FactorView(factors)
    pose = figure.make_pose(f)
    strands, surface, grain = _detail(detail_seeds, resolution)
    surface = F.interpolate(surface, size=(resolution, resolution), mode="bilinear", align_corners=False)
    fine, spots = surface[:, :1], surface[:, 1:]

    whole = window(resolution)
    hair = figure.hair(whole, f, pose, strands)
    canvas = figure.background(whole, f, pose, fine)
    figure.paint(canvas, hair.colour * 0.80, hair.behind)
    lower = window(resolution, top=0.66)
    figure.body(lower, lower.of(canvas), f, pose, lower.of(fine))
    figure.paint(lower.of(canvas), lower.of(hair.colour), lower.of(hair.locks))
    ear_band = window(resolution, 0.18, 0.42, 0.82, 0.62)
    face.ears(ear_band, ear_band.of(canvas), f, pose)
    oval = window(resolution, 0.22, 0.10, 0.78, 0.93)
    face.skin(oval, oval.of(canvas), f, pose, oval.of(hair.shadow), oval.of(fine), oval.of(spots))
    nose = window(resolution, 0.42, 0.55, 0.58, 0.66)
    face.nostrils(nose, nose.of(canvas), f, pose)
    chin = window(resolution, 0.22, 0.52, 0.78, 0.93)
    face.beard(chin, chin.of(canvas), f, pose, strands)
    lips = window(resolution, *MOUTH_BOX)
    face.mouth(lips, lips.of(canvas), f, pose)
    for sign in (-1.0, 1.0):
        middle = 0.5 + sign * face.EYE_DISTANCE
        eye = window(resolution, middle - 0.09, 0.40, middle + 0.09, 0.54)
        face.eye(eye, eye.of(canvas), f, pose, sign)
        brow = window(resolution, middle - 0.11, 0.33, middle + 0.11, 0.46)
        face.brow(brow, brow.of(canvas), f, pose, sign, strands)
    spectacles = window(resolution, 0.22, 0.38, 0.78, 0.60)
    face.glasses(spectacles, spectacles.of(canvas), f, pose)
    figure.paint(canvas, hair.colour, hair.front)
    return canvas.add_(grain).clamp_(0, 1)


def _in_parallel(task: Callable[[int], None], arguments: Sequence[int]) -> None:
    """Runs the task for every argument on as many threads as torch may use, each operation on one thread only.

    The operations are too small to be split over threads: the threads would wait more than compute, and drawing would
    take up to ten times as long on a busy processor.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(task, arguments))
    finally:
        torch.set_num_threads(threads)


def render(factors: Tensor, detail_seeds: Sequence[int], resolution: int = 128) -> Tensor:
    """Draws portraits [N, 3, R, R] in [0, 1] from parameter vectors [N, NUM_FACTORS] in [0, 1] and a detail seed each.

    Row i depends on row i's inputs only. A portrait is the same at every resolution from 16 to 1024, except for its
    film grain, which is drawn per pixel.

    Raises:
        ValueError: a shape or the resolution is wrong.
    """
    if factors.ndim != 2 or factors.shape[1] != NUM_FACTORS:
        raise ValueError(f"factors must be [N, {NUM_FACTORS}], got {list(factors.shape)}")
    if len(detail_seeds) != len(factors):
        raise ValueError(f"{len(factors)} portraits need as many detail seeds, got {len(detail_seeds)}")
    if not 16 <= resolution <= 1024:
        raise ValueError(f"portraits have a resolution of 16 to 1024 pixels, not {resolution}")
    oversampling = max(1, ceil(DRAWING_RESOLUTION / resolution))
    portraits = torch.empty(len(factors), 3, resolution, resolution)

    def draw(start: int) -> None:
        part = slice(start, start + CHUNK)
        drawn = _draw(factors[part].cpu(), detail_seeds[part], resolution * oversampling)
        portraits[part] = F.avg_pool2d(drawn, oversampling) if oversampling > 1 else drawn

    _in_parallel(draw, range(0, len(factors), CHUNK))
    return portraits


def render_seeds(seeds: Sequence[int], resolution: int = 128) -> Tensor:
    """Draws portraits [N, 3, R, R] in [0, 1] whose parameters and detail both come from their seeds."""
    # Multiplying by an odd number permutes the 32-bit seeds, so no two portraits have the same detail.
    detail_seeds = [(int(seed) * 2654435761 + 97) % 2**32 for seed in seeds]
    return render(sample_factors(seeds), detail_seeds, resolution)


MOUTH_BOX = (0.34, 0.60, 0.66, 0.82)
"""Left, top, right and bottom of the region that contains every portrait's mouth."""


def mouth_mask(resolution: int) -> Tensor:
    """Returns a mask [1, 1, R, R] in [0, 1], white with a soft edge over the region that contains every mouth."""
    whole = window(resolution)
    left, top, right, bottom = MOUTH_BOX
    x = (whole.x - (left + right) / 2) / ((right - left) / 2)
    y = (whole.y - (top + bottom) / 2) / ((bottom - top) / 2)
    return soft((x.square() + y.square()).sqrt() - 1, 0.1)
