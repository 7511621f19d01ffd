"""LPIPS, the learned perceptual distance, with a backbone that may not be at hand.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, through torchmetrics,
which carries the linear heads. The backbone is torchvision's ImageNet network, a file that is looked for where
torch.hub keeps it (`$TORCH_HOME/hub/checkpoints`), fetched if that is allowed, and otherwise done without: then every
distance is None, never a made-up number.
"""

import logging
import pickle
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from multimodal_pulse.base.download import DownloadError, Patience, download
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.metrics.deep_features import FeatureNetwork, Features, Net

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

logger = logging.getLogger(__name__)

# Below these sides, in pixels, a pooling layer of the backbone has nothing left to pool (AlexNet: rounded up from 31).
_SMALLEST = {"alex": 32, "squeeze": 17, "vgg": 16}

_PIXELS_AT_ONCE = 2**20


@cache
def _backbones() -> dict[str, "WeightsEnum"]:
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights

    weights = {"alex": AlexNet_Weights, "squeeze": SqueezeNet1_1_Weights, "vgg": VGG16_Weights}
    return {net: of.DEFAULT for net, of in weights.items()}


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

    def features(self, x: Tensor) -> Features:
        """Unknown, whatever the pictures."""
        return Features.unknown(x)

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
        self._network = FeatureNetwork(net)
        self._too_small_said = False

    @property
    def state(self) -> dict[str, Any]:
        """For metrics.json: net, `weights` ("verified" or "unverified"), sha256, reason (None)."""
        weights = "verified" if self.verified else "unverified"
        return {"net": self.net, "weights": weights, "sha256": self.sha256, "reason": None}

    @torch.no_grad()
    def features(self, x: Tensor) -> Features:
        """What pictures are compared by, in float32 whatever autocast says.

        Args:
            x: [N, 3, H, W] in [0, 1] (clamped).
        Returns: NaN for a picture with a non-finite value, and for all of them where they are smaller than the backbone
            can see, which is said once.
        """
        if not self._sees(x):
            return Features.unknown(x.float())
        x = x.float()
        finite = x.isfinite().flatten(1).all(dim=1)[:, None, None, None]
        x = torch.where(finite, x.clamp(0, 1), 0.0)
        network = self._network.to(x.device)
        at_once = max(1, _PIXELS_AT_ONCE // (x.shape[-2] * x.shape[-1]))
        with torch.autocast(x.device.type, enabled=False):
            parts = [network(part) for part in x.split(at_once)]
        layers = [torch.cat(layer).masked_fill_(~finite, torch.nan) for layer in zip(*parts, strict=True)]
        return Features(layers, (x.shape[-2], x.shape[-1]))

    def __call__(self, x: Tensor, y: Tensor) -> Tensor | None:
        """The perceptual distance of each pair; for more than one comparison of a picture, take its `features`.

        Args:
            x, y: [N, 3, H, W] in [0, 1] (clamped); [3, H, W] for `y` compares it with every x.
        Returns: float32 [N], NaN where a picture has a non-finite value; None where the pictures are smaller than the
            backbone can see.
        """
        if not self._sees(x):
            return None
        return self.features(x).distance(self.features(y if y.ndim == 4 else y[None]))

    def _sees(self, x: Tensor) -> bool:
        """Whether the pictures are large enough for the backbone; says once when they are not."""
        smallest = _SMALLEST[self.net]
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
    """LPIPS on the backbone `net`, or the null object where its weights cannot be had; says once which and why.

    The network is loaded once per process.

    Args:
        net: "alex", "squeeze", "vgg", or None for no LPIPS at all.
        verify: refuse a weights file whose sha256 does not begin as its name promises, instead of using it with a
            warning.
        required: refuse to do without, instead of returning the null object.
        download_seconds: how long fetching a missing file may take altogether; 0 never fetches.
    Raises:
        UserError: `net` is unknown, the file is not what its name promises and `verify` is set, or there is no LPIPS
            and `required` is set.
    """
    if net is None and required:
        raise UserError("metrics.lpips_net=null, but metrics.lpips_required=true: choose a backbone, or set it false.")
    if net is None:
        return NullLpips(net, "switched off")
    if net not in _SMALLEST:
        raise UserError(f"metrics.lpips_net={net} is unknown; choose one of {', '.join(_SMALLEST)}, or null for none.")
    lpips = _load(net, backbone_file(net), download_seconds)
    if isinstance(lpips, NullLpips):
        remedy = (
            f"{lpips.reason}; put the file at {backbone_file(net)}, set TORCH_HOME to a folder that has it in"
            " hub/checkpoints, or do without by"
        )
        if required:
            raise UserError(f"LPIPS ({net}) is required: {remedy} metrics.lpips_required=false.")
        _warn_once(f"LPIPS ({net}) is left out (null): {remedy} metrics.lpips_net=null.")
    elif verify and not lpips.verified:
        raise UserError(
            f"{backbone_file(net)} has the sha256 {lpips.sha256[:8]}..., not the one in its name; replace the file, or"
            " accept it with metrics.lpips_verify=false."
        )
    return lpips


def backbone_file(net: str) -> Path:
    """Where the weights of the backbone are looked for: torch.hub's folder, torchvision's name."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _backbones()[net].url.rsplit("/", 1)[-1]


@cache
def _load(net: str, path: Path, download_seconds: float) -> Lpips | NullLpips:
    """`build_lpips` without the policy; the path is an argument so that another TORCH_HOME is another network."""
    try:
        if not path.exists():
            _fetch(_backbones()[net].url, path, download_seconds)
    except DownloadError as error:
        return NullLpips(net, f"its weights are not at hand, and {error}")
    except OSError as error:
        return NullLpips(net, f"its weights are not at hand, and {path.parent} cannot be written ({_why(error)})")
    try:
        sha256 = file_sha256(path)
        lpips = Lpips(cast(Net, net), sha256, verified=sha256.startswith(_promised_prefix(path)))
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        return NullLpips(net, f"the file of its weights is damaged ({_why(error)})")
    if not lpips.verified:
        logger.warning(
            "LPIPS (%s) uses %s, whose sha256 %s... is not the one in its name: its scores are recorded as unverified.",
            net, path, sha256[:8],
        )  # fmt: skip
    return lpips


def _why(error: Exception) -> str:
    """The first sentence of what the system or PyTorch says."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0].partition(". ")[0].rstrip(".")


@cache
def _warn_once(sentence: str) -> None:
    logger.warning(sentence)


def _promised_prefix(path: Path) -> str:
    """torch.hub names a file <network>-<first digits of its sha256>.pth."""
    return path.stem.rsplit("-", 1)[-1]


def _fetch(url: str, path: Path, seconds: float) -> None:
    """Fetches the weights at `url` to `path`.

    Raises:
        DownloadError: they may not be fetched, cannot be had in time, or are not what the file's name promises.
        OSError: the folder cannot be written.
    """
    if seconds <= 0:
        raise DownloadError(f"metrics.lpips_download_seconds=0 forbids to fetch {url}")
    try:
        # A server that says nothing must not outlive the seconds by much.
        download(url, path, sha256=_promised_prefix(path), patience=Patience(connect=5, read=5, total=seconds))
    except DownloadError as error:
        raise DownloadError(f"{url} {error}") from error
