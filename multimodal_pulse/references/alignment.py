"""Alignment: every face of a picture becomes a reference of its own, framed as FFHQ frames faces."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.domains.faces import Frame, cut_out, find_faces
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.noise import FindNoise, Noise
from multimodal_pulse.references.picture_files import refuse_failing
from multimodal_pulse.references.pixels import quantise

FACES = "photographs/faces"
CENTRED, SCALED, LEVEL = 0.06, 0.15, 5.0
"""How far the frame of a picture that is framed already may lie from the whole picture: its centre in sides, the
logarithm of its side, its roll in degrees. MTCNN finds aligned pictures within 1.5 %, 7 % and 1.6 degrees."""
FEW = 3  # pictures that are searched for faces without a progress bar


class Align(StrEnum):
    """Which pictures are aligned: all; none; or, if the generator knows faces, those that are not framed already."""

    auto = "auto"
    ffhq = "ffhq"
    none = "none"

    @classmethod
    def of(cls, word: str) -> "Align":
        """Returns the choice that `references.align` names; raises UserError if it is another word."""
        if word not in list(cls):
            raise UserError(f"references.align={word} must be one of {', '.join(cls)}.")
        return cls(word)

    def wanted(self, knows: str | None) -> bool:
        """Returns whether faces are looked for at all, for a generator of this domain; None is any or unknown."""
        return self is Align.ffhq or self is Align.auto and f"{knows}/".startswith(f"{FACES}/")


class Photographs(Protocol):
    """References that are made of whole pictures, one of each, in which there may be faces.

    Attributes:
        names, files, notices: as of all `References`.
        align: which of the pictures are aligned.
        find_noise: finds the noise of a reference.
    """

    names: list[str]
    files: dict[str, Path]
    notices: list[str]
    align: Align
    find_noise: FindNoise

    def __getitem__(self, index: int, /) -> Reference:
        """Makes the reference of a picture without alignment."""
        ...

    def check(self, indices: Iterable[int], /) -> None:
        """Checks the pictures that go on as they are."""
        ...

    def photograph(self, index: int, /) -> Tensor:
        """Reads a whole picture, upright: [3, H, W] in [0, 1]."""
        ...


@dataclass(frozen=True)
class Faces:
    """The faces of a picture.

    Attributes:
        frames: the frames of all of them.
        framed: whether the picture is framed already, so that it is used as it is.
        given: whether the user gave the frames, so that nobody has looked for them.
    """

    frames: Sequence[Frame]
    framed: bool
    given: bool = False

    @property
    def cut_out(self) -> Sequence[Frame]:
        """The frames that become references."""
        return () if self.framed else self.frames


def given_faces(frames: Iterable[Sequence[float]] | None) -> list[Faces] | None:
    """Returns the faces of one picture from the user's own frames, [x, y, side, roll] each; None if there are none."""
    if frames is None:
        return None
    return [Faces([Frame(*map(float, numbers)) for numbers in frames], framed=False, given=True)]


def find_all_faces(photographs: Sequence[Callable[[], Tensor]], align: Align) -> list[Faces]:
    """Finds the faces of pictures, with a progress bar if they are many.

    Args:
        photographs: reads each picture, [3, H, W] in [0, 1].
        align: with `auto`, a picture that is framed already is used as it is.

    Raises:
        UserError: pictures cannot be read; the first ones are named.
    """
    found: list[Faces] = []
    bar = progress_bar(
        total=len(photographs), desc="looking for faces", unit="picture", disable=len(photographs) <= FEW
    )

    def find(read: Callable[[], Tensor]) -> None:
        picture = read()
        frames = find_faces(picture)
        found.append(Faces(frames, align is Align.auto and is_framed(frames, picture)))
        bar.update()

    with bar:
        refuse_failing(find, photographs)
    return found


@dataclass(frozen=True)
class Aligned:
    """How the picture of a reference was aligned.

    Attributes:
        frame: the square of the photograph that the reference shows, upright.
        photograph: reads the whole photograph, [3, H, W] in [0, 1].
    """

    frame: Frame
    photograph: Callable[[], Tensor]

    @classmethod
    def recorded(cls, entry: Mapping[str, Any], photograph: Callable[[], Tensor]) -> "Aligned":
        """Makes it of what `as_dict` has written."""
        xs, ys = zip(*entry["corners"], strict=True)
        return cls(Frame(sum(xs) / 4, sum(ys) / 4, entry["side"], entry["roll_degrees"], entry["score"]), photograph)

    def surroundings(self) -> tuple[Tensor, Frame]:
        """Returns the part of the photograph that the corners of the frame lie in, and the frame in its pixels."""
        photograph = self.photograph()
        xs, ys = zip(*self.frame.corners(), strict=True)
        left, top = (max(0, math.floor(min(places))) for places in (xs, ys))
        part = photograph[:, top : math.ceil(max(ys)), left : math.ceil(max(xs))]
        return part, replace(self.frame, x=self.frame.x - left, y=self.frame.y - top)

    def as_dict(self) -> dict[str, Any]:
        """Returns it as record.json has it: pixels of the upright picture, whose upper left corner is (0, 0)."""
        return {
            "corners": [[round(x, 3), round(y, 3)] for x, y in self.frame.corners()],
            "side": round(self.frame.side, 3),
            "roll_degrees": round(self.frame.roll, 3),
            "score": round(self.frame.score, 4),
        }


