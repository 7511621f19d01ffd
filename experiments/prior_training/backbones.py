"""Frozen ImageNet networks: what the projected discriminator sees through, and what the figures are measured in."""

import pickle
from pathlib import Path

from torch import Tensor, nn

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.metrics.backbones import Net, backbone
from multimodal_pulse.metrics.lpips import backbone_file

SHARED = Path(__file__).resolve().parents[3] / "shared"
"""A folder beside this checkout, with photographs and the networks' convolutions."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NETWORKS: dict[str, tuple[str, Net]] = {"squeezenet": ("squeezenet1_1", "squeeze"), "alexnet": ("alexnet", "alex")}


def places(name: str) -> list[Path]:
    """Returns the files in which the weights of "squeezenet" or "alexnet" are looked for, the first one first."""
    file, net = _NETWORKS[name]
    return [SHARED / "lpips" / f"{file}_features.pth", backbone_file(net)]


def frozen_features(name: str) -> nn.Module:
    """Returns the convolutions of "squeezenet" (version 1.1) or "alexnet": normalised pictures -> features.

    Raises:
        UserError: no file of their weights is at hand, or it is damaged; the message says where they are looked for.
    """
    files = places(name)
    found = next((file for file in files if file.exists()), None)
    if found is None:
        looked = " and ".join(str(file) for file in files)
        raise UserError(
            f"the weights of {name} are missing: they were looked for in {looked}; put torchvision's file at the last"
            " place, or set TORCH_HOME to a folder that has it in hub/checkpoints."
        )
    try:
        network = backbone(_NETWORKS[name][1], found)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{found} is damaged: replace it by torchvision's file of {name}.") from error
    # LPIPS ends before AlexNet's last pooling, which the figures have always been measured behind.
    return nn.Sequential(*network, nn.MaxPool2d(3, 2)).eval() if name == "alexnet" else network


def normalised(images: Tensor) -> Tensor:
    """Maps pictures [N, 3, H, W] in [0, 1] to the range that these networks were trained on."""
    mean, std = images.new_tensor(MEAN)[:, None, None], images.new_tensor(STD)[:, None, None]
    return (images - mean) / std
