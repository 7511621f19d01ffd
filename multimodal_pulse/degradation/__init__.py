"""What turns an original into a reference."""

from multimodal_pulse.degradation.bicubic import Degradation

__all__ = ["Degradation"]
