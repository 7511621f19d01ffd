"""Builds the objects of a run from the nodes of its configuration; the objects keep no configuration."""

import copy
import inspect
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.configuration.former_names import translated
from multimodal_pulse.configuration.overrides import without_interpolations
from multimodal_pulse.configuration.validation import AUTO
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.diversity.batch_diversity import FeatureDistance, InsideDistance, Metric, PixelDistance
from multimodal_pulse.diversity.lr_noise import lr_mask
from multimodal_pulse.generator import Generator, Space
from multimodal_pulse.metrics.deep_features import FeatureNetwork
from multimodal_pulse.metrics.lpips import SMALLEST, NullLpips, backbone_file, load_lpips
from multimodal_pulse.references import AlignedFaces, InMemory, PictureFiles, References
from multimodal_pulse.references.alignment import Align, Faces, find_all_faces, given_faces
from multimodal_pulse.references.auto_factor import chosen_factor
from multimodal_pulse.references.base import in_words, outside
from multimodal_pulse.references.held import NOTHING, Held, NothingHeld
from multimodal_pulse.references.in_memory import Picture, as_rgb, picture_size
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.pictures.redraw import Renderer
from multimodal_pulse.results.tracking.trackers import ForgivingTracker, NullTracker
from multimodal_pulse.run.arithmetic import with_precision
from multimodal_pulse.run.picture_sizes import lr_sides, picture_files
from multimodal_pulse.search.active import Active, ActiveUntil
from multimodal_pulse.search.outcome import Search
from multimodal_pulse.search.select import AllSamples, MostDifferent
from multimodal_pulse.search.stages import Stage

if TYPE_CHECKING:
    from multimodal_pulse.run.parent import Parent

RENDERING_SLOTS = ("generator", "degradation", "latent_space", "consistency")
RENDERING_TARGETS = {
    "multimodal_pulse.domains.faces.load_prior",
    "multimodal_pulse.domains.portraits.load_prior",
    "multimodal_pulse.generator.load_file",
    "multimodal_pulse.generator.load_official",
    "multimodal_pulse.generator.untrained",
    "multimodal_pulse.generator.FlatSphere",
    "multimodal_pulse.generator.Gaussian",
    "multimodal_pulse.generator.Intermediate",
    "multimodal_pulse.generator.Sphere",
    "multimodal_pulse.generator.Variational",
    "multimodal_pulse.generator.W",
    "multimodal_pulse.generator.WPlus",
    "multimodal_pulse.generator.Whitened",
    "multimodal_pulse.generator.Z",
    "multimodal_pulse.generator.ZPlus",
    "multimodal_pulse.degradation.Area",
    "multimodal_pulse.degradation.Bicubic",
    "multimodal_pulse.degradation.DeepinvPhysics",
    "multimodal_pulse.degradation.PlainBicubic",
    "multimodal_pulse.degradation.GaussianBlur",
    "multimodal_pulse.degradation.Grayscale",
    "multimodal_pulse.degradation.Inpainting",
    "multimodal_pulse.degradation.MotionBlur",
    "multimodal_pulse.degradation.RandomProjection",
    "multimodal_pulse.degradation.candidate",
    "multimodal_pulse.search.NoConsistency",
    "multimodal_pulse.search.NoisyConsistency",
    "multimodal_pulse.search.ExactConsistency",
}
"""The `_target_` of every option of these slots."""


def factory(node: DictConfig) -> Callable[..., Any]:
    """Returns the `_target_` of `node` as a partial function with the node's other keys as arguments."""
    settings = OmegaConf.to_container(node, resolve=True)
    assert isinstance(settings, dict)
    if "as" in settings:  # a Python keyword
        settings["as_"] = settings.pop("as")
    # Hydra would resolve these once more: a path may have "${" in it.
    literal = {str(key): value for key, value in settings.items() if isinstance(value, str) and "${" in value}
    others = {str(key): value for key, value in settings.items() if key not in literal}
    return partial(instantiate(others, _partial_=True, _convert_="all"), **literal)


def build(node: DictConfig, **arguments: Any) -> Any:
    """Builds the object that `node` describes; `arguments` are those that a configuration cannot contain.

    Raises:
        UserError: an argument is refused.
    """
    try:
        return factory(node)(**arguments)
    except (ValueError, InstantiationException) as error:
        raise UserError(f"{node._get_full_key(None)}: {' '.join(str(error).split())}") from error