class AlignedFaces(References):
    """The faces in pictures: `photo-face0`, `photo-face1`, ... from left to right.

    A face is cut out at the generator's resolution and degraded; it is an original if its frame has as many pixels in
    the photograph. A picture without a face goes on as it is, under its own name, and so does, with
    `references.align=auto`, one that is framed already. The constructor looks for the faces, since the number of
    references depends on them.

    Args:
        pictures: the references that the pictures are without alignment.
        resolution: the generator's, R.
        degradation: A.
        faces: those of each picture; None: they are looked for.
    Raises:
        UserError: pictures cannot be read; the first ones are named.
    """

    def __init__(
        self, pictures: Photographs, resolution: int, degradation: Degradation, faces: Sequence[Faces] | None = None
    ) -> None:
        self._pictures, self._resolution, self._degradation = pictures, resolution, degradation
        readers = [partial(pictures.photograph, index) for index in range(len(pictures.names))]
        faces = find_all_faces(readers, pictures.align) if faces is None else faces
        self._parts: list[tuple[int, Aligned | None]] = []
        names: list[str] = []
        for index, (name, of_picture) in enumerate(zip(pictures.names, faces, strict=True)):
            for number, frame in enumerate(of_picture.cut_out):
                names.append(_free(f"{name}-face{number}", {*pictures.names, *names}))
                self._parts.append((index, Aligned(frame, readers[index])))
            if not of_picture.cut_out:
                names.append(name)
                self._parts.append((index, None))
        super().__init__(names)
        self.notices = pictures.notices
        sources = [pictures.names[index] for index, _ in self._parts]
        named = zip(names, sources, strict=True)
        self.files = {name: pictures.files[source] for name, source in named if source in pictures.files}
        if not any(of_picture.given for of_picture in faces):
            self._say([name for name, of_picture in zip(pictures.names, faces, strict=True) if not of_picture.frames])

    def __getitem__(self, index: int) -> Reference:
        source, aligned = self._parts[index]
        if aligned is None:
            return self._pictures[source]
        square = quantise(cut_out(aligned.photograph(), aligned.frame, self._resolution))
        original = square if aligned.frame.side >= self._resolution else None
        lr = quantise(self._degradation(square))
        return Reference(self.names[index], lr, original, aligned=aligned, noise=self._noise(aligned))

    def _noise(self, aligned: Aligned) -> Noise:
        """Finds the noise of a reference in the upright box of its photograph that has the frame in its middle."""
        part, frame = aligned.surroundings()
        return self._pictures.find_noise(part, lambda x: self._degradation(cut_out(x, frame, self._resolution)))

    def check(self, indices: Iterable[int]) -> None:
        """Checks the pictures that go on as they are; the others were read when their faces were found.

        Raises:
            UserError: some cannot be used; the first ones are named.
        """
        parts = [self._parts[index] for index in indices]
        self._pictures.check([source for source, aligned in parts if aligned is None])

    def _say(self, faceless: Sequence[str]) -> None:
        if count := sum(aligned is not None for _, aligned in self._parts):
            found = "1 face was" if count == 1 else f"{count} faces were"
            self.add_notice(f"{found} found and framed as in FFHQ; references.align=none takes pictures as they are.")
        if faceless:
            used = "it is" if len(faceless) == 1 else "they are"
            called = [str(self._pictures.files.get(name, "the image")) for name in faceless]
            self.add_notice(f"no face was found in {listed(called)}: {used} used without alignment.")


def is_framed(faces: Sequence[Frame], picture: Tensor) -> bool:
    """Returns whether a picture [3, H, W] with these faces is framed already: one face, whose frame is the picture."""
    height, width = picture.shape[-2:]
    if len(faces) != 1:
        return False
    (face,) = faces
    side = min(height, width)
    centred = math.dist((face.x, face.y), (width / 2, height / 2)) <= CENTRED * side
    square = max(height, width) <= math.exp(SCALED) * side
    return centred and square and abs(math.log(face.side / side)) <= SCALED and abs(face.roll) <= LEVEL


def _free(name: str, taken: Iterable[str]) -> str:
    """Returns the name, with further underscores if a reference has it already, ignoring case."""
    used = {other.casefold() for other in taken}
    while name.casefold() in used:
        name += "_"
    return name
