"""Real pictures of the domains that have some: what samples of a domain are compared with."""

from collections.abc import Iterator

from safetensors.torch import load_file
from torch import Tensor

from multimodal_pulse.domains.faces import prior as faces
from multimodal_pulse.domains.portraits import prior as portraits
from multimodal_pulse.domains.portraits.renderer import render_seeds, split_seeds

_AT_ONCE = 25
_KEPT = {(prior.DOMAIN, prior.RESOLUTION): prior.REAL_FEATURES for prior in (faces, portraits)}


def has_real_pictures(domain: str | None) -> bool:
    """Returns whether `real_pictures` has pictures of this domain; None is an unknown domain."""
    return domain == portraits.DOMAIN


def kept_features(domain: str, resolution: int) -> Tensor | None:
    """Returns SqueezeNet's features of real pictures, [N, 512], where they are shipped; None elsewhere.

    Args:
        domain: any domain.
        resolution: R; features of pictures of another size cannot be compared.
    """
    file = _KEPT.get((domain, resolution))
    return None if file is None else load_file(file)["features"].float()


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
