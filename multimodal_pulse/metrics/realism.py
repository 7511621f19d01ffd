"""Realism: whether a sample lies where real pictures of its domain lie.

It is the improved precision of Kynkaanniemi et al. (see `manifold`) on SqueezeNet's features, sample by sample: a
sample is realistic if it lies in the ball of some real picture, whose radius is the distance to its k-th neighbour.
"""

import logging
import pickle
from typing import Any

import torch
from torch import Tensor

from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.domains.real_pictures import has_real_pictures, kept_features, real_pictures
from multimodal_pulse.generator.computed_once import computed_once
from multimodal_pulse.metrics.lpips import SMALLEST, backbone_file, promised_prefix
from multimodal_pulse.metrics.manifold import Manifold, features, squeezenet

logger = logging.getLogger(__name__)

REAL_PICTURES = 2000
"""How many real pictures samples are compared with."""


class NullRealism:
    """The null object for a realism that cannot be measured: it is None for every sample.

    Attributes:
        reason: why it cannot be measured, in a few words.
    """

    def __init__(self, reason: str = "not measured") -> None:
        self.reason = reason

    @property
    def state(self) -> dict[str, Any]:
        """The entry of metrics.json: domain, pictures and sha256 (None), `weights` ("absent") and reason."""
        return {"domain": None, "pictures": None, "weights": "absent", "sha256": None, "reason": self.reason}

    def of(self, samples: Tensor) -> list[bool | None]:
        """Returns None for each sample."""
        return [None] * len(samples)


class Realism:
    """Says which samples lie where real pictures of a domain lie.

    Args:
        domain: the domain, such as "rendered portraits".
        real: the features of its real pictures, [N, 512], from `manifold.features`.
        backbone: from `manifold.squeezenet`.
        sha256: the sha256 of the backbone's file.
        verified: whether it begins as the name of the file says.
    """

    def __init__(self, domain: str, real: Tensor, backbone: torch.nn.Module, sha256: str, verified: bool) -> None:
        self.domain = domain
        self._manifold = Manifold(real)
        self._backbone = backbone
        self._sha256 = sha256
        self._verified = verified

    @property
    def state(self) -> dict[str, Any]:
        """The entry of metrics.json: domain, pictures, `weights` ("verified" or "unverified"), sha256 and reason."""
        weights = "verified" if self._verified else "unverified"
        pictures = len(self._manifold.features)
        return {
            "domain": self.domain, "pictures": pictures, "weights": weights, "sha256": self._sha256, "reason": None,
        }  # fmt: skip

    def of(self, samples: Tensor) -> list[bool | None]:
        """Returns for each of the samples [K, 3, R, R] in [0, 1] whether it is realistic; None for a failed one."""
        finite = samples.isfinite().flatten(1).all(dim=1)
        pictures = torch.where(finite[:, None, None, None], samples, 0.0).float().cpu()
        with torch.autocast("cpu", enabled=False):
            covered = self._manifold.covers(features(pictures.split(16), self._backbone)).tolist()
        return [inside if picture else None for inside, picture in zip(covered, finite.tolist(), strict=True)]


def build_realism(domain: str | None, resolution: int) -> Realism | NullRealism:
    """Returns the realism of a domain, or the null object, with a warning where only the backbone is missing.

    The features of the real pictures are computed once, with a progress bar, and kept in `cache_folder()`.

    Args:
        domain: the domain that the samples should look like; None: unknown.
        resolution: R.
    """
    kept = kept_features(domain, resolution) if domain else None
    if domain is None or kept is None and not has_real_pictures(domain):
        return NullRealism("there are no real pictures of the domain")
    if resolution < SMALLEST["squeeze"]:
        return NullRealism(f"the pictures are smaller than {SMALLEST['squeeze']} pixels")
    path = backbone_file("squeeze")
    try:
        sha256, backbone = file_sha256(path), squeezenet()
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        wrong = "are missing" if isinstance(error, FileNotFoundError) else "cannot be read"
        logger.warning("Realism is left out (null): SqueezeNet's weights %s (%s).", wrong, path)
        return NullRealism(f"SqueezeNet's weights {wrong}")
    if kept is None:
        kept = _features_computed_once(domain, resolution, backbone, sha256)
    return Realism(domain, kept, backbone, sha256, verified=sha256.startswith(promised_prefix(path)))


def _features_computed_once(domain: str, resolution: int, backbone: torch.nn.Module, sha256: str) -> Tensor:
    """Features of the domain's real pictures, [REAL_PICTURES, 512], from the cache if they are there."""
    kept = computed_once(
        None,
        f"real-{domain.replace('/', '-').replace(' ', '-')}-{resolution}-{REAL_PICTURES}-{sha256[:16]}.safetensors",
        "The features of real pictures are",
        fits=lambda tensors: "features" in tensors and len(tensors["features"]) == REAL_PICTURES,
        compute=lambda _: {"features": _real_features(domain, resolution, backbone)},
    )
    return kept["features"]


def _real_features(domain: str, resolution: int, backbone: torch.nn.Module) -> Tensor:
    """Computes the features of the domain's real pictures, [REAL_PICTURES, 512]."""
    bar = progress_bar(total=REAL_PICTURES, desc=f"looking at {domain}, once, for realism", unit="picture")
    found = []
    for pictures in real_pictures(domain, resolution, REAL_PICTURES):
        found.append(features([pictures], backbone))
        bar.update(len(pictures))
    bar.close()
    return torch.cat(found)
