"""The interface of a degradation: a linear operator A, its transpose and its pseudo-inverse."""

from abc import ABC, abstractmethod

from torch import Tensor

Shape = tuple[int, int, int]
"""Channels, height and width of a picture."""


class Degradation(ABC):
    """A linear operator A from an original to its low-resolution reference.

    All methods on pictures are linear, accept float tensors [..., C, H, W] of any dtype and device, and return the same
    dtype and device, not clamped. `__call__` enters the loss, so it must be differentiable.

    Attributes:
        name: its name for people, such as "bicubic, 8 x".
        sentence: one sentence for people that says what it does.
    """

    name: str
    sentence: str

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
        """Computes A+ y, the smallest x with A x = y (Moore-Penrose): [..., c, h, w] -> [..., C, H, W]."""

    def upsample(self, y: Tensor) -> Tensor:
        """Returns an answer without a search, [..., c, h, w] -> [..., C, H, W]: A+ y, or the field's usual one."""
        return self.pseudo_inverse(y)
