"""The plan of a run: its references, their files, and the groups in which they are searched."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.files import file_sha256, short
from multimodal_pulse.references.picture_files import MOST_NAMED, can_be_read
from multimodal_pulse.results.json_files import read_json, write_json

Fingerprint = dict[str, str | None]
"""A file as the plan and the records name it: its `path` as it was given, and the `sha256` of its bytes, None if it
cannot be read."""
_ALWAYS = ("references", "groups", "seconds")
"""The keys that plan.json has in any case."""


@dataclass(frozen=True)
class Plan:
    """What a run has to do. It is written before the search starts, because a sample's rounding depends on its group.

    Attributes:
        references: the names of the references, in order, each once.
        groups: the positions in `references` that are searched together, group by group.
        seconds: the wall time of the whole run (of a shard: of its groups) that `dry_run=true` has estimated; None
            without a dry run.
        files: by reference, the fingerprint of its file; of a shard, for its own references only.
        lr_mask: the fingerprint of the file `noise.lr_mask`; None without such a file.
        hidden: likewise of the file `degradation.mask`, which says what is hidden.
        varied: those of the sample and of the mask of `method=vary`, as `parent` and `mask`; empty for other methods.

    Plans are equal if they have the same references and groups.
    """

    references: list[str]
    groups: list[list[int]]
    seconds: float | None = field(default=None, compare=False)
    files: dict[str, Fingerprint] = field(default_factory=dict, compare=False)
    lr_mask: Fingerprint | None = field(default=None, compare=False)
    hidden: Fingerprint | None = field(default=None, compare=False)
    varied: dict[str, Fingerprint] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, names: Sequence[str], references_per_group: int, seconds: float | None = None) -> "Plan":
        """Makes groups of `references_per_group` neighbours; the last one may be smaller.

        Raises:
            ValueError: a name occurs twice.
        """
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(f"References must have different names; {repeated[0]!r} occurs more than once.")
        positions = list(range(len(names)))
        starts = range(0, len(names), references_per_group)
        return cls(list(names), [positions[start : start + references_per_group] for start in starts], seconds)

    @classmethod
    def read(cls, run_dir: str | Path) -> "Plan | None":
        """Reads plan.json of a run directory; returns None if there is none.

        Raises:
            UserError: plan.json is damaged.
        """
        path = Path(run_dir) / "plan.json"
        content = read_json(path)
        if content is None:
            return None
        try:
            plan = cls(**content)
            intact = plan._is_intact()
        except (TypeError, AttributeError):
            intact = False
        if not intact:
            raise UserError(f"{short(path)} is damaged, or not this program's.")
        return plan

    def _is_intact(self) -> bool:
        """Returns whether the values have the types and ranges of a plan, whoever wrote them."""
        positions = [position for group in self.groups for position in group]
        masks = [mask for mask in (self.lr_mask, self.hidden) if mask is not None]
        files = [*self.files.values(), *self.varied.values(), *masks]
        return (
            isinstance(self.references, list)
            and all(isinstance(name, str) for name in self.references)
            and sorted(positions) == list(range(len(self.references)))
            and isinstance(self.seconds, int | float | None)
            and all(file.keys() == {"path", "sha256"} for file in files)
        )

    def __str__(self) -> str:
        return f"{len(self.references)} references in {len(self.groups)} groups"

    def resuming(self, present: "Plan | None", finished: Collection[str]) -> "Plan":
        """Returns this plan with what `present`, written earlier, says about the finished references' files."""
        if present is None:
            return self
        kept = {name: file for name, file in present.files.items() if name in finished}
        return replace(self, seconds=present.seconds, files=self.files | kept)

    def label(self, group: Sequence[int]) -> str:
        """Returns the name of a group's curves: that of its reference, or "<first> to <last>" of several."""
        first, last = self.references[group[0]], self.references[group[-1]]
        return first if len(group) == 1 else f"{first} to {last}"

    def names(self, index: int = 0, count: int = 1) -> list[str]:
        """Returns the references of shard `index` of `count`."""
        return self.names_of(self.groups[index::count])

    def names_of(self, groups: Sequence[Sequence[int]]) -> list[str]:
        """Returns the references of these groups."""
        return [self.references[position] for group in groups for position in group]

    def pending(
        self, finished: Collection[str], index: int = 0, count: int = 1, unusable: Collection[int] = ()
    ) -> list[list[int]]:
        """Returns the groups of shard `index` of `count` with a missing reference; such a group is searched as a whole.

        Args:
            finished: the names of the finished references.
            unusable: the positions that are left out of the groups and never count as missing.
        """
        usable = ([position for position in group if position not in unusable] for group in self.groups[index::count])
        return [group for group in usable if any(self.references[position] not in finished for position in group)]


