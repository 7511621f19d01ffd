"""The trained generator of the built-in domain, made by `experiments/prior_training`."""

from pathlib import Path

from multimodal_pulse.generator import Generator, load_generator

DOMAIN = "rendered portraits"
WEIGHTS = Path(__file__).with_name("prior.safetensors")
REAL_FEATURES = Path(__file__).with_name("real_features.safetensors")
"""SqueezeNet's features of 2000 portraits of the validation split, so that no first run has to render them."""

RESOLUTION = 128


def load_prior() -> Generator:
    """Loads the 128 x 128 generator of portraits, on the CPU.

    Raises:
        CheckpointError: the weights file of the package is missing or damaged.
    """
    generator = load_generator(WEIGHTS, domain=DOMAIN)
    generator.companions = WEIGHTS.parent
    return generator
