"""Photographs composed of a portrait that no training has seen, where ../shared is there."""

import io
import math
import tarfile

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from places import SHARED

from multimodal_pulse.domains.faces import Frame
from multimodal_pulse.domains.faces.frame import sample
from multimodal_pulse.references.pixels import from_pil

PORTRAITS = SHARED / "photographs" / "gpo128.tar"
KEPT_OUT = "gpo-118-0093.jpg"


def kept_out_portrait() -> torch.Tensor:
    """An aligned portrait, [3, 128, 128]; without the pictures the test is skipped."""
    if not PORTRAITS.exists():
        pytest.skip("the aligned portraits of ../shared/photographs are not here")
    with tarfile.open(PORTRAITS) as archive:
        member = next(m for m in archive if m.name.endswith(KEPT_OUT))
        file = archive.extractfile(member)
        assert file is not None
        return from_pil(Image.open(io.BytesIO(file.read())))


def placed(portrait: torch.Tensor, frame: Frame, height: int, width: int) -> torch.Tensor:
    """A portrait [3, 128, 128] at a frame on a grey gradient, with a soft round outline."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    c, s = math.cos(math.radians(frame.roll)), math.sin(math.radians(frame.roll))
    u = (c * (x - frame.x) + s * (y - frame.y)) * 2 / frame.side
    v = (c * (y - frame.y) - s * (x - frame.x)) * 2 / frame.side
    taps = max(1, int(128 / frame.side))
    small = F.avg_pool2d(portrait[None], taps)[0]
    face = sample(small, (torch.stack([u, v], dim=-1) + 1) / 2 * small.shape[-1], "border")
    mask = ((1 - (u**2 + v**2).sqrt()) * frame.side / 6).clamp(0, 1)
    ground = (0.3 + 0.4 * x / width).expand(3, -1, -1)
    return ground + mask * (face - ground)
