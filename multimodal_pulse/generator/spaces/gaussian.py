"""PULSE's whitened latent space without its spheres."""

from torch import Tensor

from multimodal_pulse.generator.spaces.sphere import Sphere


class Gaussian(Sphere):
    """One unit-Gaussian vector per style input that may take any length.

    Its prior is a standard normal distribution, so that a search needs a term that keeps it near its start or its
    mean: see `multimodal_pulse.search.MapObjective`.
    """

    def retract(self, name: str, moved: Tensor, initial: Tensor) -> Tensor:
        """Returns `moved`: every point belongs to this space."""
        return moved
