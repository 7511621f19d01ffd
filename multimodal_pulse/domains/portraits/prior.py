"""The trained generator of the built-in domain, made by `experiments/prior_training`."""

from pathlib import Path

from multimodal_pulse.generator import Generator, load_generator

WEIGHTS = Path(__file__).with_name("prior.safetensors")


def load_prior() -> Generator:
    """Loads the 128 x 128 generator of portraits, on the CPU.

    Raises:
        CheckpointError: the weights file of the package is missing or damaged.
    """
    generator = load_generator(WEIGHTS, domain="rendered portraits")
    generator.companions = WEIGHTS.parent
    return generator
