"""What the search hands over for one reference."""

from dataclasses import dataclass, field

from torch import Tensor

from multimodal_pulse.references.base import Reference


@dataclass(frozen=True)
class Outcome:
    """The K samples found for one reference, and how they were found. Images are float32 RGB in [0, 1].

    Attributes:
        reference: the picture that was searched for.
        targets: [K, 3, h, w], the LR picture each sample was fitted to; equal to `reference.lr` without LR noise. Not
            clamped: noise may leave [0, 1].
        mask: [1, h, w] in [0, 1], 1 where LR noise was allowed; None where the whole picture had it, or none had.
        samples: [K, 3, R, R] in [0, 1], each sample's best iterate after the consistency step, not yet rounded.
        latents: what draws the samples again, as it is stored in `latents.safetensors`: `latent` and `w_plus`
            [K, num_ws, w_dim] and `noise.<layer>` [K or 1, 1, r, r] for each layer, in order. Empty for a method
            without a generator.
        fidelity_trace: [steps, K], each sample's LR mean squared error before each step, unclamped.
        best_step: for each sample, the step (from 0) whose iterate was kept.
        steps: number of steps searched.
        seconds: wall time spent on this reference (a group's time divided by the references in it).
        film: [F, K, 3, R, R], the samples at some steps of the search; None unless it was asked for.
        film_steps: the F steps that the film shows.
        group: names of the references that were searched together, this one among them; the rounding depends on them.
        halved: whether that is part of a larger group, which did not fit into memory.
    """

    reference: Reference
    targets: Tensor
    mask: Tensor | None
    samples: Tensor
    latents: dict[str, Tensor]
    fidelity_trace: Tensor
    best_step: list[int]
    steps: int
    seconds: float
    film: Tensor | None = None
    film_steps: list[int] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    halved: bool = False
