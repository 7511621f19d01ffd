"""`multimodal-pulse merge`: makes one run directory from those of an evaluation's shards.

The result is what one process would have left: the same files, in a run directory in which the same command without
shards finds nothing to do. Everything is checked before anything is written, the shards are not changed, and a merge
that was killed is completed by the next one.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.files import PARTIAL, atomic_folder, expanded, only_writer, remove_partial, short
from multimodal_pulse.configuration.run_config import (
    CONFIG_FILE,
    OVERRIDES_FILE,
    PLACE_KEYS,
    differences,
    in_words,
    read_config,
    write_config_once,
)
from multimodal_pulse.results.json_files import read_json, write_json
from multimodal_pulse.results.plan import Plan, write_plan_once
from multimodal_pulse.results.records import check_entries, derive, finished
from multimodal_pulse.results.report import Report, report, say_unusable

DEFAULT_NAME = "merged"
"""The name of the new run directory, beside the first shard, if none is given."""
OWN_KEYS = PLACE_KEYS | {"shard.index"}
"""The keys in which the configurations of an evaluation's shards may differ."""
MADE_WITH = ("commit", "versions")
"""The keys of provenance.json in which shards may differ, but which are reported."""


@dataclass(frozen=True)
class Shard:
    """The run directory of a shard.

    Attributes:
        folder: the run directory.
        config: the content of config.yaml.
        plan: the plan of the whole evaluation.
        provenance: the content of provenance.json; None if the shard had nothing to search.
        finished: the names of the finished references.
        unusable: by name, why other references could not be searched.
    """

    folder: Path
    config: dict[str, Any]
    plan: Plan
    provenance: dict[str, Any] | None
    finished: set[str]
    unusable: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Shard":
        """
        Raises:
            UserError: the folder is not a run directory, or one without a plan.
        """
        if not (folder / CONFIG_FILE).exists():
            raise UserError(f"{short(folder)} is no run directory: there is no {CONFIG_FILE} in it.")
        config = read_config(folder / CONFIG_FILE)
        shard = (config or {}).get("shard")
        if config is None or not isinstance(shard, dict) or not {"index", "count"} <= shard.keys():
            raise UserError(f"{short(folder / CONFIG_FILE)} is not this program's.")
        plan = Plan.read(folder)
        if plan is None:
            raise UserError(
                f"{short(folder)} has no plan.json: it was stopped before it began; start this shard again."
            )
        done, metrics = finished(folder), read_json(folder / "metrics.json") or {}
        reasons = metrics.get("unusable", {})
        if not isinstance(reasons, dict):
            raise UserError(f"{short(folder / 'metrics.json')} is damaged, or not this program's.")
        unusable = {name: str(reason) for name, reason in reasons.items() if name not in done}
        return cls(folder, config, plan, read_json(folder / "provenance.json"), done, unusable)

    @property
    def index(self) -> int:
        """The number of the shard, from 0."""
        return self.config["shard"]["index"]

    @property
    def count(self) -> int:
        """The number of shards of the evaluation."""
        return self.config["shard"]["count"]

    def __str__(self) -> str:
        return str(short(self.folder))


def merge(folders: Sequence[Path], out: Path | None = None) -> Report:
    """Makes one run directory from the shards'.

    Args:
        folders: the run directories of the shards, in any order.
        out: the new run directory; None: "merged" beside the first shard. An earlier merge of the same shards in it is
            completed.

    Raises:
        UserError: the shards are not one whole evaluation with each reference once, or `out` has other content.
            Nothing is written then.
    """
    shards = sorted((Shard.read(expanded(folder).absolute()) for folder in folders), key=lambda shard: shard.index)
    _refuse_strangers(shards)
    _refuse_overlaps(shards)
    _refuse_gaps(shards)
    out = shards[0].folder.parent / DEFAULT_NAME if out is None else expanded(out).absolute()
    cfg, plan = _config_of_the_whole(shards[0]), _plan_of_the_whole(shards)
    overrides = _overrides_of_the_whole(shards[0])
    for shard in shards:
        check_entries(shard.folder, sorted(shard.finished))
    source = {name: shard.folder / "references" / name for shard in shards for name in shard.finished}
    unusable = {name: reason for shard in shards for name, reason in shard.unusable.items()}
    _refuse_other_content(out, cfg, plan, source)
    made = [(shard, shard.provenance) for shard in shards if shard.provenance is not None]
    if differing := [key for key in MADE_WITH if len({json.dumps(own.get(key)) for _, own in made}) > 1]:
        print(f"note: not all shards have the same {' and '.join(differing)}: see provenance.json", file=sys.stderr)
    say_unusable(unusable)

    with only_writer(out):
        remove_partial(out)
        write_config_once(out, cfg, overrides)
        write_plan_once(out, plan)
        write_json(out / "provenance.json", _provenance_of_the_whole(made, out))
        references = out / "references"
        references.mkdir(exist_ok=True)
        remove_partial(references)
        for name in plan.references:
            if name in source and not (references / name).exists():
                _link(source[name], references / name)
        metrics = derive(out, plan.references, unusable)
    return report(out, cfg.method, plan.references, metrics)


# --- what is refused ---------------------------------------------------------------------------------------------


