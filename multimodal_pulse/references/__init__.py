"""References: HR/LR pairs from rendered portraits, picture files, CelebA-HQ or memory."""

from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.celeba_hq import CelebAHQ
from multimodal_pulse.references.files import Folder, ImageFile
from multimodal_pulse.references.in_memory import InMemory
from multimodal_pulse.references.portraits import Portraits

__all__ = ["CelebAHQ", "Folder", "ImageFile", "InMemory", "Portraits", "Reference", "References"]
