"""LPIPS, the learned perceptual distance, with a backbone that may not be available.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, with the linear heads that
torchmetrics ships. The weights of the backbone are those of torchvision. Their file is looked for in torch.hub's folder
(`$TORCH_HOME/hub/checkpoints`) and downloaded if that is allowed. Without it every distance is None, never a made-up
number.
"""

import logging
import pickle
import sys
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from multimodal_pulse.base.download import DownloadError, Patience, download
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.metrics.backbones import Net
from multimodal_pulse.metrics.deep_features import FeatureNetwork, Features

logger = logging.getLogger(__name__)

_ADDRESSES = {
    "alex": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "squeeze": "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    "vgg": "https://download.pytorch.org/models/vgg16-397923af.pth",
}
"""Where torchvision publishes their weights."""

MEGABYTES = {"alex": 233, "squeeze": 5, "vgg": 528}
"""The sizes of the files of their weights."""

_OTHER = f"metrics.lpips_net=alex fetches what this project's tables use, {MEGABYTES['alex']} MB"

# For smaller sides, in pixels, a pooling layer of the backbone has no input left (AlexNet: rounded up from 31).
SMALLEST = {"alex": 32, "squeeze": 17, "vgg": 16}

_PIXELS_AT_ONCE = 2**20


class NullLpips:
    """The null object for an LPIPS that is not available: every distance is None.

    Attributes:
        net: the wanted backbone; None if LPIPS is switched off.
        reason: why it is not available, in one sentence.
        brief: the same in a few words.
    """

    def __init__(self, net: str | None, reason: str, brief: str = "") -> None:
        self.net = net
        self.reason = reason
        self.brief = brief or reason

    @property
    def state(self) -> dict[str, Any]:
        """The entry of metrics.json: net, `weights` ("absent"), sha256 (None) and reason."""
        return {"net": self.net, "weights": "absent", "sha256": None, "reason": self.reason}

    def features(self, x: Tensor) -> Features:
        """Returns unknown features for any pictures."""
        return Features.unknown(x)

    def __call__(self, x: Tensor, y: Tensor) -> None:
        """Returns None for any pictures."""