def _refuse_strangers(shards: Sequence[Shard]) -> None:
    """
    Raises:
        UserError: two shards have different configurations, plans or weights.
    """
    first = shards[0]
    for other in shards[1:]:
        if differing := differences(first.config, other.config, OWN_KEYS):
            words = in_words(differing, f"in {first}", f"in {other}")
            raise UserError(f"{first} and {other} are not shards of one evaluation ({words}).")
        if first.plan != other.plan:
            pairs = zip(first.plan.references, other.plan.references, strict=False)
            part = next((f" ({a} in one where the other has {b})" for a, b in pairs if a != b), "")
            raise UserError(f"{first} and {other} have different plans: {first.plan} and {other.plan}{part}.")
        if first.plan.lr_mask != other.plan.lr_mask:
            raise UserError(f"{first} and {other} were made with different files in the place of noise.lr_mask.")
    weights = [(shard, shard.provenance.get("weights_sha256")) for shard in shards if shard.provenance is not None]
    for (one, its), (other, others) in pairwise(weights):
        if its != others:
            raise UserError(
                f"{one} and {other} were made with different weights (sha256 {str(its)[:12]}... and"
                f" {str(others)[:12]}...)."
            )


def _refuse_overlaps(shards: Sequence[Shard]) -> None:
    """
    Raises:
        UserError: two run directories are the same shard, or have the same reference.
    """
    for one, other in combinations(shards, 2):
        if one.index == other.index:
            raise UserError(f"{one} and {other} are both shard {one.index} of {one.count}: leave one out.")
        if both := [name for name in one.plan.references if name in one.finished & other.finished]:
            raise UserError(f"{one} and {other} overlap: both have {listed(both)}.")


def _refuse_gaps(shards: Sequence[Shard]) -> None:
    """
    Raises:
        UserError: a shard or a reference is missing.
    """
    plan, count = shards[0].plan, shards[0].count
    given = {shard.index for shard in shards}
    absent = [str(index) for index in range(count) if index not in given and plan.names(index, count)]
    missing = [f"shard{'' if len(absent) == 1 else 's'} {listed(absent)} of {count}"] if absent else []
    for shard in shards:
        present = shard.finished | shard.unusable.keys()
        if rest := [name for name in plan.names(shard.index, count) if name not in present]:
            missing.append(f"{listed(rest)} in {shard}")
    if missing:
        raise UserError(f"not everything is there: {'; '.join(missing)}. Start these shards again; they do the rest.")


def _refuse_other_content(out: Path, cfg: DictConfig, plan: Plan, source: dict[str, Path]) -> None:
    """
    Raises:
        UserError: `out` has anything but what an earlier merge of these shards left.
    """
    remedy = "choose another folder with --out"
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{short(out)} is a file: {remedy}.")
    if not (out / CONFIG_FILE).exists():
        if strange := [path.name for path in out.iterdir() if not path.name.startswith((PARTIAL, OVERRIDES_FILE))]:
            raise UserError(f"{short(out)} is not empty ({listed(sorted(strange))}): {remedy}.")
        return
    present = read_config(out / CONFIG_FILE) or {}
    if differing := differences(present, yaml.safe_load(OmegaConf.to_yaml(cfg)), PLACE_KEYS):
        raise UserError(f"{short(out)} holds something else ({in_words(differing, 'there', 'here')}): {remedy}.")
    if Plan.read(out) not in (None, plan):
        raise UserError(f"{short(out)} holds an evaluation with another plan: {remedy}.")
    for name in sorted(finished(out)):
        given = source[name] / "record.json" if name in source else None
        if given is None or (out / "references" / name / "record.json").read_bytes() != given.read_bytes():
            raise UserError(f"{short(out)} has a {name} that is of none of these shards: {remedy}.")


# --- what is written ---------------------------------------------------------------------------------------------


def _config_of_the_whole(shard: Shard) -> DictConfig:
    """Returns the configuration that one process would have had."""
    cfg = OmegaConf.load(shard.folder / CONFIG_FILE)
    assert isinstance(cfg, DictConfig)
    cfg.shard.index, cfg.shard.count = 0, 1
    return cfg


def _plan_of_the_whole(shards: Sequence[Shard]) -> Plan:
    """Returns the plan with the files of all shards."""
    plan = shards[0].plan
    files = {name: file for shard in shards for name, file in shard.plan.files.items()}
    return replace(plan, files={name: files[name] for name in plan.references if name in files})


def _overrides_of_the_whole(shard: Shard) -> list[str]:
    path = shard.folder / OVERRIDES_FILE
    try:
        given = [str(override) for override in yaml.safe_load(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{short(path)} is missing or damaged ({' '.join(str(error).split())}).") from error
    return [override for override in given if override.partition("=")[0] not in OWN_KEYS | {"shard.count"}]


def _provenance_of_the_whole(made: Sequence[tuple[Shard, dict[str, Any]]], out: Path) -> dict[str, Any]:
    """Returns what all provenances have in common, and each one with the folder of its shard."""
    first, *others = (provenance for _, provenance in made)
    common = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    of_each = [{"folder": os.path.relpath(shard.folder, out)} | provenance for shard, provenance in made]
    return common | {"command": sys.argv, "shards": of_each}


def _link(source: Path, target: Path) -> None:
    """Makes the folder `target` with hard links to the files in `source`, or copies if links are impossible.

    This program replaces files and never writes into them, so a link is as good as a copy and takes no space.
    """
    with atomic_folder(target) as partial:
        for path in source.iterdir():
            try:
                os.link(path, partial / path.name)
            except OSError:  # another file system, or one without links
                shutil.copy2(path, partial / path.name)
