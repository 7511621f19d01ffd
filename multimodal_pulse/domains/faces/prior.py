"""The generator of real faces, made by `experiments/prior_training`.

Trained on official portraits (c) UK Parliament (photographs by Chris McAndrew and others), CC BY 3.0, cropped, rotated
and resized; on portraits of the Biographical Directory of the US Congress and of 18F, public domain.
"""

from pathlib import Path

from multimodal_pulse.generator import Generator, load_generator

DOMAIN = "photographs/faces"
WEIGHTS = Path(__file__).with_name("prior.safetensors")
REAL_FEATURES = Path(__file__).with_name("real_features.safetensors")
"""SqueezeNet's features of portraits that were kept out of the training, which realism compares samples with: the
pictures themselves are not shipped."""

RESOLUTION = 128


def load_prior() -> Generator:
    """Loads the 128 x 128 generator of faces, on the CPU.

    Raises:
        CheckpointError: the weights file of the package is missing or damaged.
    """
    generator = load_generator(WEIGHTS, domain=DOMAIN)
    generator.companions = WEIGHTS.parent
    return generator
