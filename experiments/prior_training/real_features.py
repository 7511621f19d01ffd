"""Compute the features of the kept-out portraits, with which realism compares samples of the faces prior.

    python experiments/prior_training/real_features.py

They take the place of the pictures, which are not shipped. It needs `../shared/photographs` and `../shared/lpips`.
"""

from pathlib import Path

from photographs import Photographs
from projected import frozen_features
from safetensors.torch import save

from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.domains.faces.prior import REAL_FEATURES, RESOLUTION
from multimodal_pulse.metrics.manifold import features

SHARED = Path(__file__).resolve().parents[3] / "shared"


def main() -> None:
    backbone = frozen_features("squeezenet1_1", SHARED / "lpips")
    pictures = Photographs(SHARED / "photographs", RESOLUTION, backbone[:9]).kept_out_pictures()
    found = features(pictures.split(50), backbone)
    write_atomic(REAL_FEATURES, save({"features": found.half().contiguous()}))
    print(f"{REAL_FEATURES}: {len(found)} portraits")


if __name__ == "__main__":
    main()
