"""What turns an original into a reference: a linear operator with its transpose and its pseudo-inverse."""

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.operator import Degradation

__all__ = ["Bicubic", "Degradation"]
