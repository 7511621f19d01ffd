"""The plan of a run: its references, and the groups in which they are searched."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.results.json_files import write_json


@dataclass(frozen=True)
class Plan:
    """What a run has to do. It is written before the search starts, because a sample's rounding depends on its group.

    Attributes:
        references: the names of the references, in order, each once.
        groups: the positions in `references` that are searched together, group by group.
        seconds: the wall time of the whole run (of a shard: of its groups) that `dry_run=true` has estimated; None
            without a dry run. Plans that differ in it are equal.
    """

    references: list[str]
    groups: list[list[int]]
    seconds: float | None = field(default=None, compare=False)

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
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} is damaged, or not this program's: {error}.") from error

    def __str__(self) -> str:
        return f"{len(self.references)} references in {len(self.groups)} groups"

    def label(self, group: Sequence[int]) -> str:
        """Returns the name of a group's curves: that of its reference, or "<first> to <last>" of several."""
        first, last = self.references[group[0]], self.references[group[-1]]
        return first if len(group) == 1 else f"{first} to {last}"

    def names(self, index: int = 0, count: int = 1) -> list[str]:
        """Returns the references of shard `index` of `count`."""
        return [self.references[position] for group in self.groups[index::count] for position in group]

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


def refuse_another_run(run_dir: str | Path, plan: Plan, weights_sha256: str | None) -> None:
    """
    Raises:
        UserError: the run directory holds a run with another plan, or one that was begun with other weights.
    """
    present, provenance_file = Plan.read(run_dir), Path(run_dir) / "provenance.json"
    if present not in (None, plan):
        raise UserError(
            f"{Path(run_dir) / 'plan.json'} plans {present}, not the {len(plan.references)} in {len(plan.groups)} asked"
            " for now: give this run a directory of its own."
        )
    if provenance_file.exists():
        begun_with = json.loads(provenance_file.read_text(encoding="utf-8")).get("weights_sha256")
        if begun_with != weights_sha256:
            raise UserError(
                f"{run_dir} holds a run with other weights (sha256 {str(begun_with)[:12]}... there,"
                f" {str(weights_sha256)[:12]}... now): give this one a hydra.run.dir of its own."
            )


def write_plan_once(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json, unless it exists because the run is resumed."""
    if not (Path(run_dir) / "plan.json").exists():
        write_plan(run_dir, plan)


def write_plan(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json."""
    write_json(Path(run_dir) / "plan.json", asdict(plan))
