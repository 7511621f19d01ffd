"""The noise maps of the synthesis layers: the network's constant ones, random ones per sample, or PULSE's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.generator.frozen import Generator


@dataclass(frozen=True)
class NoiseDraw:
    """The noise maps of a reference, by layer: [K, 1, r, r] each, float32 on the CPU, in units of unit-variance noise.

    A layer that is in neither dict keeps the network's constant map.

    Attributes:
        fixed: maps that do not change during the search.
        optimised: the initial values of maps that the search moves; each keeps its norm.
        saved: maps that take the place of those above in the picture that is saved.
    """

    fixed: dict[int, Tensor] = field(default_factory=dict)
    optimised: dict[int, Tensor] = field(default_factory=dict)
    saved: dict[int, Tensor] = field(default_factory=dict)


class NoSynthesisNoise:
    """Keeps the network's constant noise maps in all layers."""

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """Returns an empty draw."""
        return NoiseDraw()


class GaussianSynthesisNoise:
    """Gives each sample its own noise maps, N(0, std^2), in place of the network's constant ones.

    Each layer scales them by its learned strength, as it does the constant ones.

    Args:
        std: the standard deviation in units of the network's unit-variance noise; the report uses 0.02. 0 switches the
            noise off in these layers.
        resolutions: the resolutions of the layers with such maps, e.g. [64, 128]; the other layers keep their constant
            maps. None: all layers.
    Raises:
        UserError: `std` is negative, or (when used) the generator has no layer of a given resolution.
    """

    def __init__(self, std: float, resolutions: Sequence[int] | None = None):
        if not std >= 0:
            raise UserError(f"noise.synthesis_std={std} must not be negative; 0 means no noise.")
        self.std = std
        self.resolutions = resolutions

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """Draws the maps of the reference called `name`."""
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
    """Gives each sample PULSE's unit-variance maps: the first five move, the last is zero, the rest are fixed."""

    optimised_layers = 5

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """Draws the maps of the reference called `name`."""
        maps = _unit_maps(generator, seed, name, num_samples)
        last = len(maps) - 1
        optimised = range(min(self.optimised_layers, last))
        fixed = {layer: maps[layer] for layer in range(len(optimised), last)}
        return NoiseDraw(
            fixed=fixed | {last: torch.zeros_like(maps[last])}, optimised={layer: maps[layer] for layer in optimised}
        )


class ParentNoise:
    """Gives all samples the noise maps of their parent, so that they differ from it in their latents alone.

    Args:
        parent: its maps, [1, 1, r, r] each, in layer order.
    """

    def __init__(self, parent: Sequence[Tensor]):
        self.parent = parent

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """Returns the parent's maps for each sample."""
        return NoiseDraw(fixed={layer: maps.expand(num_samples, -1, -1, -1) for layer, maps in enumerate(self.parent)})


class SharedSynthesisNoise:
    """Gives all samples the same maps, one per resolution, as the report's own program does.

    The search has N(0, std^2) in both layers of a resolution and nothing at the highest one. It is added as it is:
    that program does not multiply it by the layers' learned strengths, so each map is divided by them here. A layer
    whose strength is 0 can have no noise. The picture that is saved has unit-variance maps in every layer, per sample,
    scaled as in training, which the search has not seen.

    Args:
        std: the standard deviation of what is added to the features.
    Raises:
        UserError: `std` is negative.
    """

    def __init__(self, std: float):
        self.std = GaussianSynthesisNoise(std).std

    def draw(self, generator: Generator, seed: int, name: str, num_samples: int) -> NoiseDraw:
        """Draws the maps of the reference called `name`."""
        rng = stream(seed, name, 0, "shared_synthesis_noise")
        resolutions = generator.noise_resolutions
        of_resolution = {r: self.std * torch.randn(1, 1, r, r, generator=rng) for r in sorted(set(resolutions))}
        of_resolution[max(resolutions)].zero_()
        strengths = [layer.noise_strength.detach().cpu() for layer in generator.network.synthesis.layers]
        factors = [torch.where(strength == 0, 0.0, 1 / strength) for strength in strengths]
        fixed = {
            layer: (factor * of_resolution[r]).expand(num_samples, -1, -1, -1)
            for layer, (r, factor) in enumerate(zip(resolutions, factors, strict=True))
        }
        return NoiseDraw(fixed=fixed, saved=dict(enumerate(_unit_maps(generator, seed, name, num_samples))))


class NoiseMaps:
    """The noise maps of a whole group, ready for the generator. B = M * K, reference-major.

    Args:
        generator: the generator; its constant maps serve the layers without a draw, on its device and in its dtype.
        draws: one draw per reference of the group, all by the same mechanism.
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
        """The initial values of the optimised maps, [B, 1, r, r], by their names in `latents.safetensors`."""
        self._saved = {
            layer: torch.cat([draw.saved[layer] for draw in draws]).to(constant[layer]) for layer in draws[0].saved
        }

    def maps(self, variables: Mapping[str, Tensor], rows: slice | Tensor = slice(None)) -> list[Tensor]:
        """Returns one map per layer, [n or 1, 1, r, r]: the optimised ones from `variables`, the others as drawn.

        Args:
            variables: the variables of n samples.
            rows: an index of these samples within the group; by default all B.
        """
        of_rows = {layer: fixed[rows] if len(fixed) > 1 else fixed for layer, fixed in self._fixed.items()}
        return [variables.get(noise_name(layer), fixed) for layer, fixed in of_rows.items()]

    def of_saved(self, variables: Mapping[str, Tensor]) -> list[Tensor]:
        """Returns the maps of the pictures that are saved: those of `maps` where the mechanism has no others."""
        return [self._saved.get(layer, during) for layer, during in enumerate(self.maps(variables))]


def noise_name(layer: int) -> str:
    """Returns the name of a layer's noise map (layers count from 0) in the variables and in `latents.safetensors`."""
    return f"noise.{layer}"


def _unit_maps(generator: Generator, seed: int, name: str, num_samples: int) -> list[Tensor]:
    """Draws N(0, 1), one [K, 1, r, r] per layer; always all layers, so that a choice of layers changes no map."""
    streams = [stream(seed, name, sample, "synthesis_noise") for sample in range(num_samples)]
    return [torch.stack([torch.randn(1, r, r, generator=rng) for rng in streams]) for r in generator.noise_resolutions]
