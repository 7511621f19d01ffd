"""What is counted: traits of a portrait that one can see, and where each lies in a parameter vector."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal_pulse.domains.portraits.factors import FactorView
from multimodal_pulse.domains.portraits.figure import make_pose


@dataclass(frozen=True)
class Trait:
    """A visible trait with two or three classes, which divide the values of `measure` at `bounds`.

    Attributes:
        name: of the trait.
        classes: the names of its classes, in the order of the measure.
        bounds: where one class ends and the next begins: one less than there are classes.
        measure: maps parameter vectors to the measure of each portrait, [N].
    """

    name: str
    classes: tuple[str, ...]
    bounds: tuple[float, ...]
    measure: Callable[[FactorView], Tensor]

    def of(self, factors: Tensor) -> Tensor:
        """Returns the class of each parameter vector, [N, NUM_FACTORS] -> int64 [N]."""
        return torch.bucketize(
            self.measure(FactorView(factors)).flatten().contiguous(), torch.tensor(self.bounds), right=True
        )


def _beard(f: FactorView) -> Tensor:
    """Returns how dense the beard is, from 0 to 1, as `portraits.face.beard` paints it."""
    return ((0.5 - f["beard"]) * 3.2).clamp(0, 1) * ((0.5 - f["presentation"]) * 8).clamp(0, 1)


def _hair_length(f: FactorView) -> Tensor:
    """Returns the length of the hair as `portraits.figure.hair` paints it: from 0.55 it falls below the ears."""
    return 0.75 * f["hair_length"] + 0.45 * f["presentation"] - 0.10


def _hair_shade(f: FactorView) -> Tensor:
    """Returns how light the hair is: the mean of its red, green and blue, grey hair included."""
    return make_pose(f).hair.mean(dim=1)


TRAITS = (
    Trait("glasses", ("no glasses", "glasses"), (0.77,), lambda f: f["glasses"]),
    Trait("beard", ("no beard", "beard"), (0.5,), _beard),
    Trait("skin tone", ("light", "medium", "dark"), (1 / 3, 2 / 3), lambda f: f["skin_tone"]),
    Trait("hair length", ("short", "long"), (0.425,), _hair_length),
    Trait("hair shade", ("dark", "brown or red", "fair or grey"), (0.2, 0.33), _hair_shade),
)


def classes_of(factors: Tensor) -> Tensor:
    """Returns the class of every trait of parameter vectors [N, NUM_FACTORS]: int64 [N, traits]."""
    return torch.stack([trait.of(factors) for trait in TRAITS], dim=1)
