"""The training portraits, rendered once and kept as 8-bit pixels in a memory-mapped file."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from multimodal_pulse.domains.portraits.renderer import render_seeds, split_seeds

CHUNK = 64


class RenderedPortraits:
    """The first `count` portraits of the train split at `resolution`, uint8 on disk.

    Rendering is resumable: the size of the file gives the number of finished portraits.
    """

    def __init__(self, path: Path, count: int, resolution: int):
        self.resolution = resolution
        item = 3 * resolution**2
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            done = file.tell() // item
            file.truncate(done * item)
            seeds = split_seeds("train", count)
            for start in tqdm(
                range(done, count, CHUNK), desc="rendering", unit_scale=CHUNK, unit="portrait", leave=False
            ):
                portraits = render_seeds(seeds[start : min(start + CHUNK, count)], resolution)
                file.write((portraits * 255).round().byte().numpy().tobytes())
        self.pixels = np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, 3, resolution, resolution)[:count]

    def batch(self, size: int, resolution: int, rng: torch.Generator) -> Tensor:
        """Draws random portraits, averaged down to `resolution`: [size, 3, resolution, resolution] in [-1, 1]."""
        chosen = torch.randint(len(self.pixels), (size,), generator=rng).tolist()
        images = torch.from_numpy(np.stack([self.pixels[i] for i in chosen])).float() / 127.5 - 1
        factor = self.resolution // resolution
        return images if factor == 1 else F.avg_pool2d(images, factor)
