"""The generator: StyleGAN2 in plain PyTorch, its files, and the statistics of its latent space."""

from multimodal_pulse.generator.checkpoint import CheckpointError, load_generator, save_generator, untrained
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.stylegan2 import Architecture, StyleGAN2

__all__ = ["Architecture", "CheckpointError", "Generator", "StyleGAN2", "load_generator", "save_generator", "untrained"]