class Lpips:
    """LPIPS with a loaded backbone.

    Args:
        net: "alex", "squeeze" or "vgg".
        path: the backbone's file.
        sha256: the sha256 of the backbone's file.
        verified: whether it begins as the name of the file says.

    Attributes:
        network: the backbone, through which gradients flow.
    """

    def __init__(self, net: Net, path: Path, sha256: str, verified: bool) -> None:
        self.net = net
        self.sha256 = sha256
        self.verified = verified
        self.network = FeatureNetwork(net, path)
        self._too_small_said = False

    @property
    def state(self) -> dict[str, Any]:
        """The entry of metrics.json: net, `weights` ("verified" or "unverified"), sha256 and reason (None)."""
        weights = "verified" if self.verified else "unverified"
        return {"net": self.net, "weights": weights, "sha256": self.sha256, "reason": None}

    @torch.no_grad()
    def features(self, x: Tensor) -> Features:
        """Returns the features of pictures, in float32 even under autocast.

        Args:
            x: [N, 3, H, W] in [0, 1] (clamped).

        Returns: NaN for a picture with a non-finite value, and for all pictures that are too small for the backbone; a
            warning says so once.
        """
        if not self._sees(x):
            return Features.unknown(x.float())
        x = x.float()
        finite = x.isfinite().flatten(1).all(dim=1)[:, None, None, None]
        x = torch.where(finite, x.clamp(0, 1), 0.0)
        network = self.network.to(x.device)
        at_once = max(1, _PIXELS_AT_ONCE // (x.shape[-2] * x.shape[-1]))
        with torch.autocast(x.device.type, enabled=False):
            parts = [network(part) for part in x.split(at_once)]
        layers = [torch.cat(layer).masked_fill_(~finite, torch.nan) for layer in zip(*parts, strict=True)]
        return Features(layers, (x.shape[-2], x.shape[-1]))

    def __call__(self, x: Tensor, y: Tensor) -> Tensor | None:
        """Returns the perceptual distance of each pair; to compare a picture several times, use its `features`.

        Args:
            x, y: [N, 3, H, W] in [0, 1] (clamped); `y` may be [3, H, W], which is compared with every x.

        Returns: float32 [N], NaN for a picture with a non-finite value; None for pictures too small for the backbone.
        """
        if not self._sees(x):
            return None
        return self.features(x).distance(self.features(y if y.ndim == 4 else y[None]))

    def _sees(self, x: Tensor) -> bool:
        """Returns whether the pictures are large enough for the backbone, and warns once if they are not."""
        smallest = SMALLEST[self.net]
        if min(x.shape[-2:]) >= smallest:
            return True
        if not self._too_small_said:
            logger.warning(
                "LPIPS (%s) needs pictures of %d pixels a side and these have %d x %d: it is left out (null).",
                self.net, smallest, x.shape[-2], x.shape[-1],
            )  # fmt: skip
        self._too_small_said = True
        return False


def build_lpips(
    net: str | None = "alex", verify: bool = False, required: bool = False, download_seconds: float = 0.0
) -> Lpips | NullLpips:
    """Returns LPIPS with the backbone `net`, or the null object if its weights are not available, with a warning.

    The network is loaded once per process.

    Args:
        net: "alex", "squeeze", "vgg", or None for no LPIPS.
        verify: refuse a weights file whose sha256 does not begin as its name says, instead of using it with a warning.
        required: refuse to run without LPIPS, instead of returning the null object.
        download_seconds: the total time for the download of a missing file; 0: no download.

    Raises:
        UserError: `net` is unknown, the sha256 of the file is not the one in its name and `verify` is set, or LPIPS is
            not available and `required` is set.
    """
    if net is None and required:
        raise UserError("metrics.lpips_net=null, but metrics.lpips_required=true: choose a backbone, or set it false.")
    if net is None:
        return NullLpips(net, "switched off")
    if net not in _ADDRESSES:
        raise UserError(f"metrics.lpips_net={net} is unknown; choose one of {', '.join(_ADDRESSES)}, or null for none.")
    lpips = load_lpips(net, backbone_file(net), download_seconds)
    if isinstance(lpips, NullLpips):
        if required:
            raise UserError(f"LPIPS ({net}) is required: {lpips.reason}, or do without: metrics.lpips_required=false.")
        _warn_once(f"LPIPS ({net}, {MEGABYTES[net]} MB) is left out: {lpips.brief}; metrics.json says what helps.")
    elif verify and not lpips.verified:
        raise UserError(
            f"{backbone_file(net)} has the sha256 {lpips.sha256[:8]}..., not the one in its name; replace the file, or"
            " accept it with metrics.lpips_verify=false."
        )
    return lpips


def choose_net() -> str:
    """Returns the backbone for `metrics.lpips_net=auto`: "alex", as in the tables of this project, if its file is
    there, else "squeeze", which is much smaller to fetch; a notice says so.
    """
    if backbone_file("alex").exists():
        return "alex"
    if backbone_file("squeeze").exists():
        print(f"note: LPIPS uses squeeze; {_OTHER}", file=sys.stderr)
    return "squeeze"


def backbone_file(net: str) -> Path:
    """Returns where the weights of a backbone are looked for: torchvision's file name in torch.hub's folder."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _address(net).rsplit("/", 1)[-1]


def _address(net: str) -> str:
    """Returns the URL of a backbone's weights."""
    return _ADDRESSES[net]


@cache
def load_lpips(net: str, path: Path, download_seconds: float) -> Lpips | NullLpips:
    """Loads a backbone, whatever is required of it; `path` is an argument so that the cache depends on TORCH_HOME."""
    try:
        if not path.exists():
            _fetch(net, path, download_seconds)
    except DownloadError as error:
        return _absent(net, path, f"its weights are not at hand, and {error}", "its weights could not be fetched")
    except OSError as error:
        why = f"its weights are not at hand, and {path.parent} cannot be written ({_why(error)})"
        return _absent(net, path, why, "its weights cannot be kept")
    try:
        sha256 = file_sha256(path)
        lpips = Lpips(cast(Net, net), path, sha256, verified=sha256.startswith(promised_prefix(path)))
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        why = f"the file of its weights is damaged ({_why(error)})"
        return _absent(net, path, why, "the file of its weights is damaged")
    if not lpips.verified:
        logger.warning(
            "LPIPS (%s) uses %s, whose sha256 %s... is not the one in its name: its scores are recorded as unverified.",
            net, path, sha256[:8],
        )  # fmt: skip
    return lpips


def _absent(net: str, path: Path, why: str, brief: str) -> NullLpips:
    """Returns the null object with a reason that says what helps."""
    return NullLpips(
        net, f"{why}; put the file at {path} or set TORCH_HOME to a folder that has it in hub/checkpoints", brief
    )


def _why(error: Exception) -> str:
    """Returns the first sentence of an error of the system or of PyTorch."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0].partition(". ")[0].rstrip(".")


@cache
def _warn_once(sentence: str) -> None:
    logger.warning(sentence)


def promised_prefix(path: Path) -> str:
    """Returns the first digits of the sha256 in torch.hub's file name, <network>-<digits>.pth."""
    return path.stem.rsplit("-", 1)[-1]


def _fetch(net: str, path: Path, seconds: float) -> None:
    """Downloads the weights of a backbone to `path`, and says before how large they are.

    Raises:
        DownloadError: downloads are not allowed, it took too long, or the sha256 is not the one in the file name.
        OSError: the folder cannot be written.
    """
    url = _address(net)
    if seconds <= 0:
        raise DownloadError(f"metrics.lpips_download_seconds=0 forbids to fetch {url}")

    def announce() -> None:
        other = f"; {_OTHER}" if net == "squeeze" else ""
        print(f"fetching the weights of LPIPS ({net}), {MEGABYTES[net]} MB{other}", file=sys.stderr, flush=True)

    try:
        # With short time-outs, a silent server cannot exceed the total time by much.
        patience = Patience(connect=5, read=5, total=seconds)
        download(url, path, sha256=promised_prefix(path), announce=announce, patience=patience)
    except DownloadError as error:
        raise DownloadError(f"{url} {error}") from error
