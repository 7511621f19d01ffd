"""`references=portraits`: rendered portraits of the built-in domain."""

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.domains.portraits.renderer import SPLITS, mouth_mask, render_seeds, split_seeds
from multimodal_pulse.references.base import Reference, References, degraded

EVALUATION_SPLITS = ("validation", "test")


class Portraits(References):
    """The first portraits of a split that the built-in generator was not trained on, drawn when requested.

    Args:
        resolution: the generator's, R.
        degradation: A.
        limit: the number of portraits.
        split: "validation" (to choose settings) or "test" (to report).
    Raises:
        UserError: `split` is another word, or `limit` is not from 1 to the size of the split.
    """

    domain = "rendered portraits"

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        limit: int | None = 1,
        split: str = "test",
    ) -> None:
        if split not in EVALUATION_SPLITS:
            raise UserError(f"references.split={split} must be one of {', '.join(EVALUATION_SPLITS)}.")
        available = len(SPLITS[split])
        if limit is None or not 1 <= limit <= available:
            shown = "null" if limit is None else limit
            raise UserError(f"references.limit={shown} must be a number of portraits from 1 to {available}.")
        degradation.lr_shape((3, resolution, resolution))
        super().__init__([f"{split}_{index:06d}" for index in range(limit)])
        self._resolution = resolution
        self._degradation = degradation
        self._seeds = split_seeds(split, limit)

    def __getitem__(self, index: int) -> Reference:
        (portrait,) = render_seeds([self._seeds[index]], self._resolution)
        return degraded(self.names[index], portrait, self._degradation)

    def own_mask(self) -> Tensor:
        """Returns the mask of the mouth, [1, R, R]."""
        return mouth_mask(self._resolution)[0]