@dataclass(frozen=True)
class Parts:
    """The objects of a run that take long to build or may refuse the configuration.

    Attributes:
        cfg: the configuration, in which what was left to the program is decided.
        why_precision: why the precision was chosen; None if the configuration has one.
        device: the device of the search.
        generator, degradation, references, lr_noise, synthesis_noise: the objects of the slots with these names.
        parent: the sample that is varied; None: none is.
    """

    cfg: DictConfig
    why_precision: str | None
    device: torch.device
    generator: Generator
    degradation: Degradation
    references: References
    lr_noise: Any
    synthesis_noise: Any
    parent: "Parent | None" = None


def build_parts(cfg: DictConfig, picture: Picture | None, parent: "Parent | None" = None) -> Parts:
    """Builds the parts that a search needs before its groups are known.

    Args:
        cfg: the configuration.
        picture: replaces the file of `references=image`.
        parent: the sample that is varied.

    Raises:
        UserError: something in the configuration, or something it names, cannot be used.
    """
    device = torch_device(cfg.trainer, cfg.shard.index)
    cfg, why_precision = with_precision(cfg, device)
    generator = build(cfg.generator)
    cfg, why, faces = with_factor(cfg, generator, picture)
    degradation = build(cfg.degradation)
    if parent is None:
        references = build_references(cfg.references, generator, degradation, picture, faces)
    else:
        references = parent.references(generator, degradation)
    references.add_notice(why)
    lr_noise = build_lr_noise(cfg.lr_noise, references, generator, degradation)
    synthesis_noise = build_with_parent(cfg.synthesis_noise, parent and parent.noise_maps)
    # A trial draw: what this generator does not support is refused now, not during the search.
    synthesis_noise.draw(generator, cfg.seed, references.names[0], num_samples=1)
    return Parts(cfg, why_precision, device, generator, degradation, references, lr_noise, synthesis_noise, parent)


def build_with_parent(node: DictConfig, parent: Any) -> Any:
    """Builds an option; `parent` is what it has of the parent, in the place of the folder that its node may name."""
    return build(node, parent=parent) if "parent" in node else build(node)


