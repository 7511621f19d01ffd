"""`references=portraits`: rendered portraits of the built-in domain."""

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.domains.portraits.renderer import SPLITS, mouth_mask, render_seeds, split_seeds
from multimodal_pulse.references.base import Reference, References, degraded

EVALUATION_SPLITS = ("validation", "test")


class Portraits(References):
    """Portraits of a split that the built-in generator was not trained on, drawn when requested.

    Args:
        resolution: the generator's, R.
        degradation: A.
        limit: the number of portraits.
        split: "validation" (to choose settings) or "test" (to report).
        start: the number of the first portrait in the split, from 0.
    Raises:
        UserError: `split` is another word, or it does not have so many portraits from `start` on.
    """

    domain = "rendered portraits"

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        limit: int | None = 1,
        split: str = "test",
        start: int = 0,
    ) -> None:
        if split not in EVALUATION_SPLITS:
            raise UserError(f"references.split={split} must be one of {', '.join(EVALUATION_SPLITS)}.")
        available = len(SPLITS[split])
        if not 0 <= start < available:
            raise UserError(f"references.start={start} must be the number of a portrait, from 0 to {available - 1}.")
        if limit is None or not 1 <= limit <= available - start:
            shown = "null" if limit is None else limit
            raise UserError(f"references.limit={shown} must be a number of portraits from 1 to {available - start}.")
        degradation.lr_shape((3, resolution, resolution))
        super().__init__([f"{split}_{index:06d}" for index in range(start, start + limit)])
        self._resolution = resolution
        self._degradation = degradation
        self._seeds = split_seeds(split, limit, start)

    def __getitem__(self, index: int) -> Reference:
        (portrait,) = render_seeds([self._seeds[index]], self._resolution)
        return degraded(self.names[index], portrait, self._degradation)

    def own_mask(self) -> Tensor:
        """Returns the mask of the mouth, [1, R, R]."""
        return mouth_mask(self._resolution)[0]
