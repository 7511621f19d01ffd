"""Rendered portraits as training pictures, rendered once and kept as 8-bit pixels in a memory-mapped file."""

import numpy as np
import torch
import torch.nn.functional as F
from pictures import Pictures
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.domains.portraits.renderer import render, render_seeds, sample_factors, split_seeds
from multimodal_pulse.references.pixels import to_uint8

CHUNK = 64
SIDE = 128  # in which they are rendered, in pixels


class RenderedPortraits(Pictures):
    """The first `count` portraits of the train split; the first of the test split are kept out. None is mirrored.

    Rendering is resumable: the size of the file gives the number of finished portraits.

    Args:
        resolution: R, a power of two, at most 128; portraits are averaged down to it.
        path: the folder of the file; None: outputs/prior_training.
        count: the number of different portraits.
        held: the number of portraits that are kept out.

    Raises:
        UserError: R is too large.
    """

    mirrored = False

    def __init__(self, resolution: int, path: str | None = None, count: int = 24_000, held: int = 400):
        if resolution > SIDE:
            raise UserError(
                f"resolution={resolution}: portraits are rendered with {SIDE} x {SIDE}, choose at most that."
            )
        self.resolution, self.count, self.number_held = resolution, count, held
        self.file = expanded(path or "outputs/prior_training") / f"portraits-{SIDE}.u8"

    def batch(self, size: int, rng: torch.Generator) -> Tensor:
        chosen = torch.randint(self.count, (size,), generator=rng).tolist()
        pixels = self._rendered(self.count)
        images = torch.from_numpy(np.stack([pixels[i] for i in chosen])).float() / 127.5 - 1
        return F.avg_pool2d(images, SIDE // self.resolution)

    def kept_out(self) -> Tensor:
        seeds = split_seeds("test", self.number_held)
        parts = [render_seeds(seeds[i : i + CHUNK], self.resolution) for i in range(0, len(seeds), CHUNK)]
        return torch.cat(parts)

    def trained_on(self, most: int | None = None) -> Tensor:
        pixels = torch.from_numpy(np.array(self._rendered(min(self.count, most or self.count))))
        return F.avg_pool2d(pixels.float(), SIDE // self.resolution).round().byte()

    def detail_energy(self, count: int) -> Tensor:
        # Half the mean square of the difference of two portraits that differ in their detail alone.
        seeds = list(split_seeds("test", count))
        factors = sample_factors(seeds)
        first, second = (render(factors, [seed + k for seed in seeds], self.resolution) for k in (0, 1))
        return (first - second).square().mean(dim=(1, 2, 3)) / 2

    def _rendered(self, count: int) -> np.ndarray:
        """The first portraits, uint8 [count, 3, 128, 128]; those that are missing in the file are rendered first."""
        item = 3 * SIDE**2
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab") as file:
            done = file.tell() // item
            if done < count:
                file.truncate(done * item)
                self._render(file, range(done, count))
        return np.memmap(self.file, dtype=np.uint8, mode="r")[: count * item].reshape(count, 3, SIDE, SIDE)

    @staticmethod
    def _render(file, indices: range) -> None:
        seeds = split_seeds("train", indices.stop)
        with progress_bar(total=len(indices), desc="rendering", unit="portrait", leave=False) as bar:
            for start in range(indices.start, indices.stop, CHUNK):
                portraits = render_seeds(seeds[start : min(start + CHUNK, indices.stop)], SIDE)
                file.write(to_uint8(portraits).numpy().tobytes())
                bar.update(len(portraits))
