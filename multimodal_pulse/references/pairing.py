"""Makes a reference from a picture of any size, which may be an original or already low resolution."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.validation import refuse_frame
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.references.auto_factor import nearest_factor
from multimodal_pulse.references.base import Reference, degraded
from multimodal_pulse.references.noise import find_noise
from multimodal_pulse.references.pixels import Decoded, quantise
from multimodal_pulse.references.preparation import (
    Box,
    Decoding,
    Prepared,
    Remark,
    UnfitPictureError,
    named,
)

READINGS = ("auto", "hr", "lr")
LEAST_SIDE = 8
"""The shortest side of a picture, in pixels, from which there is anything to search for."""


class Pairing:
    """Makes references from pictures.

    Args:
        resolution: the generator's, R.
        degradation: A.
        as_: "hr" reads every picture as an original, which is degraded; "lr" reads it as an LR picture; "auto" decides
            by size: a shorter side of at least R means an original, a shorter one an LR picture. Where the LR size is
            R, every picture of at least R is an original unless "lr" is said.
        frame: the part of each picture that is used: left, top, right and bottom in pixels of the upright picture;
            None: all of it. Of a part that is not square, the middle square is used.
        noise_std: the standard deviation of the noise of the LR pictures, in units of the [0, 1] range; "estimate" (or
            "auto"): estimated from each picture; None: they have none.
    Raises:
        UserError: `as_` is another word, `frame` no frame, `noise_std` no standard deviation, or the degradation does
            not accept pictures of R x R.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        as_: str = "auto",
        frame: Sequence[int] | None = None,
        noise_std: float | str | None = None,
    ) -> None:
        if as_ not in READINGS:
            raise UserError(f"references.as={as_} must be one of {', '.join(READINGS)}.")
        refuse_frame(frame)
        self.frame = frame
        self.find_noise = find_noise(noise_std)
        self._resolution = resolution
        _, self._lr_height, self._lr_width = degradation.lr_shape((3, resolution, resolution))
        self._degradation = degradation
        self._as = as_

    def check(self, width: int, height: int, source: str) -> None:
        """Refuses a picture of this size, in which there can be no part that is large enough.

        Args:
            width, height: the size, upright or not.
            source: the name of the picture in messages.

        Raises:
            UserError: the picture has less than LEAST_SIDE pixels on a side, or is smaller than R x R and must be an
                original.
        """
        with named(source):
            self._check_part(width, height)

    def prepare(self, decoding: Decoding) -> tuple[Prepared, list[Remark]]:
        """Returns what is done to a picture, and all that is to be said about it.

        Raises:
            UnfitPictureError: the part inside the frame is too small.
        """
        left, top, right, bottom = decoding.box
        width, height = right - left, bottom - top
        self._check_part(width, height)
        _, side = _square(decoding)
        taken_as, target = ("hr", self._resolution) if self._is_original(side) else ("lr", self._lr_width)
        remarks = list(decoding.remarks)
        if width != height:
            remarks.append(self._remark_on_crop(width, height))
        if taken_as == "lr" and (side, side) != (self._lr_width, self._lr_height):
            remarks.append(self._remark_on_resizing(side))
        prepared = Prepared(
            format=decoding.format,
            size=decoding.size,
            frame=_frame(decoding),
            taken_as=taken_as,
            resized_from=side,
            resized_to=target,
            factor=self._resolution / self._lr_width,
            notes=tuple(remark.one for remark in remarks),
        )
        return prepared, remarks

    def __call__(self, name: str, picture: Decoded) -> Reference:
        """Returns the reference of a picture.

        It is cropped to its middle square. An original is reduced to R x R by antialiased bicubic resizing, an LR
        picture is brought to the LR size by the same, which is plain bicubic interpolation where it grows.

        Raises:
            UnfitPictureError: as `prepare`.
        """
        prepared, _ = self.prepare(picture.decoding)
        (left, top), side = _square(picture.decoding)
        square = picture.rgb[:, top : top + side, left : left + side]
        if self._is_original(side):
            noise = self.find_noise(square, lambda x: self._degradation(self._original(x)))
            return replace(degraded(name, self._original(square), self._degradation), prepared=prepared, noise=noise)
        noise = self.find_noise(square, self._as_lr)
        return Reference(name, quantise(self._as_lr(square)), hr=None, prepared=prepared, noise=noise)

    def _original(self, square: Tensor) -> Tensor:
        return resized(square, self._resolution, self._resolution)

    def _as_lr(self, square: Tensor) -> Tensor:
        return self._degradation.as_reference(resized(square, self._lr_height, self._lr_width))

    def _is_original(self, side: int) -> bool:
        return self._as != "lr" and side >= self._resolution

    def _check_part(self, width: int, height: int) -> None:
        side, least = min(width, height), f"{self._resolution} x {self._resolution}"
        if self._as == "hr" and side < self._resolution:
            raise UnfitPictureError(
                f"is {width} x {height} pixels, but references.as=hr takes originals of at least {least}: give one, or"
                " choose references.as=auto, which takes it as an LR reference"
            )
        if side < LEAST_SIDE and (height, width) != (self._lr_height, self._lr_width):
            raise UnfitPictureError(f"is {width} x {height} pixels: at least {LEAST_SIDE} on each side are needed")

    def _remark_on_crop(self, width: int, height: int) -> Remark:
        side, whose = min(width, height), "is" if self.frame is None else "is framed as"
        return Remark(
            f"{whose} {width} x {height}: its middle {side} x {side} is used",
            "pictures are not square: the middle of each is used",
            f"{side} x {side} of {width} x {height}",
        )

    def _remark_on_resizing(self, side: int) -> Remark:
        given, taken = f"{side} x {side}", f"{self._lr_width} x {self._lr_height}"
        small = side < self._resolution
        why = f"smaller than the generator's {self._resolution} x {self._resolution}" if small else "references.as=lr"
        one = f"is an LR reference ({why}): its {given} pixels are brought to {taken}"
        best = nearest_factor(self._resolution, side)
        if self._lr_width < self._resolution and self._lr_width * best != self._resolution:
            nearer = self._resolution // best
            one += f"; degradation.factor={best} would bring them to {nearer} x {nearer}"
        return Remark(one, f"pictures are LR references and brought to {taken} pixels", given)


def resized(square: Tensor, height: int, width: int) -> Tensor:
    """Resizes a square picture [3, H, H] to [3, height, width] by antialiased bicubic resizing; not clamped."""
    return square if square.shape[-2:] == (height, width) else bicubic_resize(square, height, width)


def _square(decoding: Decoding) -> tuple[tuple[int, int], int]:
    """Returns the left upper corner and the side of the middle square, in pixels of the picture as it was read."""
    left, top, right, bottom = decoding.box
    width, height = (-(-length // decoding.reduced_by) for length in (right - left, bottom - top))
    side = min(width, height)
    return ((width - side) // 2, (height - side) // 2), side


def _frame(decoding: Decoding) -> Box:
    """Returns the middle square in pixels of the whole picture."""
    left, top, right, bottom = decoding.box
    corner, side = _square(decoding)
    x, y = (place * decoding.reduced_by for place in corner)
    length = side * decoding.reduced_by
    return left + x, top + y, min(left + x + length, right), min(top + y + length, bottom)
