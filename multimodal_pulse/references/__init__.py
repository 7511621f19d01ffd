"""References: the given LR pictures and, in an evaluation, their HR originals.

Begin with `Reference`, one LR picture with its original if that is known, and `References`, an ordered collection of
them, each made when it is requested. The sources are:

- `Portraits`: rendered portraits of the built-in domain;
- `ImageFile`, `Folder`: PNG, JPEG and WebP files;
- `CelebAHQ`: a partition of the CelebAMask-HQ release;
- `InMemory`: one picture given in Python.

Every picture of a reference is float32 RGB in [0, 1], [3, H, W], with every value n / 255.
"""

from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.celeba_hq import CelebAHQ
from multimodal_pulse.references.files import Folder, ImageFile
from multimodal_pulse.references.in_memory import InMemory
from multimodal_pulse.references.portraits import Portraits

__all__ = ["CelebAHQ", "Folder", "ImageFile", "InMemory", "Portraits", "Reference", "References"]
