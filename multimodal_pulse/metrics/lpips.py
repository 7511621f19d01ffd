"""LPIPS, the learned perceptual distance, with a backbone that may not be at hand.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, through torchmetrics,
which carries the linear heads. The backbone is torchvision's ImageNet network, a file that is looked for where
torch.hub keeps it (`$TORCH_HOME/hub/checkpoints`), fetched if that is allowed, and otherwise done without: then every
distance is None, never a made-up number.
"""

import http.client
import logging
import pickle
import time
import urllib.error
import urllib.request
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import torch
import torchvision
from torch import Tensor
from torchmetrics.image import LearnedPerceptualImagePatchSimilarity
from torchvision.models import WeightsEnum

from multimodal_pulse.errors import UserError
from multimodal_pulse.files import atomic_file, file_sha256

logger = logging.getLogger(__name__)

Net = Literal["alex", "squeeze", "vgg"]

_BACKBONES: dict[str, WeightsEnum] = {
    "alex": torchvision.models.AlexNet_Weights.DEFAULT,
    "squeeze": torchvision.models.SqueezeNet1_1_Weights.DEFAULT,
    "vgg": torchvision.models.VGG16_Weights.DEFAULT,
}

# Below these sides, in pixels, a pooling layer of the backbone has nothing left to pool (AlexNet: rounded up from 31).
_SMALLEST = {"alex": 32, "squeeze": 17, "vgg": 16}

_PIXELS_AT_ONCE = 2**20


class LpipsLike(Protocol):
    """What `build_lpips` returns: the distance, and what is to be said about it."""

    @property
    def state(self) -> dict[str, Any]: ...

    def __call__(self, x: Tensor, y: Tensor) -> Tensor | None: ...


class NullLpips:
    """Stands for an LPIPS that cannot be had: every distance is None.

    Attributes:
        reason: one sentence, why.
    """

    def __init__(self, net: str | None, reason: str) -> None:
        self.net = net
        self.reason = reason

    @property
    def state(self) -> dict[str, Any]:
        """For metrics.json: net, `weights` (here "absent"), sha256, reason."""
        return {"net": self.net, "weights": "absent", "sha256": None, "reason": self.reason}

    def __call__(self, x: Tensor, y: Tensor) -> None:
        """None, whatever the pictures."""


