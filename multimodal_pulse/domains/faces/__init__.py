"""Faces in photographs: where they are, how a picture of one is framed, and a generator of them.

Begin with `find_faces`, which returns the `Frame` of every face in a picture; `cut_out` makes an upright picture of a
frame. `load_prior` loads the generator; `experiments/prior_training/faces` has its model card.
"""

from multimodal_pulse.domains.faces.aligner import find_faces
from multimodal_pulse.domains.faces.frame import Frame, cut_out
from multimodal_pulse.domains.faces.prior import load_prior

__all__ = ["Frame", "cut_out", "find_faces", "load_prior"]
