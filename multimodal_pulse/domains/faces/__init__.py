"""Real faces: a generator trained on official portraits of legislators, and what its samples are compared with.

Begin with `load_prior`, which loads that generator; `experiments/prior_training/faces.md` is its model card.
"""

from multimodal_pulse.domains.faces.prior import load_prior

__all__ = ["load_prior"]
