"""Translates the names of earlier versions in run directories, so that this version can resume and draw them."""

import copy
from collections.abc import Mapping
from typing import Any

_ROOMS = {
    "multimodal_pulse.degradation.Degradation": "multimodal_pulse.degradation.Bicubic",
    "multimodal_pulse.portraits.prior.load_prior": "multimodal_pulse.domains.portraits.load_prior",
    "multimodal_pulse.generator.pretrained.load_file": "multimodal_pulse.generator.load_file",
    "multimodal_pulse.generator.pretrained.load_official": "multimodal_pulse.generator.load_official",
} | {
    f"multimodal_pulse.{module}.{name}": f"multimodal_pulse.{room}.{name}"
    for module, room, names in (
        ("diversity.latent_resampling", "diversity", ("IndependentLatents", "SharedLatent")),
        ("diversity.lr_noise", "diversity", ("NoLrNoise", "GaussianLrNoise", "MaskedLrNoise")),
        ("diversity.synthesis_noise", "diversity", ("NoSynthesisNoise", "GaussianSynthesisNoise", "PulseNoise")),
        ("diversity.batch_diversity", "diversity", ("NoBatchDiversity", "BatchDiversity")),
        ("objective", "search", ("Objective",)),
        ("optimizers", "search", ("adam", "ranger21", "sgd")),
        ("schedules", "search", ("NoSchedule", "FixedSchedule", "Linear1Cycle", "Linear1CycleDrop")),
        ("latent_optimization", "search", ("LatentOptimization",)),
        ("baselines", "search", ("BicubicSearch", "MeanImageSearch")),
        ("consistency", "search", ("NoConsistency", "ExactConsistency")),
        ("tracking", "results.tracking", ("NullTracker", "CsvTracker", "WandbTracker")),
    )
    for name in names
}
"""The new place of each `_target_` that has moved."""

_ONCE_FIXED: dict[str, Any] = {
    "latent_space": {"_target_": "multimodal_pulse.generator.Sphere"},
    "stages": {"before": []},
    "after_step": {"_target_": "multimodal_pulse.search.Retract"},
    "keep": {"_target_": "multimodal_pulse.search.BestIterate"},
    "select": None,
    "target_lr_psnr": None,
    "vary": {"folder": None, "sample": 0, "mask": None},
}
"""Slots and knobs that earlier versions did not have, with what these versions did."""

_REPULSION = {"_target_": "multimodal_pulse.diversity.Repulsion", "metric": "pixels"}
_ONCE_WITHOUT: dict[str, dict[str, dict[str, Any]]] = {
    "batch_diversity": {_REPULSION["_target_"]: _REPULSION},
    "generator": {"multimodal_pulse.generator.load_file": {"domain": "photographs"}},
    "references": {
        "multimodal_pulse.references.Portraits": {"start": 0},
        "multimodal_pulse.references.Folder": {"recursive": False, "frame": None, "noise_std": None},
        "multimodal_pulse.references.ImageFile": {"name": None, "frame": None, "noise_std": None, "faces": None},
    },
    "trainer": {"": {"kernels": "plain", "compile": False}},  # a slot without a class
}
"""Keys that options did not have in earlier versions, by slot and class, with what these versions did."""


def translated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configuration of a run, or the settings in a record.json, in the names of this version."""
    if "degradation" not in settings:  # the file of another program
        return dict(settings)
    renamed = {key: _renamed(value) for key, value in settings.items()}
    for slot, classes in _ONCE_WITHOUT.items():
        if isinstance(node := renamed.get(slot), dict):
            renamed[slot] = classes.get(node.get("_target_", ""), {}) | node
    if renamed.get("batch_diversity") == _REPULSION | {"distance": 20.0}:
        renamed["batch_diversity"] = _REPULSION | {"distance": None}  # which has come to mean these 20 grey levels
    return {slot: copy.deepcopy(node) for slot, node in _ONCE_FIXED.items() if slot not in renamed} | renamed


def _renamed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _ROOMS.get(inner, inner) if key == "_target_" and isinstance(inner, str) else _renamed(inner)
            for key, inner in value.items()
        }
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value
