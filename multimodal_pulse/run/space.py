"""The memory and the space on the disk that a run needs, compared with what is there before anything is searched."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import free_bytes, in_bytes, short
from multimodal_pulse.run.build import Parts, searches_latents
from multimodal_pulse.search.group_size import most_samples

PAGE_BYTES = 25_000
"""The least size of grid.png and record.json of a reference; the others grow with the samples."""
BYTES_PER_NUMBER = 4


def refuse_full_memory(cfg: DictConfig, parts: Parts, groups: Sequence[Sequence[int]]) -> None:
    """
    Args:
        cfg: the configuration.
        parts: the objects of the run.
        groups: the groups that are still to be searched.

    Raises:
        UserError: the samples of one reference, or of one group, cannot be searched at once in this machine's memory.
    """
    if not groups or not searches_latents(cfg):
        return
    frames = min(cfg.film_frames, cfg.steps)
    most = most_samples(parts.generator, parts.device, cfg.trainer.precision, frames)
    k, references = cfg.num_samples, max(map(len, groups))
    film = f" with film_frames={cfg.film_frames}" if frames else ""
    if most == 0:
        raise UserError(f"not even one sample{film} fits into this machine's memory: choose a smaller generator.")
    if k > most:
        raise UserError(
            f"num_samples={k} do not fit into this machine's memory: {most} are the most that do{film}, since those of"
            " one reference are searched together."
        )
    if references * k > most and parts.device.type != "cuda":  # there such a group is searched in halves
        raise UserError(
            f"groups of {references} references with {k} samples each do not fit into this machine's memory{film}:"
            f" trainer.references_per_group={most // k} is the most that does."
        )


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
    generator, k = parts.generator, cfg.select or cfg.num_samples
    picture = generator.resolution**2
    if not searches_latents(cfg):
        return PAGE_BYTES + (1 + k) * picture
    draw = parts.synthesis_noise.draw(generator, cfg.seed, parts.references.names[0], num_samples=1)
    own = draw.fixed.keys() | draw.optimised.keys()
    maps = sum(side**2 * (k if layer in own else 1) for layer, side in enumerate(generator.noise_resolutions))
    latents = 2 * k * generator.num_ws * generator.w_dim
    return PAGE_BYTES + (1 + k + k * cfg.film_frames) * picture + BYTES_PER_NUMBER * (maps + latents)
