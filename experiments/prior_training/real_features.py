"""Compute the features of the kept-out portraits, with which realism compares samples of the faces prior.

    python experiments/prior_training/real_features.py

They take the place of the pictures, which are not shipped. It needs `../shared/photographs` and SqueezeNet's weights.
"""

from backbones import frozen_features
from photographs import Photographs
from safetensors.torch import save

from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.domains.faces.prior import REAL_FEATURES, RESOLUTION
from multimodal_pulse.metrics.manifold import features


def main() -> None:
    portraits = Photographs(RESOLUTION).held.float() / 255
    found = features(portraits.split(50), frozen_features("squeezenet"))
    write_atomic(REAL_FEATURES, save({"features": found.half().contiguous()}))
    print(f"{REAL_FEATURES}: {len(found)} portraits")


if __name__ == "__main__":
    main()
