"""From the nodes of a configuration to the objects of a run."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.degradation.bicubic import Degradation
from multimodal_pulse.diversity.lr_noise import lr_mask
from multimodal_pulse.domains.portraits.renderer import mouth_mask
from multimodal_pulse.generator import Generator
from multimodal_pulse.generator.spaces.sphere import LatentSpace
from multimodal_pulse.references import InMemory, References
from multimodal_pulse.references.in_memory import Picture
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.pictures.redraw import Renderer
from multimodal_pulse.results.tracking.trackers import NullTracker

OUTSIDE_THE_PORTRAITS = (
    "generator=portraits knows rendered portraits only; a photograph lies outside of what it has seen, and its samples"
    " will look drawn."
)
PORTRAITS_OUTSIDE = (
    "references=portraits are rendered portraits, which generator={generator} was not made for; references=folder"
    " references.path=<folder> searches pictures of your own."
)

RENDERING_SLOTS = ("generator", "degradation", "consistency")
RENDERING_TARGETS = {
    "multimodal_pulse.domains.portraits.load_prior",
    "multimodal_pulse.generator.load_file",
    "multimodal_pulse.generator.load_official",
    "multimodal_pulse.generator.untrained",
    "multimodal_pulse.degradation.Degradation",
    "multimodal_pulse.search.NoConsistency",
    "multimodal_pulse.search.ExactConsistency",
}
"""What the options of these slots name."""


def factory(node: DictConfig) -> Callable[..., Any]:
    """What `node` names, with the node's keys as its arguments, still to be called with the others."""
    settings = OmegaConf.to_container(node, resolve=True)
    assert isinstance(settings, dict)
    if "as" in settings:  # a keyword of Python's
        settings["as_"] = settings.pop("as")
    return instantiate(settings, _partial_=True, _convert_="all")


def build(node: DictConfig, **arguments: Any) -> Any:
    """The object that `node` describes; `arguments` are those that no configuration can hold.

    Raises:
        UserError: an argument does not suit.
    """
    try:
        return factory(node)(**arguments)
    except ValueError as error:
        raise UserError(f"{node._get_full_key(None)}: {error}") from error


def torch_device(trainer: DictConfig, shard_index: int) -> torch.device:
    """The device of a trainer option; of several GPUs with its number.

    Args:
        trainer: the option.
        shard_index: chooses the GPU where the option leaves it open, so that a machine's shards have one each.

    Raises:
        UserError: this machine has none, or not that one.
    """
    accelerator = str(trainer.accelerator)
    if accelerator == "cuda":
        there = torch.cuda.device_count()
        if not there:
            raise UserError("trainer=gpu, but PyTorch finds no CUDA device on this machine: choose trainer=cpu.")
        number = shard_index % there if trainer.device is None else trainer.device
        if number >= there:
            raise UserError(f"trainer.device={number}, but the CUDA devices here are 0 to {there - 1}.")
        return torch.device(accelerator, number)
    if accelerator == "mps" and not torch.backends.mps.is_available():
        raise UserError("trainer=mps, but PyTorch finds no Apple GPU on this machine: choose trainer=cpu.")
    return torch.device(accelerator)


def build_references(
    cfg: DictConfig, job: Job, generator: Generator, degradation: Degradation, picture: Picture | None
) -> References:
    """The references of a run; `picture` stands in for the file of `references=image`."""
    arguments: dict[str, Any] = {"resolution": generator.resolution, "degradation": degradation}
    if job.choices["references"] == "portraits":
        if job.choices["generator"] not in ("portraits", "untrained"):  # one was made for them, the other for nothing
            arguments["domain_notice"] = PORTRAITS_OUTSIDE.format(generator=job.choices["generator"])
        return build(cfg.references, **arguments)
    if job.choices["generator"] == "portraits":
        arguments["domain_notice"] = OUTSIDE_THE_PORTRAITS
    if picture is not None:
        return InMemory(image=picture, as_=cfg.references["as"], **arguments)
    return build(cfg.references, path=str(cfg.references.path), **arguments)  # a folder may be called 2024


def build_lr_noise(cfg: DictConfig, job: Job, generator: Generator, degradation: Degradation) -> Any:
    """The LR noise of a run, with its mask as a tensor where it has one.

    Raises:
        UserError: no mask is given and these references have none of their own, or it cannot be read or has a wrong
            size.
    """
    if job.choices["lr_noise"] != "masked":
        return build(cfg.lr_noise)
    resolution = generator.resolution
    return build(cfg.lr_noise, mask=lr_mask(_mask(cfg, job, resolution), degradation.lr_size(resolution), resolution))


def _mask(cfg: DictConfig, job: Job, resolution: int) -> Tensor:
    """[1, H, W], 1 = noise there."""
    if cfg.lr_noise.mask is not None:
        return load_rgb(Path(cfg.lr_noise.mask).expanduser()).mean(dim=0, keepdim=True)
    if job.choices["references"] == "portraits":
        return mouth_mask(resolution)[0]
    raise UserError(
        "lr_noise=masked needs noise.lr_mask=<image file, white = noise there>: only references=portraits have a mask"
        " of their own."
    )


def build_search(cfg: DictConfig, latent_space: Callable[[], LatentSpace], **arguments: Any) -> Any:
    """The search of a run.

    Args:
        latent_space: makes the generator's; called only for a search that names `latent_space` among its arguments,
            because the statistics of W take a million draws.
        arguments: what else no slot describes or what is already built: references, groups, generator, degradation,
            lr_noise, synthesis_noise.
    """
    parts = arguments | dict(
        latent_resampling=build(cfg.latent_resampling),
        batch_diversity=build(cfg.batch_diversity),
        objective=build(cfg.objective),
        optimizer=factory(cfg.optimizer),
        schedule=build(cfg.schedule),
        consistency=build(cfg.consistency),
        num_samples=cfg.num_samples,
        steps=cfg.steps,
        seed=cfg.seed,
        film_frames=cfg.film_frames,
    )
    if "latent_space" in inspect.signature(factory(cfg.search)).parameters:
        parts["latent_space"] = latent_space()
    return build(cfg.search, **parts)


def build_tracker(cfg: DictConfig, job: Job) -> NullTracker:
    """The tracker of a run."""
    config = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    return build(cfg.tracking, run_dir=job.run_dir, config=config, group=job.sweep.name if job.sweep else None)


def rendering_settings(cfg: DictConfig) -> dict[str, Any]:
    """What it takes to draw a run's pictures again: for `load_renderer`, and for the words of `pictures.caption`."""
    nodes = OmegaConf.masked_copy(cfg, ["method", "seed", *RENDERING_SLOTS])
    settings = OmegaConf.to_container(nodes, resolve=True, enum_to_str=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def load_renderer(settings: Mapping[str, Any]) -> Renderer:
    """The renderer of a finished reference, from the `settings` in its record.json.

    Raises:
        UserError: they name something that no option of `conf/` does. A record may come from anybody and is data:
            nothing else in it is called.
    """
    for slot in RENDERING_SLOTS:
        node = settings.get(slot)
        known = isinstance(node, Mapping) and node.get("_target_") in RENDERING_TARGETS
        if not known or any(isinstance(value, Mapping | list) for value in settings[slot].values()):
            raise UserError(
                f"record.json: settings.{slot} is none of this program's options: nothing is drawn with it."
            )
    cfg = OmegaConf.create(dict(settings))
    return Renderer(build(cfg.generator), build(cfg.degradation), build(cfg.consistency))
