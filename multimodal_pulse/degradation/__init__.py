"""Degradations: linear operators A that turn an original into its low-resolution reference.

Begin with `Degradation`, which says what an operator offers: A itself, its transpose, its pseudo-inverse and an answer
without a search. `Bicubic` is antialiased bicubic downsampling by a whole factor, `PlainBicubic` the same without
antialiasing. For a degradation of your own, derive a class from `Degradation` and name it in an option file of
`conf/degradation/`.
"""

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.operator import Degradation
from multimodal_pulse.degradation.plain_bicubic import PlainBicubic

__all__ = ["Bicubic", "Degradation", "PlainBicubic"]
