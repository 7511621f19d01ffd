"""The report's seven findings as statements about numbers; the bounds were written down before the runs ended.

A finding has parts, of which the first is its core. A part holds if the whole 95 % interval of its effect is on the
needed side of its bound. A finding holds if all of its parts hold, holds in part if its core does, and else does not
hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from curves import Curves
from points import COMBINED_LR_STDS, COMBINED_WEIGHTS, SEARCH_STEPS

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.intervals import Estimate, estimate

STUCK_DB = 6.0
"""A latent this far below the best latent of its portrait is stuck: it has four times the squared error."""


@dataclass(frozen=True)
class Part:
    """One part of a finding.

    Attributes:
        says: the statement, in words.
        effect: the measured effect.
        places: the number of decimals to show.
        unit: the unit of the effect.
        above, below: the bound of its whole interval; one of them is None.
    """

    says: str
    effect: Estimate
    places: int
    unit: str
    above: float | None = None
    below: float | None = None

    @property
    def holds(self) -> bool:
        if self.above is not None:
            return self.effect.low > self.above
        return self.below is not None and self.effect.high < self.below

    @property
    def needed(self) -> str:
        return f"> {self.above:g}" if self.above is not None else f"< {self.below:g}"

    def __str__(self) -> str:
        return f"{self.says}: {self.effect:{self.places}}{self.unit}, needs {self.needed}"


@dataclass(frozen=True)
class Finding:
    """One of the seven findings.

    Attributes:
        number: its number in DESIGN.md, section 1.
        says: the finding, in words.
        parts: the statements about numbers; the first is the core.
    """

    number: int
    says: str
    parts: Sequence[Part]

    @property
    def verdict(self) -> str:
        """The verdict in a few words."""
        core, *others = (part.holds for part in self.parts)
        if not core:
            return "does not hold"
        return "holds" if all(others) else "holds in part"


def findings(curves: Curves) -> list[Finding]:
    """Returns all seven findings, in order."""
    return [
        initial_latents(curves, f"resampling/{SEARCH_STEPS[-1]}"),
        poor_optima(curves, "resampling", *SEARCH_STEPS[-2:]),
        lr_noise(curves, "lr_noise"),
        _mask(curves),
        _synthesis_noise(curves),
        _batch_diversity(curves),
        combination(curves, "combined", (COMBINED_LR_STDS[-1], COMBINED_WEIGHTS[-1]), "weight {:g}"),
    ]


def initial_latents(curves: Curves, point: str) -> Finding:
    """Returns finding 1 of the search of one point."""
    ratio = curves(point, "distance") / curves(point, "lr_distance")
    return Finding(
        1,
        "Different initial latents give realistic, different images that downsample to nearly the same LR image",
        [
            Part("samples of at least 27 dB, share", estimate(curves(point, "faithful")), 2, "", above=0.9),
            Part("distance of samples / distance of their LR images", estimate(ratio), 2, "", above=2),
            Part("samples where real portraits lie, share", estimate(curves(point, "realism")), 2, "", above=0.5),
        ],
    )


def below_best(curves: Curves, point: str) -> np.ndarray:
    """Returns by how many dB each initial latent ends below the best of its portrait, [portraits, latents]."""
    lr_psnr = curves.lr_psnr_of_latents(point)
    return lr_psnr.max(axis=1, keepdims=True) - lr_psnr


def poor_optima(curves: Curves, method: str, half: int, whole: int) -> Finding:
    """Returns finding 2 of a method whose knob is the steps, from the points at `half` and `whole` of them."""
    at_half, at_whole = (below_best(curves, f"{method}/{steps}") for steps in (half, whole))
    stuck = (at_whole >= STUCK_DB).mean(axis=1)
    # Two searches from the same latents: if the start decides, the same ones end low in both.
    correlation = np.array([np.corrcoef(*pair)[0, 1] for pair in zip(at_half, at_whole, strict=True)])
    return Finding(
        2,
        "Some initial latents get stuck in poor local optima",
        [
            Part(f"latents {STUCK_DB:g} dB below their portrait's best, share", estimate(stuck), 3, "", above=0),
            Part(
                f"the same latents end low after {half} and {whole} steps, correlation",
                estimate(correlation),
                2,
                "",
                above=0,
            ),
        ],
    )


def lr_noise(curves: Curves, method: str) -> Finding:
    """Returns finding 3 of a method whose knob is the std of the LR noise."""

    def change(measure: str, start: str = "0.02", end: str = "0.2") -> Estimate:
        return estimate(curves(f"{method}/{end}", measure) - curves(f"{method}/{start}", measure))

    return Finding(
        3,
        "LR noise loosens the constraint: more noise, more diversity, less consistency; too much loses the reference",
        [
            Part("distance, std 0.02 to 0.2", change("distance"), 1, " grey levels", above=0),
            Part("LR-PSNR, std 0.02 to 0.2", change("lr_psnr"), 1, " dB", below=0),
            Part("LR-PSNR at std 0.4", estimate(curves(f"{method}/0.4", "lr_psnr")), 1, " dB", below=OK_LR_PSNR_DB),
            Part("PSNR, std 0.02 to 0.4", change("psnr", end="0.4"), 1, " dB", below=0),
        ],
    )


def _mask(curves: Curves) -> Finding:
    masked, everywhere = "masked_lr_noise/0.108", "lr_noise/0.108"
    contrast = curves(masked, "inside") / curves(masked, "outside")
    spared = curves(masked, "outside") / curves(everywhere, "outside")
    return Finding(
        4,
        "A mask confines the change to the masked region",
        [
            Part("distance inside the mask / outside, std 0.108", estimate(contrast), 2, "", above=2),
            Part("distance outside, with the mask / without", estimate(spared), 2, "", below=0.5),
        ],
    )


def _synthesis_noise(curves: Curves) -> Finding:
    subtle = curves("synthesis_noise/1", "distance") / curves("lr_noise/0.108", "distance")
    grain = curves("synthesis_noise/1", "grain") - curves("resampling/100", "grain")

    def change(measure: str) -> Estimate:
        return estimate(curves("synthesis_noise/4", measure) - curves("synthesis_noise/1", measure))

    return Finding(
        5,
        "Synthesis noise gives only subtle variety: film grain at the higher end, degradation beyond",
        [
            Part("distance at std 1 / that of LR noise of 0.108", estimate(subtle), 2, "", below=0.5),
            Part("grain in it, more than between independent latents, share", estimate(grain), 2, "", above=0),
            Part("LPIPS, std 1 to 4", change("lpips"), 3, "", above=0),
            Part("samples where real portraits lie, std 1 to 4, share", change("realism"), 2, "", below=0),
        ],
    )


def _batch_diversity(curves: Curves) -> Finding:
    strong = curves("batch_diversity/0.004", "distance") / curves("batch_diversity/0", "distance")
    faithful = estimate(curves("batch_diversity/0.004", "lr_psnr"))
    strays = estimate(curves("batch_diversity/0.02", "lr_psnr"))
    return Finding(
        6,
        "The batch-diversity loss gives strong variety from one shared latent; too much strays from the reference",
        [
            Part("distance, weight 0.004 / weight 0", estimate(strong), 2, "", above=2),
            Part("LR-PSNR at weight 0.004", faithful, 1, " dB", above=OK_LR_PSNR_DB),
            Part("LR-PSNR at weight 0.02", strays, 1, " dB", below=OK_LR_PSNR_DB),
        ],
    )


def combination(curves: Curves, method: str, values: tuple[float, float], other: str) -> Finding:
    """Returns finding 7 of a method with two knobs.

    Args:
        curves: the measures of all points.
        method: its points are <method>/<std>-<value of the other knob>; 0 switches a knob off.
        values: the values of both knobs that are combined.
        other: a format for the value of the other knob, in words.
    """
    std, value = values
    noise_alone, other_alone, both = (
        curves(f"{method}/{point}", "faithful") for point in (f"{std:g}-0", f"0-{value:g}", f"{std:g}-{value:g}")
    )
    return Finding(
        7,
        "The combination needs the knobs tuned together",
        [
            Part(f"faithful with LR noise of {std:g} alone, share", estimate(noise_alone), 2, "", above=0.5),
            Part(f"faithful with {other.format(value)} alone, share", estimate(other_alone), 2, "", above=0.5),
            Part(
                "faithful with both, less than with the worse alone, share",
                estimate(both - np.minimum(noise_alone, other_alone)),
                2,
                "",
                below=0,
            ),
        ],
    )
