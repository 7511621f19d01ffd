"""The generator: StyleGAN2 in plain PyTorch, its files, its latent spaces and their statistics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimodal_pulse.generator.files.checkpoint import CheckpointError, load_generator, save_generator, untrained
    from multimodal_pulse.generator.files.pretrained import load_file, load_official
    from multimodal_pulse.generator.frozen import Generator
    from multimodal_pulse.generator.stylegan2 import Architecture, StyleGAN2

__all__ = [
    "Architecture", "CheckpointError", "Generator", "StyleGAN2", "load_file", "load_generator", "load_official",
    "save_generator", "untrained",
]  # fmt: skip

_HOMES = {
    "Architecture": "stylegan2", "StyleGAN2": "stylegan2", "Generator": "frozen",
    "load_file": "files.pretrained", "load_official": "files.pretrained",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # PEP 562: `multimodal-pulse weights` lists what there is, without PyTorch.
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'files.checkpoint')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
