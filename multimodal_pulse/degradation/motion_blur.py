"""Motion blur along a straight line, with or without downsampling."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.operator import Downsampling
from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.degradation.separable import CUTOFF

_POINTS_PER_PIXEL = 16


class _Spectrum(NamedTuple):
    """The transfer function of A at the frequencies of the original, complex [H, W], and A A^T's at those of the LR
    picture, real [h, w]."""

    transfer: Tensor
    gram: Tensor


class MotionBlur(Downsampling):
    """The mean along a line of some pixels, then over squares of factor x factor: [..., H, W] -> [..., h, w].

    The picture goes on periodically beyond its borders: within half the length of the movement they show a little of
    the opposite side. A line that is neither horizontal nor vertical is not separable, and only periodic borders give
    its exact pseudo-inverse cheaply: Fourier's transform makes A A^T diagonal, with downsampling too, when the
    frequencies that the reduction maps onto one are added up. A+ ignores the singular values below `CUTOFF` times the
    largest.

    Args:
        length: the length of the movement, in pixels of the original.
        angle: its direction in degrees; 0 is horizontal, 90 vertical, 45 from the lower left to the upper right.
        factor: a positive integer; with 1 the size stays.
    Raises:
        UserError: `length` is negative or infinite, `angle` is not finite, `factor` is not a positive integer, or (when
            used) the factor does not divide the picture's sides.
    """

    def __init__(self, length: float = 16.0, angle: float = 0.0, factor: int = 8) -> None:
        super().__init__(factor)
        if not 0 <= length < math.inf:
            raise UserError(f"degradation.length={length} must be a number of pixels of the original, at least 0.")
        if not math.isfinite(angle):
            raise UserError(f"degradation.angle={angle} must be a number of degrees; 0 is horizontal, 90 vertical.")
        self.length, self.angle = float(length), float(angle) % 180  # forth and back are the same blur
        self.name = f"motion blur of {self.length!r} pixels at {self.angle!r} degrees, {factor} x"
        self.sentence = (
            f"A movement of {self.length:g} pixels at {self.angle:g} degrees blurs the picture{self.and_smaller()}."
        )
        self._spectra: dict[tuple[int, int, torch.dtype, torch.device], _Spectrum] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: [..., H, W] -> [..., h, w]."""
        height, width = (self.lr_side(side) for side in x.shape[-2:])
        spectrum = self._spectrum(height, width, x)
        blurred = torch.fft.ifft2(torch.fft.fft2(x) * spectrum.transfer).real
        return blurred[..., :: self.factor, :: self.factor]

    def transpose(self, y: Tensor) -> Tensor:
        """Computes the adjoint A^T y, with <A x, y> = <x, A^T y>: [..., h, w] -> [..., H, W]."""
        return self._spread(y, torch.ones_like(self._spectrum(y.shape[-2], y.shape[-1], y).gram))

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y without the smallest singular values of A: [..., h, w] -> [..., H, W]."""
        gram = self._spectrum(y.shape[-2], y.shape[-1], y).gram
        return self._spread(y, (1 / gram).masked_fill(gram < CUTOFF**2 * gram.max(), 0))

    def solve(self, y: Tensor, ridge: float) -> Tensor:
        """Computes (A A^T + ridge I)^-1 y, frequency by frequency: [..., h, w] -> [..., h, w]."""
        gram = self._spectrum(y.shape[-2], y.shape[-1], y).gram
        return torch.fft.ifft2(torch.fft.fft2(y) / (gram + ridge)).real

    def upsample(self, y: Tensor) -> Tensor:
        """Enlarges by bicubic interpolation, [..., h, w] -> [..., h * factor, w * factor]: the traditional baseline."""
        return bicubic_resize(y, y.shape[-2] * self.factor, y.shape[-1] * self.factor)

    def _spread(self, y: Tensor, weights: Tensor) -> Tensor:
        """Computes A^T W y, where W weighs the frequencies of the LR picture by `weights`, [h, w]."""
        transfer = self._spectrum(y.shape[-2], y.shape[-1], y).transfer
        # The frequencies of a picture with factor - 1 zeros between its pixels are those of the picture, repeated.
        repeated = (torch.fft.fft2(y) * weights).repeat(*[1] * (y.ndim - 2), self.factor, self.factor)
        return torch.fft.ifft2(repeated * transfer.conj()).real

    def _spectrum(self, height: int, width: int, like: Tensor) -> _Spectrum:
        """The spectrum for an LR picture of height x width, computed once in float64."""
        key = height, width, like.dtype, like.device
        if key not in self._spectra:
            with torch.inference_mode(False):  # as in `Separable`
                factor = self.factor
                transfer = torch.fft.fft2(self._kernel(height * factor, width * factor)).conj()
                folded = transfer.abs().square().view(factor, height, factor, width)
                gram = folded.sum(dim=(0, 2)) / factor**2
                complex_type = torch.promote_types(like.dtype, torch.complex32)
                self._spectra[key] = _Spectrum(
                    transfer.to(dtype=complex_type, device=like.device), gram.to(dtype=like.dtype, device=like.device)
                )
        return self._spectra[key]

    def _kernel(self, height: int, width: int) -> Tensor:
        """The weights of LR pixel (0, 0) over the original, float64 [height, width]; they sum to one."""
        direction = math.radians(self.angle)
        points = math.ceil(self.length * _POINTS_PER_PIXEL) + 1
        along = (torch.arange(points, dtype=torch.float64) + 0.5) / points - 0.5
        line = torch.zeros(height, width, dtype=torch.float64)
        down, right = (-math.sin(direction) * self.length * along, math.cos(direction) * self.length * along)
        # Each point of the line is shared between the four pixels around it.
        top, left = down.floor(), right.floor()
        for row, row_weight in ((top, 1 - (down - top)), (top + 1, down - top)):
            for column, column_weight in ((left, 1 - (right - left)), (left + 1, right - left)):
                at = (row.long() % height, column.long() % width)
                line.index_put_(at, row_weight * column_weight / points, accumulate=True)
        square = torch.zeros_like(line)
        square[: self.factor, : self.factor] = 1 / self.factor**2
        return torch.fft.ifft2(torch.fft.fft2(line) * torch.fft.fft2(square)).real
