"""One run directory out of those of an evaluation's shards: `multimodal-pulse merge`.

What comes out is what one process would have left: the same files, and a run directory in which the same command
without shards finds nothing to do. Everything is checked before anything is written, nothing in a shard is touched, and
a merge that was killed is finished by the next one.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import PARTIAL, atomic_folder, only_writer, remove_partial, short
from multimodal_pulse.configuration.run_config import (
    CONFIG_FILE,
    OVERRIDES_FILE,
    PLACE_KEYS,
    differences,
    in_words,
    read_config,
    settle_config,
)
from multimodal_pulse.results.json_files import write_json
from multimodal_pulse.results.plan import Plan, settle_plan
from multimodal_pulse.results.records import derive, finished
from multimodal_pulse.results.report import Report, report, say_unusable

DEFAULT_NAME = "merged"
"""Of the folder beside the first shard, where no other is given."""
MOST_NAMES = 10
"""References that a refusal names; it counts the others."""
OWN_KEYS = PLACE_KEYS | {"shard.index"}
"""Keys in which the configurations of an evaluation's shards may differ."""
MADE_WITH = ("commit", "versions")
"""What shards should have in common and need not."""


@dataclass(frozen=True)
class Shard:
    """A run directory that is to be merged.

    Attributes:
        folder: the run directory.
        config: the content of its config.yaml.
        plan: of the whole evaluation.
        provenance: the content of its provenance.json; None where it has none, having had nothing to do.
        finished: names of its references.
        unusable: why others could not be searched, by name.
    """

    folder: Path
    config: dict[str, Any]
    plan: Plan
    provenance: dict[str, Any] | None
    finished: set[str]
    unusable: dict[str, str]

    @property
    def index(self) -> int:
        """From 0."""
        return self.config["shard"]["index"]

    @property
    def count(self) -> int:
        """Shards of the evaluation."""
        return self.config["shard"]["count"]

    def __str__(self) -> str:
        return str(short(self.folder))


def merge(folders: Sequence[Path], out: Path | None = None) -> Report:
    """Makes one run directory of the shards'.

    Args:
        folders: the shards' run directories, in any order.
        out: the new one; None: "merged" beside the first. What an earlier merge of the same shards has left there is
            completed.

    Raises:
        UserError: they are not the whole of one evaluation, each reference once, or `out` holds something else. Nothing
            is written then.
    """
    shards = sorted((_read(folder.expanduser().absolute()) for folder in folders), key=lambda shard: shard.index)
    _refuse_strangers(shards)
    _refuse_overlaps(shards)
    _refuse_gaps(shards)
    out = shards[0].folder.parent / DEFAULT_NAME if out is None else out.expanduser().absolute()
    cfg, plan = _config_of_the_whole(shards[0]), shards[0].plan
    source = {name: shard.folder / "references" / name for shard in shards for name in shard.finished}
    unusable = {name: reason for shard in shards for name, reason in shard.unusable.items()}
    _refuse_another_content(out, cfg, plan, source)
    if differing := [key for key in MADE_WITH if len({json.dumps(made.get(key)) for made in _made(shards)}) > 1]:
        print(f"note: not all shards have the same {' and '.join(differing)}: see provenance.json", file=sys.stderr)
    say_unusable(unusable)

    with only_writer(out):
        remove_partial(out)
        settle_config(out, cfg, _overrides_of_the_whole(shards[0]))
        settle_plan(out, plan)
        write_json(out / "provenance.json", _provenance(shards, out))
        references = out / "references"
        references.mkdir(exist_ok=True)
        remove_partial(references)
        for name in plan.references:
            if name in source and not (references / name).exists():
                _take(source[name], references / name)
        metrics = derive(out, plan.references, unusable)
    return report(out, cfg.method, plan.references, metrics)


# --- what the shards are -----------------------------------------------------------------------------------------


def _read(folder: Path) -> Shard:
    """A shard, as far as it has come.

    Raises:
        UserError: it is no run directory.
    """
    if not (folder / CONFIG_FILE).exists():
        raise UserError(f"{short(folder)} is no run directory: there is no {CONFIG_FILE} in it.")
    config = read_config(folder / CONFIG_FILE)
    shard = (config or {}).get("shard")
    if config is None or not isinstance(shard, dict) or not {"index", "count"} <= shard.keys():
        raise UserError(f"{short(folder / CONFIG_FILE)} is not this program's.")
    plan = Plan.read(folder)
    if plan is None:
        raise UserError(f"{short(folder)} has no plan.json: it was stopped before it began; start this shard again.")
    done, metrics = finished(folder), _read_json(folder / "metrics.json") or {}
    unusable = {name: reason for name, reason in metrics.get("unusable", {}).items() if name not in done}
    return Shard(folder, config, plan, _read_json(folder / "provenance.json"), done, unusable)


