"""The trained prior of the built-in domain, as it is shipped; `experiments/portraits_prior` made it."""

from pathlib import Path

from multimodal_pulse.generator import Generator, load_generator

WEIGHTS = Path(__file__).with_name("prior.safetensors")


def load_prior() -> Generator:
    """The 128 x 128 generator of portraits, on the CPU.

    Raises:
        CheckpointError: the weights file of the package is missing or damaged.
    """
    return load_generator(WEIGHTS, domain="rendered portraits")
