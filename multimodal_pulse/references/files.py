"""References from picture files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.alignment import Align, Faces, given_faces
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.names import safe_name, unique_names
from multimodal_pulse.references.noise import said_noise
from multimodal_pulse.references.pairing import Pairing
from multimodal_pulse.references.picture_files import contents, refuse_failing, size_of
from multimodal_pulse.references.pixels import load
from multimodal_pulse.references.preparation import Remark, named, sentences


class PictureFiles(References):
    """References from the given files, in the given order; each file is read when it is requested.

    Unusable files are found before the search, in two steps: the constructor reads the headers of all files (format,
    size, number of pixels), and `check` decodes the files to be searched. Both take a small part of the time of a
    search, and no picture stays in memory. A file that is damaged later raises an error when it is requested.

    Args:
        resolution: the generator's, R.
        degradation: A.
        paths: the files.
        names: the name of each file's reference.
        as_, frame: see `Pairing`.
        align: the word of an `Align`; `AlignedFaces` reads it.
        noise_std: see `Pairing`.
    Raises:
        UserError: some files cannot be used, by their headers; they are named.
    """

    given_faces: list[Faces] | None = None
    """The faces that the user has framed; None: they are looked for."""

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        paths: Sequence[Path],
        names: list[str],
        as_: str = "auto",
        frame: Sequence[int] | None = None,
        align: str = "auto",
        noise_std: float | str | None = None,
    ) -> None:
        super().__init__(names)
        self.align = Align.of(align)
        self._paths = paths
        self._said: set[Path] = set()
        self.files = dict(zip(self.names, paths, strict=True))
        self._pairing = Pairing(resolution, degradation, as_, frame, noise_std)
        self.find_noise = self._pairing.find_noise
        self.add_notice(said_noise(noise_std))
        refuse_failing(lambda path: self._pairing.check(*size_of(path), str(path)), paths)

    def __getitem__(self, index: int) -> Reference:
        path = self._paths[index]
        picture = load(path, self._pairing.frame)
        with named(str(path)):
            reference = self._pairing(self.names[index], picture)
            _, remarks = self._pairing.prepare(picture.decoding)
        self._say({path: remarks})
        return reference

    def photograph(self, index: int) -> Tensor:
        """Reads a whole picture, upright: [3, H, W] in [0, 1]."""
        return load(self._paths[index]).rgb

    def check(self, indices: Iterable[int]) -> None:
        """Decodes each of these files once, one at a time; a notice says what is done to them, one for each kind.

        Raises:
            UserError: files are truncated or damaged after their headers, or cannot be used; the first ones are named.
        """
        remarks: dict[Path, list[Remark]] = {}

        def decode(path: Path) -> None:
            decoding = load(path, self._pairing.frame).decoding
            with named(str(path)):
                _, remarks[path] = self._pairing.prepare(decoding)

        refuse_failing(decode, [self._paths[index] for index in indices])
        self._say(remarks)

    def _say(self, remarks: Mapping[Path, Sequence[Remark]]) -> None:
        """Adds the notices about those of these files that were not spoken of yet."""
        new = [(str(path), remark) for path, of_it in remarks.items() if path not in self._said for remark in of_it]
        self._said.update(remarks)
        for sentence in sentences(new):
            self.add_notice(sentence)


class Folder(PictureFiles):
    """References from all picture files in a folder but hidden ones, img2 before img10; see `picture_formats`.

    The name of a file in a folder below has the folder's name before its own: `trip/a.png` is `trip_a`.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the folder.
        limit: the largest number of files, from the first; None: all.
        as_, frame: see `Pairing`; one frame for all.
        align: the word of an `Align`.
        noise_std: see `Pairing`.
        recursive: whether the files in the folders below count too.
    Raises:
        UserError: the folder is missing or has no picture, `limit` is less than 1, or as `PictureFiles`.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        path: str | Path,
        limit: int | None = None,
        as_: str = "auto",
        frame: Sequence[int] | None = None,
        align: str = "auto",
        recursive: bool = False,
        noise_std: float | str | None = None,
    ) -> None:
        if limit is not None and limit < 1:
            raise UserError(f"references.limit={limit} must be at least 1, or null for all.")
        folder = expanded(path)
        found = contents(folder, recursive)
        paths = found.pictures[:limit]
        names = unique_names(path.relative_to(folder) for path in paths)
        super().__init__(resolution, degradation, paths, names, as_, frame, align, noise_std)
        self.add_notice(f"in {folder}, {found.notice}." if found.notice else None)


class ImageFile(PictureFiles):
    """One reference from a picture file; see `picture_formats`.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the file.
        as_, frame: see `Pairing`.
        align: the word of an `Align`.
        noise_std: see `Pairing`.
        name: the name of the reference, which fixes all random draws together with the seed; None: the file's. A file
            that was renamed has the same samples as before if its former name is given here.
        faces: frames of its faces, [x, y, side, roll] each, in place of those that are found.
    Raises:
        UserError: as `PictureFiles`.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        path: str | Path,
        as_: str = "auto",
        frame: Sequence[int] | None = None,
        align: str = "auto",
        name: str | None = None,
        noise_std: float | str | None = None,
        faces: Sequence[Sequence[float]] | None = None,
    ) -> None:
        file = expanded(path)
        self.given_faces = given_faces(faces)
        super().__init__(resolution, degradation, [file], [safe_name(name or file.stem)], as_, frame, align, noise_std)
