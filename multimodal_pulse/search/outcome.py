"""What a search gets and gives: references, and the outcome of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.pixels import quantise


class ReferenceList(Protocol):
    """References by index; each is made when it is requested."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Reference: ...


@dataclass(frozen=True)
class Outcome:
    """The K samples found for one reference, and how they were found. Images are float32 RGB in [0, 1].

    Attributes:
        reference: the reference.
        targets: [K, 3, h, w], the LR picture that each sample was fitted to; without LR noise it equals `reference.lr`.
            Not clamped: LR noise may leave [0, 1].
        mask: [1, h, w] in [0, 1], 1 where LR noise was allowed; None if the whole picture or no part of it had noise.
        samples: [K, 3, R, R], each sample's kept iterate after the consistency step, rounded to 8 bits: every value is
            n / 255, exactly as in the saved file. Not uint8, because a failed sample has NaN and every score needs
            float pictures.
        lr_found: [K, 3, h, w], the iterates clamped to [0, 1] and downsampled, before the consistency step.
        lr_before_rounding: [K, 3, h, w], the samples downsampled before they were rounded.
        latents: the tensors that draw the samples again, as stored in `latents.safetensors`: `latent` and `w_plus`
            [K, num_ws, w_dim] and `noise.<layer>` [K or 1, 1, r, r] for each layer, in order. Empty for a method
            without a generator.
        fidelity_trace: [steps of the group, K], each sample's LR mean squared error before each step, unclamped; after
            its last pass it stays what it was.
        best_step: the step (from 0) of each sample's kept iterate.
        steps: the number of steps in which this reference was searched, the most passes of a sample.
        seconds: the wall time of this reference: its group's time divided by the number of references in the group.
        film: [F, K, 3, R, R], the samples at F steps of the search; None without a film.
        film_steps: the F steps of the film.
        selected: the number that each sample had in the search, whose random streams it used; empty: 0 to K - 1.
        group: the names of the references searched together, including this one; rounding depends on them.
        passes: the passes of each sample; empty: `steps` for all.
        halved: whether the group is part of a larger one that did not fit into memory.
        stopped: whether the search was stopped before its last step.
    """

    reference: Reference
    targets: Tensor
    mask: Tensor | None
    samples: Tensor
    lr_found: Tensor
    lr_before_rounding: Tensor
    latents: dict[str, Tensor]
    fidelity_trace: Tensor
    best_step: list[int]
    steps: int
    seconds: float
    film: Tensor | None = None
    film_steps: list[int] = field(default_factory=list)
    selected: list[int] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    halved: bool = False
    stopped: bool = False


Recorder = Callable[[Outcome], None]
"""What receives the outcome of each reference."""


class Search(Protocol):
    """What finds the samples of references: `LatentOptimization` or a baseline."""

    def run(self, recorder: Recorder, /, **trainer_options: Any) -> None:
        """Hands the outcome of each reference to the recorder."""
        ...


def round_samples(found: Tensor, degradation: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Rounds the found pictures to 8 bits. Files, scores and pictures are all made from the rounded samples.

    Args:
        found: [K, 3, R, R] in [0, 1], after the consistency step; NaN where a search failed.
        degradation: A.

    Returns: `samples` and `lr_before_rounding` of an `Outcome`.
    """
    return quantise(found).float(), degradation(found)
