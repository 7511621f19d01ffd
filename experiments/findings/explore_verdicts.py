"""The seven findings asked of `explore`, the default; the bounds were written down before any of its runs.

Where the same question can be asked, it is asked with the same bounds. LR-PSNR is that of what the search found, before
the exact projection. Two findings need other words: samples of `explore` differ by their starts, so that for a mask
and for synthesis noise it is what they add that counts.
"""

from collections.abc import Callable

import numpy as np
from curves import Curves
from points import COMBINED_DISTANCES, COMBINED_LR_STDS, EXPLORE_STEPS
from verdicts import Finding, Part, combination, initial_latents, lr_noise, poor_optima

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.intervals import estimate


def explore_findings(curves: Curves) -> list[Finding]:
    """Returns all seven findings of `explore`, in order."""
    return [
        initial_latents(curves, "explore_starts/20"),
        poor_optima(curves, "explore_starts", *EXPLORE_STEPS[-2:]),
        lr_noise(curves, "explore_lr_noise"),
        _mask(curves),
        _synthesis_noise(curves),
        _repulsion(curves),
        combination(
            curves,
            "explore_combined",
            (COMBINED_LR_STDS[-1], COMBINED_DISTANCES[-1]),
            "a repulsion of {:g} grey levels",
        ),
    ]


def _change(curves: Curves, start: str, end: str) -> Callable[[str], np.ndarray]:
    """Returns a function from a measure to its difference between two points, [portraits]."""
    return lambda measure: curves(end, measure) - curves(start, measure)


def _mask(curves: Curves) -> Finding:
    added = _change(curves, "explore_lr_noise/0", "explore_masked_lr_noise/0.108")
    return Finding(
        4,
        "A mask confines the change to the masked region",
        [
            Part(
                "distance added inside the mask, more than outside, std 0.108",
                estimate(added("inside") - added("outside")),
                1,
                " grey levels",
                above=0,
            ),
            Part("distance added inside", estimate(added("inside")), 1, " grey levels", above=0),
            Part("distance added outside", estimate(added("outside")), 1, " grey levels", below=1),
        ],
    )


def _synthesis_noise(curves: Curves) -> Finding:
    point = "explore_synthesis_noise/{:g}".format
    usual, strong = _change(curves, point(0.02), point(1)), _change(curves, point(1), point(4))
    subtle = usual("distance") / curves(point(0.02), "distance")
    return Finding(
        5,
        "Synthesis noise gives only subtle variety: film grain at the higher end, degradation beyond",
        [
            Part("distance added by std 1 / distance at std 0.02", estimate(subtle), 2, "", below=0.5),
            Part("grain in it, std 0.02 to 1, share", estimate(usual("grain")), 2, "", above=0),
            Part("LPIPS, std 1 to 4", estimate(strong("lpips")), 3, "", above=0),
            Part("samples where real portraits lie, std 1 to 4, share", estimate(strong("realism")), 2, "", below=0),
        ],
    )


def _repulsion(curves: Curves) -> Finding:
    none, default, strong = (f"explore_repulsion/{distance}" for distance in (0, 20, 40))
    return Finding(
        6,
        "The repulsion gives strong variety beyond that of the starts; too much strays from the reference",
        [
            Part(
                "distance, 40 grey levels / no repulsion",
                estimate(curves(strong, "distance") / curves(none, "distance")),
                2,
                "",
                above=1.5,
            ),
            Part("LR-PSNR at 20", estimate(curves(default, "lr_psnr")), 1, " dB", above=OK_LR_PSNR_DB),
            Part("LR-PSNR at 40", estimate(curves(strong, "lr_psnr")), 1, " dB", below=OK_LR_PSNR_DB),
        ],
    )
