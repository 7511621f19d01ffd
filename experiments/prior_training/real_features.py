"""Compute the features of real pictures with which realism compares samples of the two priors.

    python experiments/prior_training/real_features.py            of the kept-out photographs of faces, in their place
    python experiments/prior_training/real_features.py portraits  of rendered portraits, which take half a minute

The first needs `../shared/photographs`, and both need SqueezeNet's weights.
"""

import sys

from backbones import frozen_features
from photographs import Photographs
from safetensors.torch import save

from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.domains.faces import prior as faces
from multimodal_pulse.domains.portraits import prior as portraits
from multimodal_pulse.domains.real_pictures import real_pictures
from multimodal_pulse.metrics.manifold import features
from multimodal_pulse.metrics.realism import REAL_PICTURES


def main() -> None:
    if sys.argv[1:] == ["portraits"]:
        file, pictures = portraits.REAL_FEATURES, real_pictures(portraits.DOMAIN, portraits.RESOLUTION, REAL_PICTURES)
    else:
        held = Photographs(faces.RESOLUTION).held.float() / 255
        file, pictures = faces.REAL_FEATURES, iter(held.split(50))
    found = features(pictures, frozen_features("squeezenet"))
    write_atomic(file, save({"features": found.half().contiguous()}))
    print(f"{file}: {len(found)} pictures")


if __name__ == "__main__":
    main()
