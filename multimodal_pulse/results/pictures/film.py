"""The film strip of a search."""

import math
from collections.abc import Sequence

from PIL import Image

from multimodal_pulse.results.pictures.grid import Words, given_tiles
from multimodal_pulse.results.pictures.page import Page, Tile, tile_side
from multimodal_pulse.results.pictures.verdict import Verdict, counted
from multimodal_pulse.search.outcome import Outcome

_LEGEND = "Each row is one sample at some steps of its search, and last as it was saved, from its best step."


def film_strip(outcome: Outcome, verdicts: Sequence[Verdict], words: Words) -> Image.Image:
    """Draws the film of one reference's search: a row for each sample, a column for each step of the film.

    On the left are the original and the reference, as in the grid; the last column has the saved samples with what is
    said under them.

    Args:
        outcome: the result of the search, with a film.
        verdicts: what is said under each sample.
        words: the words of the grid.

    Returns: an RGB picture on white.
    """
    film = outcome.film
    assert film is not None
    given, samples = given_tiles(outcome.reference), len(outcome.samples)
    given_columns = math.ceil(len(given) / samples)
    kept_column = given_columns + len(film)
    page = Page(
        tile_side(film.shape[-1], wanted=128, most=128),
        columns=kept_column + 1,
        rows=samples,
        gutters=[given_columns, kept_column],
        title=words.title(outcome.reference.name),
        note=_LEGEND,
        warnings=counted(words.remarks, verdicts),
        footers=2,
    )
    for place, tile in enumerate(given):
        page.put(tile, column=place // samples, row=place % samples)
    for k in range(samples):
        for frame, step in enumerate(outcome.film_steps):
            page.put(Tile(f"Sample {k}, step {step}", film[frame, k]), given_columns + frame, row=k)
        label = f"Kept: step {outcome.best_step[k]}" + words.exact * ", made exact"
        page.put(Tile(label, outcome.samples[k], verdicts[k].lines(words.domain)), kept_column, row=k)
    return page.image
