"""What a degradation is: a linear operator A with the two others that the program needs of it."""

from abc import ABC, abstractmethod

from torch import Tensor

Shape = tuple[int, int, int]
"""Channels, height and width of a picture."""


class Degradation(ABC):
    """A linear operator A from an original to its low-resolution reference.

    Everything here is linear, accepts float tensors of any dtype and device, [..., C, H, W], and returns the same dtype
    and device, not clamped. It enters the loss, so `__call__` must be differentiable.

    Attributes:
        name: what people call it, such as "bicubic, 8 x".
        sentence: what it does, in one sentence for people.
    """

    name: str
    sentence: str

    @abstractmethod
    def lr_shape(self, shape: Shape) -> Shape:
        """The shape of what A makes of a picture of `shape`.

        Raises:
            UserError: A does not take such a picture.
        """

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """A x: an original [..., C, H, W] -> its LR picture [..., c, h, w]."""

    @abstractmethod
    def transpose(self, y: Tensor) -> Tensor:
        """The adjoint A^T y, <A x, y> = <x, A^T y>: [..., c, h, w] -> [..., C, H, W]."""

    @abstractmethod
    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """A+ y, the smallest picture x with A x = y (Moore-Penrose): [..., c, h, w] -> [..., C, H, W]."""

    def upsample(self, y: Tensor) -> Tensor:
        """The answer without a search, [..., c, h, w] -> [..., C, H, W]: A+ y, unless the field has a usual one."""
        return self.pseudo_inverse(y)