def torch_device(trainer: DictConfig, shard_index: int) -> torch.device:
    """Returns the device of a trainer option; for CUDA with the number of the GPU.

    Args:
        trainer: the trainer option.
        shard_index: chooses the GPU if the option does not, so that each shard on a machine has its own.

    Raises:
        UserError: this machine does not have the device.
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


def with_factor(
    cfg: DictConfig, generator: Generator, picture: Picture | None
) -> tuple[DictConfig, str | None, list[Faces] | None]:
    """Returns the configuration with the factor that suits the pictures in place of `degradation.factor=auto`.

    Where faces are cut out of the pictures, what counts is the size of their frames.

    Args:
        cfg: the configuration.
        generator: the generator.
        picture: replaces the file of `references=image`.

    Returns: with it, a sentence that names the factor and the reason, None if the configuration has a number; and the
        faces of each picture, None if they were not looked for.

    Raises:
        UserError: a picture cannot be read.
    """
    if cfg.degradation.get("factor") != AUTO:
        return cfg, None, None
    node, given = cfg.references, None if picture is None else picture_size(picture)
    faces = given_faces(node.get("faces"))
    frames: list[list[int]] | None = None
    if faces is None and "align" in node and _looks_for_faces(node, align := Align.of(node.align), generator):
        files = picture_files(node) if picture is None else [picture]
        faces = find_all_faces([partial(as_rgb, file) for file in files], align)
    if faces is not None:
        frames = [[round(frame.side) for frame in of_picture.cut_out] for of_picture in faces]
    decided = cfg.copy()
    decided.degradation.factor, why = chosen_factor(
        generator.resolution,
        lr_sides(node, generator.resolution, given, frames),
        "face" if frames and any(frames) else "picture",
    )
    return decided, why, faces


def _looks_for_faces(node: DictConfig, align: Align, generator: Generator) -> bool:
    """Returns whether faces are cut out of the pictures of a references option, unless the user has framed them."""
    return node.get("frame") is None and align.wanted(generator.domain)


def build_references(
    node: DictConfig,
    generator: Generator,
    degradation: Degradation,
    picture: Picture | None,
    faces: Sequence[Faces] | None = None,
) -> References:
    """Builds the references of a run; they get a notice if the generator knows another domain.

    Args:
        node: the references option.
        generator: the generator.
        degradation: A.
        picture: replaces the file of `references=image`.
        faces: those of each picture, if they were looked for already.
    """
    arguments: dict[str, Any] = {"resolution": generator.resolution, "degradation": degradation}
    if node.get("name") is not None:
        arguments["name"] = str(node.name)  # a picture may be called 2024
    if picture is not None:
        settings = {key: node[key] for key in ("frame", "noise_std", "align", "faces")} | {"as_": node["as"]}
        references: References = InMemory(image=picture, **settings, **arguments)
    else:
        if "path" in node:
            arguments["path"] = str(node.path)  # and so may a folder
        references = build(node, **arguments)
    knows = generator.domain
    if isinstance(references, PictureFiles | InMemory) and (
        references.given_faces or _looks_for_faces(node, references.align, generator)
    ):
        faces = references.given_faces or faces
        references = AlignedFaces(references, generator.resolution, degradation, faces)
    if knows and (strange := outside(knows, references.domain)):
        references.add_notice(f"{strange}: the samples will look like {in_words(knows)}.")
    return references


def build_lr_noise(node: DictConfig, references: References, generator: Generator, degradation: Degradation) -> Any:
    """Builds the LR noise of a run, with its mask, if it has one, as a tensor.

    Raises:
        UserError: no mask is given and the references have none of their own, or the mask cannot be read or has a wrong
            size.
    """
    if "mask" not in node:
        return build(node)
    resolution = generator.resolution
    _, height, width = degradation.lr_shape((3, resolution, resolution))
    return build(node, mask=lr_mask(_mask(node.mask, references), (height, width), resolution))


def _mask(path: str | None, references: References) -> Tensor:
    """Returns the mask, [1, H, W]; 1 means noise."""
    if path is not None:
        return load_rgb(expanded(path)).mean(dim=0, keepdim=True)
    own = references.own_mask()
    if own is None:
        raise UserError(
            "lr_noise=masked needs noise.lr_mask=<image file, white = noise there>: these references have no mask of"
            " their own."
        )
    return own


def build_batch_diversity(cfg: DictConfig, resolution: int, held: Held | NothingHeld = NOTHING) -> Any:
    """Builds the batch diversity of a run, with its metric, if it has one, as an object.

    Args:
        cfg: the configuration.
        resolution: the generator's.
        held: what samples must not change.

    Raises:
        UserError: the metric needs a network that is not at hand, or one that needs larger pictures.
    """
    node = cfg.batch_diversity
    if "metric" not in node:
        return build(node)
    metrics: dict[str, Callable[[], Metric]] = {
        "pixels": PixelDistance,
        "inside": lambda: _inside(held),
        "features": lambda: FeatureDistance(_squeezenet(resolution, cfg.metrics.lpips_download_seconds)),
    }
    return build(node, metric=metrics[node.metric]())


def _inside(held: Held | NothingHeld) -> InsideDistance:
    if not isinstance(held, Held):
        raise UserError("batch_diversity.metric=inside needs the mask of method=vary; pixels measures everywhere.")
    return InsideDistance(held.weight)


def _squeezenet(resolution: int, download_seconds: float) -> FeatureNetwork:
    """Returns SqueezeNet with LPIPS's weights, a copy of its own, since a search may move it to another precision."""
    asked = "batch_diversity.metric=features"
    if resolution < SMALLEST["squeeze"]:
        raise UserError(f"{asked} needs pictures of {SMALLEST['squeeze']} pixels a side, and these have {resolution}.")
    lpips = load_lpips("squeeze", backbone_file("squeeze"), download_seconds)
    if isinstance(lpips, NullLpips):
        raise UserError(f"{asked} needs SqueezeNet: {lpips.reason}; batch_diversity.metric=pixels does without.")
    return copy.deepcopy(lpips.network)


def build_stages(cfg: DictConfig, generator: Generator) -> list[Stage]:
    """Builds the stages of `cfg.stages.before`, in order, and the last stage, which the slots describe.

    Raises:
        UserError: restarts are asked for of a search with several stages.
    """
    searches = cfg.stages.get("restarts", 1)
    if cfg.stages.before and searches > 1:
        raise UserError(f"stages.restarts={searches}: only a search with a single stage can be restarted.")
    nodes = [*cfg.stages.before, OmegaConf.masked_copy(cfg, ["latent_space", "steps", "optimizer", "schedule"])]
    stages = [
        Stage(
            latent_space=build(node.latent_space, generator=generator),
            steps=node.steps,
            optimizer=factory(node.optimizer),
            schedule=build(node.schedule),
        )
        for node in nodes
    ]
    return stages * searches


