"""The samples of a face pasted back into the photograph from which it was cut out: photo_00.png, ..."""

import math

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.domains.faces import Frame, cut_out
from multimodal_pulse.references import Reference
from multimodal_pulse.references.pixels import to_pil

MOST_PIXELS = 16_000_000  # of a photograph that is enlarged
FEATHER = 0.15  # of the frame's side: over which the photograph goes over into the sample, inside the frame
ROUNDS = 3  # of correction: each brings the reference of the result nearer to that of the sample, 48 -> 54 dB


def photographs(reference: Reference, samples: Tensor, degradation: Degradation) -> dict[str, Image.Image]:
    """Returns the photograph of an aligned reference with each sample in it, by file name; {} for any other reference.

    Args:
        reference: the reference.
        samples: [K, 3, R, R] in [0, 1]; a failed one, with NaN, is left out.
        degradation: A, which made the reference of what the frame shows.
    """
    if reference.aligned is None:
        return {}
    photograph, frame = reference.aligned.photograph(), reference.aligned.frame
    factor = enlargement(photograph, frame, samples.shape[-1])
    large = enlarged(photograph, factor)
    return {
        f"photo_{k:02d}.png": to_pil(with_sample(large, frame.scaled(factor), sample.cpu(), degradation))
        for k, sample in enumerate(samples)
        if bool(sample.isfinite().all())
    }


def enlargement(photograph: Tensor, frame: Frame, resolution: int) -> int:
    """Returns the whole number by which a photograph is enlarged so that no pixel of a sample is lost.

    It is the least with which the frame's side has at least `resolution` pixels, or the largest with which the
    photograph has no more than `MOST_PIXELS`; a photograph is never reduced.
    """
    height, width = photograph.shape[-2:]
    affordable = math.isqrt(MOST_PIXELS // (height * width))
    return max(1, min(math.ceil(resolution / frame.side), affordable))


def enlarged(photograph: Tensor, factor: int) -> Tensor:
    """Returns a photograph [3, H, W] enlarged by bicubic interpolation: [3, factor H, factor W] in [0, 1]."""
    if factor == 1:
        return photograph
    return F.interpolate(photograph[None], scale_factor=factor, mode="bicubic", align_corners=False)[0].clamp(0, 1)


def with_sample(photograph: Tensor, frame: Frame, sample: Tensor, degradation: Degradation) -> Tensor:
    """Returns a photograph with a sample in the place of a frame, whose reference is still that of the sample.

    Rotation, interpolation and the blending change it a little; what it lacks is added to the sample before that is
    pasted again (iterative back-projection, Irani & Peleg 1991).

    Args:
        photograph: [3, H, W] in [0, 1].
        frame: the frame, in pixels of this photograph.
        sample: [3, R, R] in [0, 1].
        degradation: A.
    """
    wanted = degradation(sample)
    for _ in range(ROUNDS):
        seen = cut_out(pasted(photograph, frame, sample), frame, sample.shape[-1])
        sample = sample + degradation.pseudo_inverse(wanted - degradation(seen))
    return pasted(photograph, frame, sample)


def pasted(photograph: Tensor, frame: Frame, sample: Tensor) -> Tensor:
    """Returns a photograph with a sample in the place of a frame.

    A sample has the low frequencies of what it replaces, since it agrees with the reference that was made of it; the
    remaining difference is faded out towards the border of the frame, where photograph and sample meet without a step.

    Args:
        photograph: [3, H, W] in [0, 1].
        frame: the frame, in pixels of this photograph.
        sample: [3, R, R].
    """
    if (taps := round(sample.shape[-1] / frame.side)) > 1:  # the photograph could not be enlarged enough
        sample = F.avg_pool2d(sample[None], taps)[0]
    height, width = photograph.shape[-2:]
    xs, ys = zip(*frame.corners(), strict=True)
    left, right = max(0, math.floor(min(xs))), min(width, math.ceil(max(xs)))
    top, bottom = max(0, math.floor(min(ys))), min(height, math.ceil(max(ys)))
    uv = inside(frame, left, top, right - left, bottom - top)
    weight = (((1 - uv.abs()) / (2 * FEATHER)).clamp(0, 1)).prod(dim=-1)
    weight = weight**2 * (3 - 2 * weight)  # without a bend at either end
    face = F.grid_sample(sample[None], uv[None], mode="bicubic", padding_mode="border", align_corners=False)[0]
    result = photograph.clone()
    part = result[:, top:bottom, left:right]
    part += weight * (face.clamp(0, 1) - part)
    return result


def inside(frame: Frame, left: int, top: int, width: int, height: int) -> Tensor:
    """Returns where the pixels of a box lie in a frame, whose square is [-1, 1]: [height, width, 2] of (u, v)."""
    y, x = torch.meshgrid(torch.arange(height) + top + 0.5, torch.arange(width) + left + 0.5, indexing="ij")
    c, s = math.cos(math.radians(frame.roll)), math.sin(math.radians(frame.roll))
    dx, dy = x - frame.x, y - frame.y
    return torch.stack([c * dx + s * dy, c * dy - s * dx], dim=-1) * (2 / frame.side)
