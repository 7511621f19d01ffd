"""The built-in domain: portraits drawn by a program, and a generator trained on them.

Begin with `load_prior`, which loads that generator. The module `renderer` draws portraits from parameter vectors
(`render`) or from seeds (`render_seeds`); `factors` lists the parameters and the splits of the seeds. The other modules
draw the parts of a picture: `figure` (background, body, hair), `face`, and `shapes` (the drawing primitives).
"""

from multimodal_pulse.domains.portraits.prior import load_prior

__all__ = ["load_prior"]
