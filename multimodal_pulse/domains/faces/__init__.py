"""The domain of faces in photographs: how a picture that shows one is framed.

Begin with `find_faces`, which returns the `Frame` of every face in a picture; `cut_out` makes an upright picture of a
frame.
"""

from multimodal_pulse.domains.faces.aligner import find_faces
from multimodal_pulse.domains.faces.frame import Frame, cut_out

__all__ = ["Frame", "cut_out", "find_faces"]
