"""Procedural portraits, aligned as FFHQ is: parameter vectors in, pictures out, no asset files.

A portrait has a parameter vector (`factors.FACTORS`) and fine random detail with a seed of its own: hair strands,
beard, brows, pores, freckles, cloth and film grain. The detail lies mostly beyond what an 8x downsampled picture can
show, so one low-resolution portrait really has many originals.
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
"""Portraits drawn at a time: few enough that the working set stays in the processor's cache."""
DRAWING_RESOLUTION = 128
"""Smaller pictures are drawn at least this large and averaged down: their pixels could not hold the fine detail."""
GRAIN_STD = 0.012
"""Standard deviation of the film grain."""
STRAND_CELLS = (64, 64)
"""Lattice cells of the hair noise, across and along the strands."""
SURFACE_CELLS = 64
"""Lattice cells of the surface noise (pores, cloth, canvas) along each side of the picture."""


def _detail(seeds: Sequence[int], resolution: int) -> tuple[Tensor, Tensor, Tensor]:
    """Strand [N,2,A,B] and surface [N,2,C,C] lattices in [-1, 1] and film grain [N,1,R,R], a CPU stream per row."""
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
    """One chunk of portraits at a resolution of at least DRAWING_RESOLUTION."""
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
    """Run the task for every argument on as many threads as torch may use, each operation on one thread only.

    The operations are too small to share: splitting each of them would spend more time waiting than computing,
    up to ten times as long where the processor is also busy with something else.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(task, arguments))
    finally:
        torch.set_num_threads(threads)


def render(factors: Tensor, detail_seeds: Sequence[int], resolution: int = 128) -> Tensor:
    """Portraits [N, 3, R, R] in [0, 1] of parameter vectors [N, NUM_FACTORS] in [0, 1], with one detail seed each.

    Row i depends on row i's inputs only. At every resolution from 16 to 1024 it is the same portrait, sampled more or
    less finely, except for the film grain, which belongs to the pixels.

    Raises ValueError for wrong shapes or resolutions.
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
    """Portraits [N, 3, R, R] in [0, 1] whose parameters and detail both follow from their seeds."""
    # multiplying by an odd number permutes the 32-bit seeds: no two portraits share their detail
    detail_seeds = [(int(seed) * 2654435761 + 97) % 2**32 for seed in seeds]
    return render(sample_factors(seeds), detail_seeds, resolution)


MOUTH_BOX = (0.34, 0.60, 0.66, 0.82)
"""Left, top, right and bottom of the region in which every portrait's mouth lies."""


def mouth_mask(resolution: int) -> Tensor:
    """Mask [1, 1, R, R] in [0, 1], white over the region in which every portrait's mouth lies, with a soft edge."""
    whole = window(resolution)
    left, top, right, bottom = MOUTH_BOX
    x = (whole.x - (left + right) / 2) / ((right - left) / 2)
    y = (whole.y - (top + bottom) / 2) / ((bottom - top) / 2)
    return soft((x.square() + y.square()).sqrt() - 1, 0.1)
