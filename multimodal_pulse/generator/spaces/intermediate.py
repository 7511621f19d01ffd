"""The space of Intermediate Layer Optimization: latents, and features of inner layers near what the latents make."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.space import Variables
from multimodal_pulse.generator.spaces.sphere import Sphere
from multimodal_pulse.generator.statistics import WStatistics

_PREFIX = "deviation."


class Intermediate(Sphere):
    """The extended range of ILO (Daras et al. 2021): G2(G1(latent) + d), with |d|_1 at most `radius`.

    G1 are the layers up to a resolution and G2 the others. Like the authors' program (`ilo_stylegan.py`), it moves the
    latents on PULSE's spheres and the features in an l1 ball. There the centre of the ball is the features with which a
    round begins, and the paper projects the solution back to the range of G1 afterwards. Here latent and deviation move
    together in the same set, so that the centre of the ball is always in the range of G1, and to project is to drop the
    deviation: a next stage on the sphere does so. A next stage in this space at a higher resolution keeps it.

    Args:
        generator: the frozen generator.
        resolution: the resolution whose last features move, in pixels; at least 4, below that of the pictures.
        radius: the largest l1 norm of each deviation; 0 keeps the features in the range of G1.
        statistics: as in `Sphere`.
    Raises:
        UserError: a number is out of range.
    """

    def __init__(self, generator: Generator, resolution: int, radius: float, statistics: WStatistics | None = None):
        inner = generator.architecture.block_resolutions[:-1]
        if resolution not in inner:
            allowed = ", ".join(map(str, inner))
            raise UserError(f"latent_space.resolution={resolution} must be an inner one of this generator: {allowed}.")
        if not radius >= 0:
            raise UserError(f"latent_space.radius={radius} must not be negative.")
        super().__init__(generator, statistics)
        self.resolution, self.radius = resolution, radius

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws a latent as `Sphere` does; the deviation, [channels, r, r], is zero."""
        drawn = super().initial(rng)
        return drawn | {name: value[0] for name, value in self._none_yet(drawn["latent"][None]).items()}

    def begin_from(self, variables: Variables, w_plus: Tensor) -> Variables:
        """Takes over the latent and the deviations at other resolutions; a new deviation is zero."""
        earlier = {name: value for name, value in variables.items() if name.startswith(_PREFIX)}
        return super().begin_from(variables, w_plus) | self._none_yet(w_plus) | earlier

    def _none_yet(self, like: Tensor) -> Variables:
        """The deviation zero for a batch of the size, device and dtype of `like`."""
        channels = self.generator.architecture.channels(self.resolution)
        zero = like.new_zeros(len(like), channels, self.resolution, self.resolution)
        return {f"{_PREFIX}{self.resolution}": zero}

    def synthesise(self, variables: Mapping[str, Tensor], noise_maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps the variables to w_plus and images; see `Space`."""
        w_plus = self.to_w_plus(variables["latent"])
        return w_plus, self.generator.synthesis(w_plus, noise_maps, _deviations(variables)).to(w_plus.dtype)

    def retract(self, name: str, moved: Tensor, initial: Tensor) -> Tensor:
        """Projects a deviation onto its ball, and returns every other variable to its sphere."""
        if name.startswith(_PREFIX):
            return project_onto_l1_ball(moved, self.radius)
        return super().retract(name, moved, initial)

    @staticmethod
    def redraw(generator: Generator, latents: Mapping[str, Tensor], noise_maps: Sequence[Tensor] | None) -> Tensor:
        """Draws the images of a finished search again, with their deviations."""
        return generator.synthesis(latents["w_plus"], noise_maps, _deviations(latents))


def _deviations(variables: Mapping[str, Tensor]) -> dict[int, Tensor]:
    """The deviations among the variables, by resolution."""
    return {int(name.removeprefix(_PREFIX)): value for name, value in variables.items() if name.startswith(_PREFIX)}


def project_onto_l1_ball(points: Tensor, radius: float) -> Tensor:
    """Returns the nearest points, in Euclidean distance, whose l1 norm is at most `radius`, each row on its own.

    After Duchi et al. (2008), "Efficient projections onto the l1-ball", figure 1: every absolute value is lowered by
    the same threshold, and becomes zero where it is smaller. A sort finds the threshold.

    Args:
        points: [B, ...].
        radius: at least 0.
    """
    rows = points.flatten(1)
    if radius == 0 or rows.shape[1] == 0:
        return torch.zeros_like(points)
    descending = rows.abs().sort(dim=1, descending=True).values
    excess = descending.cumsum(dim=1) - radius
    counts = torch.arange(1, rows.shape[1] + 1, device=rows.device)
    # The number of components that stay above the threshold: at least the largest does.
    above = (descending * counts > excess).sum(dim=1, keepdim=True).clamp(min=1)
    threshold = (excess.gather(1, above - 1) / above).clamp(min=0)  # negative inside the ball: nothing is lowered
    return (rows.sign() * (rows.abs() - threshold).clamp(min=0)).view_as(points)
