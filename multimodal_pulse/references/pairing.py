"""Makes a reference from a picture of any size, which may be an original or already low resolution."""

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.references.base import Reference, degraded
from multimodal_pulse.references.pixels import quantise

READINGS = ("auto", "hr", "lr")


class Pairing:
    """Makes references from pictures.

    Args:
        resolution: the generator's, R.
        degradation: A.
        as_: "hr" reads every picture as an original, which is degraded; "lr" reads it as an LR picture; "auto" decides
            by size: a shorter side of at least R means an original, exactly the LR size an LR picture. Where the LR
            size is R, every picture is an original unless "lr" is said.
    Raises:
        UserError: `as_` is another word, or the degradation does not accept pictures of R x R.
    """

    def __init__(self, resolution: int, degradation: Degradation, as_: str = "auto") -> None:
        if as_ not in READINGS:
            raise UserError(f"references.as={as_} must be one of {', '.join(READINGS)}.")
        self._resolution = resolution
        _, self._lr_height, self._lr_width = degradation.lr_shape((3, resolution, resolution))
        self._degradation = degradation
        self._as = as_

    def check(self, width: int, height: int, source: str) -> str | None:
        """Returns a notice if a picture of this size must be cropped. `source` is its name in messages.

        Raises:
            UserError: the size does not fit the chosen reading, or either of them.
        """
        if self._is_original(width, height):
            side = min(width, height)
            return None if width == height else f"{source} is {width} x {height}: its middle {side} x {side} is used."
        if self._as != "hr" and (height, width) == (self._lr_height, self._lr_width):
            return None
        raise UserError(f"{source} is {width} x {height} pixels{self._accepted()}.")

    def __call__(self, name: str, picture: Tensor, source: str) -> tuple[Reference, str | None]:
        """Returns the reference of a picture [3, H, W] in [0, 1], and a notice if it was cropped.

        An original that is not square is cropped to its middle; a larger one is reduced to R x R by antialiased bicubic
        resizing.

        Raises:
            UserError: as in `check`.
        """
        height, width = picture.shape[-2:]
        notice = self.check(width, height, source)
        if not self._is_original(width, height):
            return Reference(name, lr=quantise(self._degradation.as_reference(picture)), hr=None), notice
        square = _centre_crop(picture, min(height, width))
        return degraded(name, reduced(square, self._resolution), self._degradation), notice

    def _is_original(self, width: int, height: int) -> bool:
        return self._as != "lr" and min(width, height) >= self._resolution

    def _accepted(self) -> str:
        original = f"at least {self._resolution} x {self._resolution}"
        reference = f"exactly {self._lr_width} x {self._lr_height}"
        return {
            "auto": f": an original needs {original}, an LR reference {reference}; give a picture of such a size",
            "hr": f", but references.as=hr takes originals of {original}: give one, or choose references.as=auto",
            "lr": f", but references.as=lr takes references of {reference}: give one, or choose references.as=auto",
        }[self._as]


def reduced(square: Tensor, resolution: int) -> Tensor:
    """Reduces a square picture [3, H, H], H >= R, to [3, R, R] by antialiased bicubic resizing; not clamped."""
    return square if square.shape[-1] == resolution else bicubic_resize(square, resolution, resolution)


def _centre_crop(picture: Tensor, side: int) -> Tensor:
    height, width = picture.shape[-2:]
    top, left = (height - side) // 2, (width - side) // 2
    return picture[:, top : top + side, left : left + side]
