"""Checks of a configuration beyond its schema, before anything heavy is imported."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from multimodal_pulse.base.errors import UserError


@dataclass(frozen=True)
class Mechanism:
    """A knob that only some options of a slot read.

    Attributes:
        slot: the slot.
        options: the options of the slot that read the knob; the first is suggested to the user.
        methods: the methods that choose one of these options.
    """

    slot: str
    options: tuple[str, ...]
    methods: tuple[str, ...]


_LR_NOISE = Mechanism(
    "lr_noise", ("gaussian", "masked", "shared"), ("lr_noise", "masked_lr_noise", "combined", "report")
)
_MASKED = Mechanism("lr_noise", ("masked",), ("masked_lr_noise",))
_SYNTHESIS_NOISE = Mechanism("synthesis_noise", ("gaussian", "shared"), ("synthesis_noise", "report"))
_RESOLUTIONS = Mechanism("synthesis_noise", ("gaussian",), ("synthesis_noise", "report"))
_BATCH_DIVERSITY = Mechanism(
    "batch_diversity",
    ("pairwise", "averaged", "repulsion", "inside"),
    ("batch_diversity", "combined", "report", "explore", "vary"),
)
_OF_PARENT = Mechanism("references", ("found",), ("vary",))

READ_BY = {
    "noise.lr_std": _LR_NOISE,
    "noise.lr_mask": _MASKED,
    "noise.synthesis_std": _SYNTHESIS_NOISE,
    "noise.synthesis_resolutions": _RESOLUTIONS,
    "vary.folder": _OF_PARENT,
    "vary.sample": _OF_PARENT,
    "vary.mask": _OF_PARENT,
    "objective.diversity_weight": _BATCH_DIVERSITY,
}

LOWEST = {
    "num_samples": 1,
    "select": 1,
    "steps": 1,
    "target_lr_psnr": 1,
    "stages.restarts": 1,
    "film_frames": 0,
    "vary.sample": 0,
    "shard.index": 0,
    "shard.count": 1,
    "references.limit": 1,
    "degradation.factor": 1,
    "noise.lr_std": 0,
    "noise.synthesis_std": 0,
    "trainer.references_per_group": 1,
    "trainer.device": 0,
    "trainer.price_per_hour": 0,
    "optimizer.lr": 0,
    "optimizer.momentum": 0,
    "optimizer.weight_decay": 0,
    "optimizer.first_move": 0,
    "optimizer.history": 1,
    "tracking.limit": 0,
    "metrics.lpips_download_seconds": 0,
}
"""The smallest value of each number that no constructor checks or that is better refused at once; some belong to some
options only."""

HIGHEST = 1e9
"""The largest weight, rate, standard deviation or other decimal number that can be meant; the search computes in single
precision, where much larger ones end in infinity."""

WITHOUT_SEARCH = ("bicubic", "mean_image")
"""Options of the slot `search` that make one picture per reference without searching."""

OF_A_SEARCH = (
    "num_samples", "select", "steps", "target_lr_psnr", "film_frames", "noise", "latent_space", "latent_resampling",
    "lr_noise", "synthesis_noise", "batch_diversity", "objective", "optimizer", "schedule", "stages", "after_step",
    "keep",
)  # fmt: skip
"""Knobs and slots that only a search reads. The seed is not among them: whoever sweeps methods sweeps it for all."""

AUTO = "auto"
"""The value that leaves a choice to the program: of WHOLE_OR_AUTO and of `metrics.lpips_net`."""

WHOLE_OR_AUTO = ("trainer.references_per_group", "degradation.factor")
"""Keys that have a whole number or AUTO."""

RESOLUTIONS = (16, 32, 64, 128, 256, 512, 1024)
"""The resolutions of generators that the configuration describes; `Architecture` decides in the end."""

ESTIMATE = ("estimate", AUTO)
"""Words for `references.noise_std` that leave it to the program."""

FILES = (
    "references.path", "references.partition_file", "generator.path", "noise.lr_mask", "degradation.mask",
    "vary.folder", "vary.mask",
)  # fmt: skip
"""Keys of files and folders that must exist when a run begins; some belong to some options only."""


def check_config(cfg: DictConfig, choices: Mapping[str, str], overrides: Sequence[str]) -> None:
    """Refuses a configuration that cannot run.

    Args:
        cfg: the composed configuration.
        choices: the chosen option of each slot.
        overrides: the overrides of the command line.

    Raises:
        UserError: a value is missing or out of range, or a knob is set for a mechanism that is switched off.
    """
    for override in overrides:
        if override[0] in "+~":
            raise UserError(
                f"{override}: nothing can be added to this configuration or taken from it; leave out the sign."
            )
    # The schema of references=folder does not refuse null.
    null = ["references.path"] if "path" in cfg.references and cfg.references.path is None else []
    for key in sorted(OmegaConf.missing_keys(cfg)) + null:
        raise UserError(f"{key} is not set: add {key}=... to the command.")
    _check_parent(cfg)
    limit = cfg.references.get("limit")
    if limit is not None and not isinstance(limit, int):  # references.folder has no schema that would say so
        raise UserError(f"references.limit={limit}: it must be a whole number, or null for all.")
    recursive = cfg.references.get("recursive", False)
    if not isinstance(recursive, bool):  # nor does it say so of this
        raise UserError(f"references.recursive={recursive}: it must be true or false.")
    for key in WHOLE_OR_AUTO:
        value = OmegaConf.select(cfg, key)
        if isinstance(value, str) and value != AUTO:
            raise UserError(f"{key}={value}: it must be a whole number, or {AUTO}.")
    if isinstance(cfg.trainer.compile, str) and cfg.trainer.compile != AUTO:
        raise UserError(f"trainer.compile={cfg.trainer.compile}: it must be true, false or {AUTO}.")
    if cfg.trainer.compile is True and cfg.trainer.kernels == "fused":
        raise UserError("trainer.compile=true and trainer.kernels=fused exclude each other: leave one out.")
    refuse_frame(cfg.references.get("frame"))
    refuse_faces(cfg.references.get("faces"), cfg.references.get("frame"))
    refuse_noise_std(cfg.references.get("noise_std"))
    for key, lowest in LOWEST.items():
        value = OmegaConf.select(cfg, key)
        if isinstance(value, int | float) and not (math.isfinite(value) and value >= lowest):
            finite = "" if isinstance(value, int) else "finite and "
            raise UserError(f"{key}={value}: it must be {finite}at least {lowest}.")
    for key, value in _decimals(cfg):
        if not math.isfinite(value):
            raise UserError(f"{key}={value}: it must be a finite number.")
        if abs(value) > HIGHEST:
            raise UserError(f"{key}={value:g}: it must be at most {HIGHEST:g}.")
    if cfg.select is not None and cfg.select > cfg.num_samples:
        raise UserError(
            f"select={cfg.select}: it must be at most num_samples={cfg.num_samples}, the samples that are found."
        )
    if cfg.shard.index >= cfg.shard.count:
        raise UserError(
            f"shard.index={cfg.shard.index}, shard.count={cfg.shard.count}: the shards are 0 to {cfg.shard.count - 1}."
        )
    _check_sizes(cfg)
    given = {override.partition("=")[0] for override in overrides}
    for knob, mechanism in READ_BY.items():
        chosen = choices[mechanism.slot]
        if knob in given and chosen not in mechanism.options:
            raise UserError(
                f"{knob} is set, but {mechanism.slot}={chosen}: choose"
                f" {mechanism.slot}={mechanism.options[0]} or a method that has it ({', '.join(mechanism.methods)})."
            )


def _check_parent(cfg: DictConfig) -> None:
    """Refuses options that take something from a parent where there is none."""
    of_parent = [str(slot) for slot, node in cfg.items() if isinstance(node, DictConfig) and "parent" in node]
    if not of_parent:
        return
    if "references" not in of_parent:
        raise UserError(
            f"{of_parent[0]} takes something from the folder vary.folder, and so must the reference: choose"
            " references=found, or leave references=... out of method=vary."
        )
    for key in ("folder", "mask"):
        if cfg.vary[key] is None:
            raise UserError(f"vary.{key} is not set: add vary.{key}=... to the command.")


def without_effect(choices: Mapping[str, str], overrides: Sequence[str]) -> str | None:
    """Returns a notice that names the overrides that change nothing, because nothing is searched; None if all count.

    Args:
        choices: the chosen option of each slot.
        overrides: the overrides of the command line.
    """
    search = choices["search"]
    if search not in WITHOUT_SEARCH:
        return None
    last = {override.partition("=")[0]: override for override in overrides}  # of a key that is given twice
    unread = [given for key, given in last.items() if key.partition(".")[0] in OF_A_SEARCH]
    if not unread:
        return None
    have = "has" if len(unread) == 1 else "have"
    return f"search={search} makes one picture per reference without a search: {', '.join(unread)} {have} no effect."


def _decimals(node: Any) -> Iterator[tuple[str, float]]:
    """Yields every decimal number below a node of the configuration, with its full key."""
    for key in range(len(node)) if isinstance(node, ListConfig) else node:
        value = node[key]
        if isinstance(value, DictConfig | ListConfig):
            yield from _decimals(value)
        elif isinstance(value, float):
            yield node._get_full_key(key), value


def refuse_frame(frame: Any) -> None:
    """Refuses a `references.frame` that lies in no picture.

    Raises:
        UserError: it is neither None nor left, top, right and bottom in whole pixels.
    """
    if frame is None:
        return
    numbers = list(frame) if isinstance(frame, Sequence) and not isinstance(frame, str) else []
    whole = len(numbers) == 4 and all(type(number) is int for number in numbers)
    if not whole or not (0 <= numbers[0] < numbers[2] and 0 <= numbers[1] < numbers[3]):
        raise UserError(
            f"references.frame={numbers or frame}: it must be [left,top,right,bottom] in whole pixels of the picture,"
            " such as [40,25,168,153], or null for its middle."
        )


def refuse_faces(faces: Any, frame: Any) -> None:
    """Refuses a `references.faces` that is no list of frames, or that stands beside a `references.frame`.

    Raises:
        UserError: it is neither None nor a list of [x, y, side, roll], or there are both.
    """
    if faces is None:
        return
    frames = list(faces) if isinstance(faces, Sequence) and not isinstance(faces, str) else []
    if not frames or not all(_is_face(of_face) for of_face in frames):
        raise UserError(
            f"references.faces={faces}: it must be a list of [x,y,side,roll], the centre and the side of each face's"
            " frame in pixels and its rotation in degrees, such as [[220,180,160,0]], or null to look for them."
        )
    if frame is not None:
        raise UserError("references.faces and references.frame are both set: each says what is cut out; keep one.")


def _is_face(numbers: Any) -> bool:
    if not isinstance(numbers, Sequence) or isinstance(numbers, str) or len(numbers) != 4:
        return False
    return all(isinstance(n, int | float) and math.isfinite(n) for n in numbers) and 1 <= numbers[2] <= HIGHEST


def refuse_noise_std(noise_std: Any) -> None:
    """Refuses a `references.noise_std` that is neither None, a word of ESTIMATE nor a number from 0 to 1.

    Raises:
        UserError: it is something else.
    """
    if noise_std is None or noise_std in ESTIMATE:
        return
    number = isinstance(noise_std, int | float) and not isinstance(noise_std, bool)
    if not number or not 0 <= noise_std <= 1:
        raise UserError(
            f"references.noise_std={noise_std}: it must be a standard deviation from 0 to 1, in units of the [0, 1]"
            " range (ten grey levels are 0.039), estimate, or null for no noise."
        )


def _check_sizes(cfg: DictConfig) -> None:
    """Refuses a factor that does not suit a generator whose resolution stands in the configuration."""
    resolution, factor = (OmegaConf.select(cfg, key) for key in ("generator.resolution", "degradation.factor"))
    if resolution is None:
        return
    if resolution not in RESOLUTIONS:
        raise UserError(f"generator.resolution={resolution}: it must be one of {', '.join(map(str, RESOLUTIONS))}.")
    if isinstance(factor, int) and resolution % factor:
        divisors = ", ".join(str(n) for n in range(1, resolution + 1) if resolution % n == 0)
        raise UserError(
            f"degradation.factor={factor} does not divide generator.resolution={resolution}: choose one of {divisors}."
        )


def check_files(cfg: DictConfig) -> None:
    """Refuses a missing or unreachable file or folder; not for a run whose picture is in memory.

    Raises:
        UserError: naming the key and the path.
    """
    for key in FILES:
        path = OmegaConf.select(cfg, key)
        if path is None:
            continue
        try:
            os.stat(os.path.expanduser(str(path)))
        except PermissionError as error:
            raise UserError(f"{key}={path} cannot be reached: {error.strerror}.") from error
        except (OSError, ValueError) as error:  # also a name that no file can have
            raise UserError(f"{key}={path} does not exist.") from error