def build_search(cfg: DictConfig, groups: Sequence[Sequence[int]], parts: Parts) -> Search:
    """Builds the search of the given groups; run it with `trainer_options`."""
    _import_matplotlib_silently()
    target, parent = cfg.target_lr_psnr, parts.parent
    held = NOTHING if parent is None else parent.reference.held
    arguments: dict[str, Any] = {
        "references": parts.references,
        "groups": groups,
        "generator": parts.generator,
        "degradation": parts.degradation,
        "latent_resampling": build_with_parent(cfg.latent_resampling, parent and parent.w_plus),
        "lr_noise": parts.lr_noise,
        "synthesis_noise": parts.synthesis_noise,
        "batch_diversity": build_batch_diversity(cfg, parts.generator.resolution, held),
        "objective": build(cfg.objective),
        "after_step": build(cfg.after_step),
        "keep": factory(cfg.keep),
        "select": AllSamples() if cfg.select is None else MostDifferent(cfg.select),
        "consistency": build(cfg.consistency),
        "num_samples": cfg.num_samples,
        "seed": cfg.seed,
        "film_frames": cfg.film_frames,
        "active": Active if target is None else partial(ActiveUntil, target_lr_psnr=target),
    }
    # Only for a search that has stages: building them may take a million draws of the mapping network.
    if searches_latents(cfg):
        arguments["stages"] = build_stages(cfg, parts.generator)
    return build(cfg.search, **arguments)


def _import_matplotlib_silently() -> None:
    """Imports matplotlib before Lightning and torchmetrics do, which draw nothing here, without its warnings about a
    home folder in which it cannot keep a cache. Where it is not installed they do without it.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with suppress(ImportError):
            import matplotlib  # noqa: F401
    finally:
        logger.setLevel(level)


def searches_latents(cfg: DictConfig) -> bool:
    """Returns whether the search has stages, in which latents move; a baseline has none."""
    return "stages" in inspect.signature(factory(cfg.search)).parameters


def total_steps(cfg: DictConfig) -> int:
    """Returns the steps of a search in all of its stages and restarts."""
    return cfg.stages.get("restarts", 1) * (cfg.steps + sum(stage.steps for stage in cfg.stages.before))


def trainer_options(trainer: DictConfig, device: torch.device) -> dict[str, Any]:
    """Returns the arguments of `pytorch_lightning.Trainer`."""
    return {
        "accelerator": trainer.accelerator,
        "devices": 1 if device.index is None else [device.index],
        "precision": trainer.precision,
    }


def build_tracker(cfg: DictConfig, job: Job) -> NullTracker:
    """Builds the tracker of a run, whose failures end the tracking alone."""
    config = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    group = job.sweep.name if job.sweep else None
    return ForgivingTracker(build(cfg.tracking, run_dir=job.run_dir, config=config, group=group))


def rendering_settings(cfg: DictConfig) -> dict[str, Any]:
    """Returns the settings needed to draw a run's pictures again, for `load_renderer` and for captions."""
    nodes = OmegaConf.masked_copy(cfg, ["method", "seed", *RENDERING_SLOTS])
    settings = OmegaConf.to_container(nodes, resolve=True, enum_to_str=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def renderer_loader() -> Callable[[Mapping[str, Any]], Renderer]:
    """Returns `load_renderer` with a memory for the last one: a run has the same settings in every record."""
    load = lru_cache(maxsize=1)(lambda settings: load_renderer(json.loads(settings)))
    return lambda settings: load(json.dumps(settings))


def _unresolved(node: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the strings of a resolved node so that OmegaConf reads them as they are."""
    return {key: without_interpolations(value) if isinstance(value, str) else value for key, value in node.items()}


def recorded_node(settings: Mapping[str, Any], slot: str) -> DictConfig:
    """Returns the option of a slot from the `settings` in a record.json, in the names of this version.

    Raises:
        UserError: it is nothing that an option of `conf/` names.
    """
    node = settings.get(slot)
    nested = not isinstance(node, Mapping) or any(isinstance(value, Mapping | list) for value in node.values())
    if nested or settings[slot].get("_target_") not in RENDERING_TARGETS:
        raise UserError(f"settings.{slot} is none of this program's options: nothing is drawn with it.")
    return OmegaConf.create(_unresolved(settings[slot]))


def load_renderer(settings: Mapping[str, Any]) -> Renderer:
    """Builds the renderer of a finished reference from the `settings` in its record.json.

    A record may come from anywhere, so only the `_target_` of this program's own options is ever called.

    Raises:
        UserError: the settings name something that no option of `conf/` names.
    """
    settings = translated(settings)
    cfg = OmegaConf.create({slot: recorded_node(settings, slot) for slot in RENDERING_SLOTS})
    space: type[Space] = get_class(cfg.latent_space["_target_"])
    return Renderer(build(cfg.generator), space, build(cfg.degradation), build(cfg.consistency))
