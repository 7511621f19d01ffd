"""References: the given LR pictures and, in an evaluation, their HR originals.

Begin with `Reference`, one LR picture with its original if that is known, and `References`, an ordered collection of
them, each made when it is requested. The sources are:

- `Portraits`: rendered portraits of the built-in domain;
- `ImageFile`, `Folder`: picture files of any size from 8 x 8 and of many formats;
- `AlignedFaces`: the faces in such files, each framed as FFHQ frames faces;
- `CelebAHQ`: a partition of the CelebAMask-HQ release;
- `InMemory`: one picture given in Python.

Every picture of a reference is float32 RGB in [0, 1], [3, H, W], with every value n / 255.

The names below are imported when they are first used, so that `picture_files` can refuse a broken picture in the time
before PyTorch is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimodal_pulse.references.alignment import AlignedFaces
    from multimodal_pulse.references.base import Reference, References
    from multimodal_pulse.references.celeba_hq import CelebAHQ
    from multimodal_pulse.references.files import Folder, ImageFile, PictureFiles
    from multimodal_pulse.references.in_memory import InMemory
    from multimodal_pulse.references.portraits import Portraits

_MODULES = {
    "AlignedFaces": "alignment",
    "CelebAHQ": "celeba_hq",
    "Folder": "files",
    "ImageFile": "files",
    "InMemory": "in_memory",
    "PictureFiles": "files",
    "Portraits": "portraits",
    "Reference": "base",
    "References": "base",
}

__all__ = [
    "AlignedFaces",
    "CelebAHQ",
    "Folder",
    "ImageFile",
    "InMemory",
    "PictureFiles",
    "Portraits",
    "Reference",
    "References",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
