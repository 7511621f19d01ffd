"""The interface of a degradation: a linear operator A, its transpose and its pseudo-inverse."""

from abc import ABC, abstractmethod

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.conjugate_gradients import conjugate_gradients

Shape = tuple[int, int, int]
"""Channels, height and width of a picture."""


class Degradation(ABC):
    """A linear operator A from an original to its low-resolution reference.

    All methods on pictures are linear, accept float tensors [..., C, H, W] of any dtype and device, and return the same
    dtype and device, not clamped. `__call__` enters the loss, so it must be differentiable. The result for a picture in
    [0, 1] is a picture in [0, 1] again, of three channels and any size, so that it can be saved and looked at.

    Attributes:
        name: its name for people, such as "bicubic, 8 x".
        sentence: one sentence for people that says what it does.
    """

    name: str
    sentence: str

    @property
    def key(self) -> str:
        """What tells it from every other operator: what was computed with one key is used again wherever it comes.

        It is the name, unless that does not hold all parameters.
        """
        return self.name

    @abstractmethod
    def lr_shape(self, shape: Shape) -> Shape:
        """Returns the shape of A x for a picture x of `shape`.

        Raises:
            UserError: A does not accept pictures of this shape.
        """

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: an original [..., C, H, W] -> its LR picture [..., c, h, w]."""

    @abstractmethod
    def transpose(self, y: Tensor) -> Tensor:
        """Computes the adjoint A^T y, with <A x, y> = <x, A^T y>: [..., c, h, w] -> [..., C, H, W]."""

    @abstractmethod
    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y, the smallest x with A x = y (Moore-Penrose): [..., c, h, w] -> [..., C, H, W].

        Where A is ill-conditioned, its small singular values are taken as zero, and A+ is the pseudo-inverse of what is
        left of A; then A A+ and A+ A are projections, as always, and A A+ A is A without these singular values.
        """

    def solve(self, y: Tensor, ridge: float) -> Tensor:
        """Computes (A A^T + ridge I)^-1 y, the heart of Tikhonov's regularisation: [..., c, h, w] -> the same shape.

        This is by conjugate gradients, each picture for itself; an operator with a closed form has its own.

        Args:
            y: LR pictures.
            ridge: a positive number, in units of squared singular values of A.
        """
        return conjugate_gradients(lambda z: self(self.transpose(z)) + ridge * z, y)

    def upsample(self, y: Tensor) -> Tensor:
        """Returns an answer without a search, [..., c, h, w] -> [..., C, H, W]: A+ y, or the field's usual one."""
        return self.pseudo_inverse(y)

    def as_reference(self, picture: Tensor) -> Tensor:
        """Turns a picture of LR size, [..., c, h, w], that a user gives as a reference into one that A can give.

        It is the picture itself, unless A fixes some of its values, such as those that are hidden.
        """
        return picture


class Downsampling(Degradation):
    """A degradation that makes each side of a picture a whole number of times shorter.

    Args:
        factor: a positive integer; with 1 the size stays.
    Raises:
        UserError: `factor` is not a positive integer, or (when used) does not divide the picture's sides.
    """

    def __init__(self, factor: int) -> None:
        if not isinstance(factor, int) or factor < 1:
            raise UserError(f"degradation.factor={factor} must be a positive integer, for example 8.")
        self.factor = factor

    def __repr__(self) -> str:
        return f"<{self.key}>"

    def lr_shape(self, shape: Shape) -> Shape:
        """Returns (C, H / factor, W / factor) for `shape` = (C, H, W)."""
        channels, height, width = shape
        return channels, self.lr_side(height), self.lr_side(width)

    def lr_side(self, side: int) -> int:
        """Returns a side of the LR picture, in pixels, for one of the original.

        Raises:
            UserError: the factor does not divide it.
        """
        if side % self.factor:
            divisors = ", ".join(str(n) for n in range(1, side + 1) if side % n == 0)
            raise UserError(
                f"degradation.factor={self.factor} does not divide a side of {side} pixels; choose one of {divisors}."
            )
        return side // self.factor

    def and_smaller(self) -> str:
        """Returns the end of a sentence on what else happens: nothing, or the reduction."""
        return "" if self.factor == 1 else f", and each side is {self.factor} times shorter"
