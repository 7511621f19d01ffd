"""The loss of colour."""

from functools import lru_cache

import torch
from torch import Tensor

from multimodal_pulse.degradation.operator import Degradation, Shape

LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in ITU-R BT.601, as Pillow and JPEG use them."""
_SQUARED_VALUE = 3 * sum(weight**2 for weight in LUMA)
"""The square of the one singular value of A."""


class Grayscale(Degradation):
    """The brightness of each pixel, in three equal channels: [..., 3, H, W] -> [..., 3, H, W].

    A is 1 w^T for each pixel, with w the weights of the three colours: one singular value, |w| sqrt(3), and two zeros.
    """

    name = "grayscale"
    sentence = "The colours are lost: each pixel keeps its brightness (ITU-R BT.601)."

    def lr_shape(self, shape: Shape) -> Shape:
        """Returns `shape` = (3, H, W)."""
        return shape

    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: [..., 3, H, W] -> [..., 3, H, W], all channels equal."""
        return (_luma(x.dtype, x.device) * x).sum(dim=-3, keepdim=True).expand_as(x)

    def transpose(self, y: Tensor) -> Tensor:
        """Computes the adjoint A^T y, with <A x, y> = <x, A^T y>: [..., 3, H, W] -> [..., 3, H, W]."""
        return _luma(y.dtype, y.device) * y.sum(dim=-3, keepdim=True)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y, the colours nearest to black of this brightness: [..., 3, H, W] -> [..., 3, H, W]."""
        return self.transpose(y) / _SQUARED_VALUE

    def solve(self, y: Tensor, ridge: float) -> Tensor:
        """Computes (A A^T + ridge I)^-1 y: [..., 3, H, W] -> [..., 3, H, W]."""
        mean = y.mean(dim=-3, keepdim=True)
        return mean / (_SQUARED_VALUE + ridge) + (y - mean) / ridge

    def upsample(self, y: Tensor) -> Tensor:
        """Returns the gray picture itself."""
        return y

    def as_reference(self, picture: Tensor) -> Tensor:
        """Takes the colours off a picture [..., 3, H, W] that has some."""
        return self(picture)


@lru_cache(maxsize=8)
def _luma(dtype: torch.dtype, device: torch.device) -> Tensor:
    # A tensor made in inference mode cannot take part in a gradient, and this one is cached for later callers.
    with torch.inference_mode(False):
        return torch.tensor(LUMA, dtype=dtype, device=device)[:, None, None]
