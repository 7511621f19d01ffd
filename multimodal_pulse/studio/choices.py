"""What the page offers, and how it becomes overrides of the command line. No PyTorch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.overrides import literal
from multimodal_pulse.studio.limits import PASSES, SAMPLES, TooMuchError

METHODS = {
    "explore": "samples that differ and agree with the picture; the best that is known here",
    "faithful": "the closest samples, which differ less",
    "combined": "all four ways to differ, tuned for this program",
    "report": "the report's settings: 200 passes and its four ways to differ",
    "lr_noise": "one start; each sample has noise of its own on the reference",
    "masked_lr_noise": "the same noise, only where you scribble",
    "batch_diversity": "one start; the samples push each other apart",
    "resampling": "different starts and nothing else",
    "pulse": "PULSE as published: one sample",
    "bicubic": "plain upsampling, for comparison",
}
"""The methods that the page offers, in its words."""


@dataclass(frozen=True)
class Knob:
    """A number that a visitor may set.

    Attributes:
        key: its key on the command line.
        label, unit: what the page says.
        lowest, highest, step: its range.
        needs: the slot that reads it, and the options of that slot that do not; None: every method reads it.
    """

    key: str
    label: str
    unit: str
    lowest: float
    highest: float
    step: float
    needs: tuple[str, tuple[str, ...]] | None = None


KNOBS = (
    Knob("num_samples", "Samples", "", 1, SAMPLES, 1),
    Knob("steps", "Passes", "each", 1, PASSES, 1, ("search", ("bicubic", "mean_image"))),
    Knob(
        "batch_diversity.distance",
        "At least so far apart",
        "grey levels",
        1,
        60,
        1,
        ("batch_diversity", ("none", "pairwise", "averaged")),
    ),
    Knob("noise.lr_std", "Noise on the reference", "of the range from 0 to 1", 0, 0.5, 0.002, ("lr_noise", ("none",))),
    Knob(
        "noise.synthesis_std",
        "Noise in the network",
        "standard deviations",
        0,
        1,
        0.01,
        ("synthesis_noise", ("none", "unit", "pulse")),
    ),
    Knob("seed", "Seed", "", 0, 2**31 - 1, 1),
)
OF_A_VARIATION = {"num_samples": 4, "steps": 40, "seed": 0}
"""What `method=vary` starts from."""


KINDS = {"portrait": ["references=portraits"], "photograph": ["references=image", "references.path=any.png"]}
"""The kinds of pictures, each with overrides that choose its generator and what suits that."""
OF_A_SCRIBBLE = {"noise.lr_std": 0.108}
"""What a scribble adds to a method that has no noise on the reference."""


@cache
def offered() -> dict[str, Any]:
    """Returns what the page offers: the methods with what each starts from, by kind of picture, and the knobs."""
    from multimodal_pulse.configuration.compose import compose_job

    methods = []
    for name, words in METHODS.items():
        settings = {kind: _settings(*compose_job([f"method={name}", *of_kind], "")) for kind, of_kind in KINDS.items()}
        methods.append({"name": name, "words": words, "settings": settings})
    knobs = [
        {"key": k.key, "label": k.label, "unit": k.unit, "lowest": k.lowest, "highest": k.highest, "step": k.step}
        for k in KNOBS
    ]
    return {"methods": methods, "knobs": knobs, "scribble": OF_A_SCRIBBLE}


def _settings(cfg: Any, job: Any) -> dict[str, Any]:
    """Returns the knobs that a configuration reads, with their values."""
    settings: dict[str, Any] = {}
    for knob in KNOBS:
        if knob.needs is not None and job.choices[knob.needs[0]] in knob.needs[1]:
            continue
        node = cfg
        for part in knob.key.split("."):
            node = node.get(part)
        settings[knob.key] = 20 if node is None else node  # a distance that is left to the metric
    return settings


def overrides_of(method: str, knobs: Mapping[str, float], kind: str, scribbled: bool = False) -> list[str]:
    """Returns the overrides of a method and of knobs that differ from what it starts from.

    Args:
        method: the method.
        knobs: the values of knobs, by their keys on the command line.
        kind: the kind of picture, a key of KINDS.
        scribbled: whether the reference gets noise where the visitor has scribbled.

    Raises:
        UserError: the method is not offered, or a knob is not one of its, or is out of range.
    """
    known = next((known for known in offered()["methods"] if known["name"] == method), None)
    if known is None:
        raise UserError(f"There is no method {str(method)[:40]!r} here.")
    if method == "masked_lr_noise" and kind == "photograph" and not scribbled:
        raise UserError("Scribble first: this method adds noise only where you scribble.")
    settings = known["settings"][kind]
    return [f"method={method}", *_knobs(method, knobs, (OF_A_SCRIBBLE | settings) if scribbled else settings)]


def of_variation(parent: Path, sample: int, mask: Path, knobs: Mapping[str, float]) -> list[str]:
    """Returns the overrides of further samples like a finished one.

    Args:
        parent: the folder of the finished reference.
        sample: the number of the sample.
        mask: the file that says where they may differ.
        knobs: as in `overrides_of`.

    Raises:
        UserError: as `overrides_of`.
    """
    named = [f"vary.folder={literal(str(parent))}", f"vary.sample={sample}", f"vary.mask={literal(str(mask))}"]
    return ["method=vary", *named, *_knobs("vary", knobs, OF_A_VARIATION)]


def _knobs(method: str, knobs: Mapping[str, float], settings: Mapping[str, Any]) -> list[str]:
    """Returns the overrides of knobs that differ from what the method starts from."""
    by_key = {knob.key: knob for knob in KNOBS}
    overrides: list[str] = []
    for key, value in knobs.items():
        if key not in settings:
            raise UserError(f"The method {method} has no knob {str(key)[:40]!r}.")
        overrides += _set(by_key[key], value, settings[key])
    return overrides


def _set(knob: Knob, value: Any, before: Any) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{knob.label} must be a number.")
    if not knob.lowest <= value <= knob.highest:
        error = TooMuchError if value > knob.highest else UserError
        raise error(f"{knob.label} must be from {knob.lowest:g} to {knob.highest:g}, and {value:g} was asked for.")
    if float(knob.step).is_integer():
        if value != int(value):
            raise UserError(f"{knob.label} must be a whole number.")
        value = int(value)
    return [] if value == before else [f"{knob.key}={value:g}" if isinstance(value, float) else f"{knob.key}={value}"]


def of_upload(file: Path, name: str, generator: str | None) -> list[str]:
    """Returns the overrides that name an uploaded picture.

    Args:
        file: where it lies.
        name: the name of the reference, see `reference_name`.
        generator: the generator; None: the one for photographs.
    """
    own = [] if generator is None else [f"generator={generator}"]
    return ["references=image", f"references.path={literal(str(file))}", f"references.name={literal(name)}", *own]


def of_portrait(number: int) -> list[str]:
    """Returns the overrides that name a built-in portrait."""
    return ["references=portraits", f"references.start={number}"]


def faces_override(frames: Sequence[Sequence[float]]) -> str:
    """Returns the override with the frames of faces, [x, y, side, roll] each.

    Raises:
        UserError: they are no such numbers.
    """
    try:
        numbers = [[round(float(number), 1) for number in frame] for frame in frames]
    except (TypeError, ValueError) as error:
        raise UserError("A frame must be four numbers.") from error
    if not 1 <= len(numbers) <= 16 or any(len(frame) != 4 for frame in numbers):
        raise UserError("A picture has from one to sixteen frames, of four numbers each.")
    return f"references.faces=[{','.join('[' + ','.join(f'{n:g}' for n in frame) + ']' for frame in numbers)}]"


def reference_name(uploaded: str) -> str:
    """Returns a plain name for an uploaded file, from the one that it had, of which nothing else is used."""
    stem = re.split(r"[\\/]", uploaded)[-1].rsplit(".", 1)[0]
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:40]
    # What begins with a letter, and has more than an e in it, is no number to anybody.
    return plain if re.search(r"[A-DF-Za-df-z]", plain) and plain[0].isalpha() else f"picture-{plain}".rstrip("-")
