"""The space on the disk that a run needs, compared with what is left before anything is searched."""

from pathlib import Path

from omegaconf import DictConfig

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import free_bytes, in_bytes, short
from multimodal_pulse.run.build import Parts, searches_latents

PAGE_BYTES = 25_000
"""The least size of grid.png and record.json of a reference; the others grow with the samples."""
BYTES_PER_NUMBER = 4


def refuse_full_disk(cfg: DictConfig, parts: Parts, references: int, run_dir: Path) -> None:
    """
    Args:
        cfg: the configuration.
        parts: the objects of the run.
        references: the number of references that are still to be searched.
        run_dir: the run directory, which need not exist yet.

    Raises:
        UserError: the disk of the run directory has less space than these references need at the least.
    """
    needed, free = references * bytes_of_reference(cfg, parts), free_bytes(run_dir)
    if needed > free:
        raise UserError(
            f"{short(run_dir)} needs at least {in_bytes(needed)} for {references} x {cfg.num_samples} samples, and its"
            f" disk has {in_bytes(free)} left: make room there, or choose another hydra.run.dir or fewer references or"
            " samples."
        )


def bytes_of_reference(cfg: DictConfig, parts: Parts) -> int:
    """Estimates the bytes of a reference's folder, rather too low than too high: a run that fits is not refused.

    A PNG is counted with one byte a pixel (faces have 1.4), the latents as they are.
    """
    generator, k = parts.generator, cfg.num_samples
    picture = generator.resolution**2
    if not searches_latents(cfg):
        return PAGE_BYTES + (1 + k) * picture
    draw = parts.synthesis_noise.draw(generator, cfg.seed, parts.references.names[0], num_samples=1)
    own = draw.fixed.keys() | draw.optimised.keys()
    maps = sum(side**2 * (k if layer in own else 1) for layer, side in enumerate(generator.noise_resolutions))
    latents = 2 * k * generator.num_ws * generator.w_dim
    return PAGE_BYTES + (1 + k + k * cfg.film_frames) * picture + BYTES_PER_NUMBER * (maps + latents)
