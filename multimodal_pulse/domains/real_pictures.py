"""Real pictures of the domains that have some: what samples of a domain are compared with."""

from collections.abc import Iterator

from torch import Tensor

from multimodal_pulse.domains.portraits.renderer import render_seeds, split_seeds

_AT_ONCE = 25
_PORTRAITS = "rendered portraits"


def has_real_pictures(domain: str | None) -> bool:
    """Returns whether `real_pictures` has pictures of this domain; None is an unknown domain."""
    return domain == _PORTRAITS


def real_pictures(domain: str, resolution: int, count: int) -> Iterator[Tensor]:
    """Yields real pictures of a domain in batches, [n, 3, R, R] in [0, 1], always the same ones.

    They are portraits of the validation split, which the built-in generator has not seen.

    Args:
        domain: one for which `has_real_pictures`.
        resolution: R, from 16 to 1024.
        count: the number of pictures.
    """
    if not has_real_pictures(domain):
        raise ValueError(f"there are no real pictures of the domain {domain!r}")
    seeds = split_seeds("validation", count)
    return (render_seeds(seeds[first : first + _AT_ONCE], resolution) for first in range(0, count, _AT_ONCE))
