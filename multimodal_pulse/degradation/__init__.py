"""Degradations: linear operators A that turn an original into its low-resolution reference.

Begin with `Degradation`, which says what an operator offers: A itself, its transpose, its pseudo-inverse, a regularised
inverse and an answer without a search. One file each:

- `Bicubic`, `PlainBicubic` (without antialiasing), `Area`: downsampling by a whole factor;
- `GaussianBlur`, `MotionBlur`: blurs, with or without downsampling;
- `Grayscale`: the loss of colour;
- `Inpainting`: a part of the picture is hidden;
- `RandomProjection`: random measurements instead of pixels (compressed sensing);
- `DeepinvPhysics`: any linear operator of deepinv;
- `candidate`: one of those among which a blind start chooses.

For a degradation of your own, derive a class from `Degradation` and name it in an option file of `conf/degradation/`.
"""

from multimodal_pulse.degradation.area import Area
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.candidates import candidate
from multimodal_pulse.degradation.deepinv_physics import DeepinvPhysics
from multimodal_pulse.degradation.gaussian_blur import GaussianBlur
from multimodal_pulse.degradation.grayscale import Grayscale
from multimodal_pulse.degradation.inpainting import Inpainting
from multimodal_pulse.degradation.motion_blur import MotionBlur
from multimodal_pulse.degradation.operator import Degradation
from multimodal_pulse.degradation.plain_bicubic import PlainBicubic
from multimodal_pulse.degradation.random_projection import RandomProjection

__all__ = [
    "Area",
    "Bicubic",
    "DeepinvPhysics",
    "Degradation",
    "GaussianBlur",
    "Grayscale",
    "Inpainting",
    "MotionBlur",
    "PlainBicubic",
    "RandomProjection",
    "candidate",
]
