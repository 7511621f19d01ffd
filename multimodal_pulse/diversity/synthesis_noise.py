"""The noise inputs of the synthesis layers: the network's own, random ones per sample, or PULSE's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.generator.frozen import Generator


@dataclass(frozen=True)
class NoiseDraw:
    """Noise maps of one reference, by layer: [K, 1, r, r] each, float32 on the CPU, in units of unit-variance noise.

    Attributes:
        fixed: maps that stay as drawn.
        optimised: where maps that the search moves begin; each stays at the radius it began with.
    A layer in neither keeps the network's constant map.
    """

    fixed: dict[int, Tensor] = field(default_factory=dict)
    optimised: dict[int, Tensor] = field(default_factory=dict)


class NoSynthesisNoise:
    """The network's constant maps everywhere."""

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """Nothing to draw."""
        return NoiseDraw()


class GaussianSynthesisNoise:
    """Each sample has maps of its own, N(0, std^2), in place of the network's constant ones.

    They are scaled by each layer's learned strength, as the constant ones are.

    Args:
        std: in units of the network's unit-variance noise; the report uses 0.02. 0 switches noise off in these layers.
        resolutions: of the layers that get them, e.g. [64, 128]; the others keep their constant maps. None: all layers.
    Raises:
        UserError: std is negative, or (on use) the generator has no layer of such a resolution.
    """

    def __init__(self, std: float, resolutions: Sequence[int] | None = None):
        if not std >= 0:
            raise UserError(f"noise.synthesis_std={std} must not be negative; 0 means no noise.")
        self.std = std
        self.resolutions = resolutions

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """The maps of the reference called `name`."""
        available = generator.noise_resolutions
        chosen = set(available if self.resolutions is None else self.resolutions)
        if unknown := sorted(chosen - set(available)):
            raise UserError(
                f"noise.synthesis_resolutions has {unknown[0]}, but this generator's layers have "
                f"{', '.join(map(str, sorted(set(available))))}; choose among these."
            )
        maps = _unit_maps(generator, seed, name, num_samples)
        return NoiseDraw(fixed={layer: self.std * maps[layer] for layer, r in enumerate(available) if r in chosen})


class PulseNoise:
    """PULSE's noise: unit-variance maps per sample; the first five move, the last is zero, the rest stay as drawn."""

    optimised_layers = 5

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """The maps of the reference called `name`."""
        maps = _unit_maps(generator, seed, name, num_samples)
        last = len(maps) - 1
        optimised = range(min(self.optimised_layers, last))
        fixed = {layer: maps[layer] for layer in range(len(optimised), last)}
        return NoiseDraw(
            fixed=fixed | {last: torch.zeros_like(maps[last])}, optimised={layer: maps[layer] for layer in optimised}
        )


class NoiseMaps:
    """The noise maps of a whole group, ready for the generator. B = M * K, reference-major.

    Args:
        generator: whose constant maps fill the layers that were not drawn; its device and dtype are used.
        draws: one per reference of the group, all of the same mechanism.
    """

    def __init__(self, generator: Generator, draws: Sequence[NoiseDraw]):
        constant = generator.constant_noise()
        self._fixed = dict(enumerate(constant)) | {
            layer: torch.cat([draw.fixed[layer] for draw in draws]).to(constant[layer]) for layer in draws[0].fixed
        }
        self.initial = {
            noise_name(layer): torch.cat([draw.optimised[layer] for draw in draws]).to(constant[layer])
            for layer in draws[0].optimised
        }
        """Where the optimised maps begin, [B, 1, r, r], by the names they have in `latents.safetensors`."""

    def maps(self, variables: Mapping[str, Tensor]) -> list[Tensor]:
        """One map per layer, [B or 1, 1, r, r]: the optimised ones as `variables` has them, the others as drawn."""
        return [variables.get(noise_name(layer), fixed) for layer, fixed in self._fixed.items()]


def noise_name(layer: int) -> str:
    """What the noise map of a layer (from 0) is called among the variables and in `latents.safetensors`."""
    return f"noise.{layer}"


def _unit_maps(generator: Generator, seed: int, name: str, num_samples: int) -> list[Tensor]:
    """N(0, 1), one [K, 1, r, r] per layer. All layers are drawn, so that a choice among them changes no other's map."""
    streams = [stream(seed, name, sample, "synthesis_noise") for sample in range(num_samples)]
    return [torch.stack([torch.randn(1, r, r, generator=rng) for rng in streams]) for r in generator.noise_resolutions]