def fingerprint(path: Path) -> Fingerprint:
    """Returns the path and the sha256 of a file."""
    try:
        return {"path": str(path), "sha256": file_sha256(path)}
    except OSError:
        return {"path": str(path), "sha256": None}


def refuse_another_run(
    run_dir: str | Path, plan: Plan, weights_sha256: str | None, finished: Collection[str] = ()
) -> None:
    """
    Args:
        run_dir: the run directory.
        plan: the plan that is asked for, with the fingerprints of the files as they are now.
        weights_sha256: the sha256 of the generator's weights.
        finished: the names of the finished references.

    Raises:
        UserError: the run directory holds a run with another plan, one that was begun with other weights, or a finished
            reference whose file, or whose mask, is another one now. A file of a finished reference that is damaged now
            is not needed again.
    """
    present, provenance_file = Plan.read(run_dir), Path(run_dir) / "provenance.json"
    if present not in (None, plan):
        raise UserError(
            f"{Path(run_dir) / 'plan.json'} plans {present}, not the {len(plan.references)} in {len(plan.groups)} asked"
            " for now: give this run a directory of its own."
        )
    if (provenance := read_json(provenance_file)) is not None:
        begun_with = provenance.get("weights_sha256")
        if begun_with != weights_sha256:
            raise UserError(
                f"{run_dir} holds a run with other weights (sha256 {str(begun_with)[:12]}... there,"
                f" {str(weights_sha256)[:12]}... now): give this one a hydra.run.dir of its own."
            )

    if present is not None and (changed := _changed(present, plan, finished)):
        verb = "has" if len(changed) == 1 else "have"
        raise UserError(
            f"{listed(changed, MOST_NAMED)} {verb} changed since {short(Path(run_dir))} was searched: give this run a"
            " hydra.run.dir of its own, or put back what was there."
        )


def _changed(before: Plan, now: Plan, finished: Collection[str]) -> list[str]:
    """Returns the files of finished references that hold something else now, each with its path."""
    changed = [
        str(file["path"])
        for name, file in now.files.items()
        if name in finished and _replaced(before.files.get(name), file)
    ]
    if finished and _replaced(before.lr_mask, now.lr_mask):
        changed.append(f"noise.lr_mask={now.lr_mask and now.lr_mask['path']}")
    if finished and _replaced(before.hidden, now.hidden):
        changed.append(f"degradation.mask={now.hidden and now.hidden['path']}")
    if finished:
        changed += [str(file["path"]) for what, file in now.varied.items() if _replaced(before.varied.get(what), file)]
    return changed


def _replaced(before: Fingerprint | None, now: Fingerprint | None) -> bool:
    """Returns whether another picture stands where one was; a version without fingerprints knows nothing about it."""
    if before is None or now is None or before["sha256"] in (None, now["sha256"]):
        return False
    return can_be_read(str(now["path"]))


def write_plan_once(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json, unless it exists because the run is resumed and the files are still the same."""
    present = Plan.read(run_dir)
    if present is None or _files(present) != _files(plan):
        write_plan(run_dir, plan)


def _files(plan: Plan) -> tuple[Any, ...]:
    return plan.files, plan.lr_mask, plan.hidden, plan.varied


def write_plan(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json, without keys for files where there are none."""
    content = asdict(plan)
    write_json(Path(run_dir) / "plan.json", {key: value for key, value in content.items() if value or key in _ALWAYS})