def _read_json(path: Path) -> dict[str, Any] | None:
    """The content of a file; None where there is none.

    Raises:
        UserError: it is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{short(path)} is damaged ({error}).") from error


def _made(shards: Iterable[Shard]) -> list[dict[str, Any]]:
    """What the shards that had something to do were made with."""
    return [shard.provenance for shard in shards if shard.provenance is not None]


# --- what is refused ---------------------------------------------------------------------------------------------


def _refuse_strangers(shards: Sequence[Shard]) -> None:
    """
    Raises:
        UserError: two shards have another configuration, plan or weights.
    """
    first = shards[0]
    for other in shards[1:]:
        if differing := differences(first.config, other.config, OWN_KEYS):
            words = in_words(differing, f"in {first}", f"in {other}")
            raise UserError(f"{first} and {other} are not shards of one evaluation ({words}).")
        if (first.plan.references, first.plan.groups) != (other.plan.references, other.plan.groups):
            raise UserError(
                f"{first} and {other} have different plans: {_size(first.plan)} and {_size(other.plan)}"
                f"{_first_difference(first.plan, other.plan)}."
            )
    with_weights = [(shard, shard.provenance["weights_sha256"]) for shard in shards if shard.provenance is not None]
    for (one, its), (other, others) in zip(with_weights, with_weights[1:], strict=False):
        if its != others:
            raise UserError(
                f"{one} and {other} were made with different weights (sha256 {str(its)[:12]}... and"
                f" {str(others)[:12]}...)."
            )


def _size(plan: Plan) -> str:
    return f"{len(plan.references)} references in {len(plan.groups)} groups"


def _first_difference(one: Plan, other: Plan) -> str:
    """Where two plans of the same size part."""
    for reference, others in zip(one.references, other.references, strict=False):
        if reference != others:
            return f" ({reference} in one where the other has {others})"
    return ""


def _refuse_overlaps(shards: Sequence[Shard]) -> None:
    """
    Raises:
        UserError: two folders are the same shard, or have the same reference.
    """
    for one, other in combinations(shards, 2):
        if one.index == other.index:
            raise UserError(f"{one} and {other} are both shard {one.index} of {one.count}: leave one out.")
        if both := [name for name in one.plan.references if name in one.finished & other.finished]:
            raise UserError(f"{one} and {other} overlap: both have {_named(both)}.")


def _refuse_gaps(shards: Sequence[Shard]) -> None:
    """
    Raises:
        UserError: a shard or a reference is missing.
    """
    plan, count = shards[0].plan, shards[0].count
    given = {shard.index for shard in shards}
    absent = [index for index in range(count) if index not in given and plan.names(index, count)]
    missing = []
    if absent:
        which = f"shard {absent[0]}" if len(absent) == 1 else f"shards {_named(list(map(str, absent)))}"
        missing.append(f"{which} of {count}")
    for shard in shards:
        there = shard.finished | shard.unusable.keys()
        if rest := [name for name in plan.names(shard.index, count) if name not in there]:
            missing.append(f"{_named(rest)} in {shard}")
    if missing:
        raise UserError(f"not everything is there: {'; '.join(missing)}. Start these shards again; they do the rest.")


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _refuse_another_content(out: Path, cfg: DictConfig, plan: Plan, source: dict[str, Path]) -> None:
    """
    Raises:
        UserError: `out` holds anything but what an earlier merge of these shards has left.
    """
    remedy = "choose another folder with --out"
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{short(out)} is a file: {remedy}.")
    if not (out / CONFIG_FILE).exists():
        strange = [path.name for path in out.iterdir() if not path.name.startswith((PARTIAL, OVERRIDES_FILE))]
        if strange:
            raise UserError(f"{short(out)} is not empty ({_named(sorted(strange))}): {remedy}.")
        return
    there = read_config(out / CONFIG_FILE) or {}
    if differing := differences(there, yaml.safe_load(OmegaConf.to_yaml(cfg)), PLACE_KEYS):
        raise UserError(f"{short(out)} holds something else ({in_words(differing, 'there', 'here')}): {remedy}.")
    settled = Plan.read(out)
    if settled is not None and (settled.references, settled.groups) != (plan.references, plan.groups):
        raise UserError(f"{short(out)} holds an evaluation with another plan: {remedy}.")
    for name in sorted(finished(out)):
        given = source[name] / "record.json" if name in source else None
        if given is None or (out / "references" / name / "record.json").read_bytes() != given.read_bytes():
            raise UserError(f"{short(out)} has a {name} that is of none of these shards: {remedy}.")


# --- what the whole is -------------------------------------------------------------------------------------------


def _config_of_the_whole(shard: Shard) -> DictConfig:
    """The configuration that one process would have had."""
    cfg = OmegaConf.load(shard.folder / CONFIG_FILE)
    assert isinstance(cfg, DictConfig)
    cfg.shard.index, cfg.shard.count = 0, 1
    return cfg


def _overrides_of_the_whole(shard: Shard) -> list[str]:
    path = shard.folder / OVERRIDES_FILE
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [override for override in given if override.partition("=")[0] not in OWN_KEYS | {"shard.count"}]


def _provenance(shards: Sequence[Shard], out: Path) -> dict[str, Any]:
    """What all shards have in common, and each one's own with its folder."""
    first, *others = _made(shards)
    common = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    of_each = [
        {"folder": os.path.relpath(shard.folder, out)} | shard.provenance
        for shard in shards
        if shard.provenance is not None
    ]
    return common | {"command": sys.argv, "shards": of_each}


def _take(source: Path, target: Path) -> None:
    """Gives the folder of a reference a second place: hard links, or copies where they are impossible.

    This program replaces files and never writes into them, so that a link is as good as a copy and takes no room.
    """
    with atomic_folder(target) as partial:
        for path in source.iterdir():
            try:
                os.link(path, partial / path.name)
            except OSError:  # another file system, or one without links
                shutil.copy2(path, partial / path.name)
