"""The generator: StyleGAN2 in plain PyTorch, its files and its latent spaces.

Begin with `load_generator`, which reads a file of any supported kind, or `load_official`, which fetches one of NVIDIA's
networks; both return a `Generator`, a frozen network whose images are in [0, 1]. `load_file` reads a file as the option
`generator=file` does, `untrained` makes random weights, and `save_generator` writes a `safetensors` file. A file that
cannot be used raises `CheckpointError`.

A `Space` maps the latents that a search moves to the generator's input w_plus. `Sphere` is PULSE's, `FlatSphere`
that of the report's own program, `Gaussian` and `Whitened` are W+ with a normal prior, `W`, `WPlus`, `Z` and `ZPlus`
the network's own latents, `Intermediate` has features of an inner layer too, and `Variational` normal distributions
over W+. `StyleGAN2` is the trainable network and `Architecture` its sizes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimodal_pulse.generator.files.checkpoint import CheckpointError as CheckpointError
    from multimodal_pulse.generator.files.checkpoint import load_generator as load_generator
    from multimodal_pulse.generator.files.checkpoint import save_generator as save_generator
    from multimodal_pulse.generator.files.checkpoint import untrained as untrained
    from multimodal_pulse.generator.files.pretrained import load_file as load_file
    from multimodal_pulse.generator.files.pretrained import load_official as load_official
    from multimodal_pulse.generator.frozen import Generator as Generator
    from multimodal_pulse.generator.spaces.flat_sphere import FlatSphere as FlatSphere
    from multimodal_pulse.generator.spaces.gaussian import Gaussian as Gaussian
    from multimodal_pulse.generator.spaces.intermediate import Intermediate as Intermediate
    from multimodal_pulse.generator.spaces.space import Space as Space
    from multimodal_pulse.generator.spaces.sphere import Sphere as Sphere
    from multimodal_pulse.generator.spaces.variational import Variational as Variational
    from multimodal_pulse.generator.spaces.w import W as W
    from multimodal_pulse.generator.spaces.w import WPlus as WPlus
    from multimodal_pulse.generator.spaces.whitened import Whitened as Whitened
    from multimodal_pulse.generator.spaces.z import Z as Z
    from multimodal_pulse.generator.spaces.z import ZPlus as ZPlus
    from multimodal_pulse.generator.stylegan2 import Architecture as Architecture
    from multimodal_pulse.generator.stylegan2 import StyleGAN2 as StyleGAN2


_HOMES = {
    "Architecture": "stylegan2",
    "CheckpointError": "files.checkpoint",
    "FlatSphere": "spaces.flat_sphere",
    "Gaussian": "spaces.gaussian",
    "Generator": "frozen",
    "Intermediate": "spaces.intermediate",
    "Space": "spaces.space",
    "Sphere": "spaces.sphere",
    "StyleGAN2": "stylegan2",
    "Variational": "spaces.variational",
    "W": "spaces.w",
    "WPlus": "spaces.w",
    "Whitened": "spaces.whitened",
    "Z": "spaces.z",
    "ZPlus": "spaces.z",
    "load_file": "files.pretrained",
    "load_generator": "files.checkpoint",
    "load_official": "files.pretrained",
    "save_generator": "files.checkpoint",
    "untrained": "files.checkpoint",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # PEP 562: `multimodal-pulse weights` answers without importing PyTorch.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # So that pydoc and completion find the names above.
    return [*globals(), *__all__]