class Lpips:
    """LPIPS with a loaded backbone.

    Args:
        net: "alex", "squeeze" or "vgg".
        sha256: hash of the backbone's file.
        verified: whether that hash is the one in the file's name.
    """

    def __init__(self, net: Net, sha256: str, verified: bool) -> None:
        self.net = net
        self.sha256 = sha256
        self.verified = verified
        # Building torchvision's network draws random weights before the file replaces them; nobody's stream shall move.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._metric = LearnedPerceptualImagePatchSimilarity(
                net, reduction="none", normalize=True, sync_on_compute=False
            )
        self._too_small_said = False

    @property
    def state(self) -> dict[str, Any]:
        """For metrics.json: net, `weights` ("verified" or "unverified"), sha256, reason (None)."""
        weights = "verified" if self.verified else "unverified"
        return {"net": self.net, "weights": weights, "sha256": self.sha256, "reason": None}

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor) -> Tensor | None:
        """The perceptual distance of each pair, in float32 whatever autocast says.

        Args:
            x, y: [N, 3, H, W] in [0, 1] (clamped); [3, H, W] for `y` compares it with every x.
        Returns: float32 [N], NaN where a picture has a non-finite value; None where the pictures are smaller than the
            backbone can see, which is said once.
        """
        smallest = _SMALLEST[self.net]
        if min(x.shape[-2:]) < smallest:
            self._say_too_small(x, smallest)
            return None
        x, y = x.float(), y.float().expand_as(x)
        finite = (x.isfinite() & y.isfinite()).flatten(1).all(dim=1)
        x, y = (torch.where(finite[:, None, None, None], image.clamp(0, 1), 0.0) for image in (x, y))
        at_once = max(1, _PIXELS_AT_ONCE // (x.shape[-2] * x.shape[-1]))
        with torch.autocast(x.device.type, enabled=False):
            parts = [self._distance(*pair) for pair in zip(x.split(at_once), y.split(at_once), strict=True)]
        return torch.where(finite, torch.cat(parts), torch.nan)

    def _distance(self, x: Tensor, y: Tensor) -> Tensor:
        metric = self._metric.to(x.device)
        metric.reset()
        metric.update(x, y)
        # torchmetrics makes a scalar of a single score.
        return metric.compute().reshape(len(x))

    def _say_too_small(self, x: Tensor, smallest: int) -> None:
        if not self._too_small_said:
            logger.warning(
                "LPIPS (%s) needs pictures of %d pixels a side and these have %d x %d: it is left out (null).",
                self.net, smallest, x.shape[-2], x.shape[-1],
            )  # fmt: skip
        self._too_small_said = True


def build_lpips(net: str | None = "alex", verify: bool = False, download_seconds: float = 0.0) -> Lpips | NullLpips:
    """LPIPS on the backbone `net`, or the null object where its weights cannot be had; says once which and why.

    The network is loaded once per process.

    Args:
        net: "alex", "squeeze", "vgg", or None for no LPIPS at all.
        verify: refuse a weights file whose sha256 does not begin as its name promises, instead of using it with a
            warning.
        download_seconds: how long fetching a missing file may take altogether; 0 never fetches.
    Raises:
        UserError: `net` is unknown, or the file is not what its name promises and `verify` is set.
    """
    if net is None:
        return NullLpips(net, "switched off")
    if net not in _BACKBONES:
        raise UserError(f"metrics.lpips_net={net} is unknown; choose one of {', '.join(_BACKBONES)}, or null for none.")
    lpips = _load(net, backbone_file(net), download_seconds)
    if verify and isinstance(lpips, Lpips) and not lpips.verified:
        raise UserError(
            f"{backbone_file(net)} has the sha256 {lpips.sha256[:8]}..., not the one in its name; replace the file, or"
            " accept it with metrics.lpips_verify=false."
        )
    return lpips


def backbone_file(net: str) -> Path:
    """Where the weights of the backbone are looked for: torch.hub's folder, torchvision's name."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _BACKBONES[net].url.rsplit("/", 1)[-1]


@cache
def _load(net: str, path: Path, download_seconds: float) -> Lpips | NullLpips:
    """`build_lpips` without the policy; the path is an argument so that another TORCH_HOME is another network."""
    url = _BACKBONES[net].url
    try:
        if not path.exists():
            _download(url, path, download_seconds)
    except (OSError, http.client.HTTPException) as error:
        return _left_out(net, path, f"its weights are not at hand and could not be fetched from {url}", error)
    try:
        sha256 = file_sha256(path)
        lpips = Lpips(cast(Net, net), sha256, verified=sha256.startswith(_promised_prefix(path)))
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        return _left_out(net, path, "the file of its weights is damaged", error)
    if not lpips.verified:
        logger.warning(
            "LPIPS (%s) uses %s, whose sha256 %s... is not the one in its name: its scores are recorded as unverified.",
            net, path, sha256[:8],
        )  # fmt: skip
    return lpips


def _left_out(net: str, path: Path, what: str, error: Exception) -> NullLpips:
    """The null object, with a warning that says what was tried, what happens now and what helps."""
    cause = getattr(error, "reason", error)  # urllib puts the system's error into one of its own
    why = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    reason = f"{what} ({why.splitlines()[0].partition('. ')[0].rstrip('.')})"
    logger.warning(
        "LPIPS (%s) is left out (null): %s; put the file at %s, set TORCH_HOME to a folder that has it in"
        " hub/checkpoints, or do without by metrics.lpips_net=null.",
        net, reason, path,
    )  # fmt: skip
    return NullLpips(net, reason)


def _promised_prefix(path: Path) -> str:
    """torch.hub names a file <network>-<first digits of its sha256>.pth."""
    return path.stem.rsplit("-", 1)[-1]


def _download(url: str, path: Path, seconds: float) -> None:
    """Fetches `url` to `path`, whole or not at all.

    Raises:
        OSError: it may not be fetched, cannot be reached, takes over `seconds`, or is not what its name promises.
    """
    if seconds <= 0:
        raise FileNotFoundError("metrics.lpips_download_seconds=0: it may not be fetched")
    deadline = time.monotonic() + seconds
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        # A stalled connection must not outlive the deadline by much either: the time-out also bounds every read.
        with urllib.request.urlopen(url, timeout=min(seconds, 5.0)) as response, partial.open("wb") as file:
            while chunk := response.read(2**18):
                file.write(chunk)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it took longer than {seconds:g} s")
        if not file_sha256(partial).startswith(_promised_prefix(path)):
            raise urllib.error.URLError("what came is not what the file's name promises")
