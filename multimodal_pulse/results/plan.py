"""The plan of a run: its references, and the groups in which they are searched."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.results.json_files import write_json


@dataclass(frozen=True)
class Plan:
    """What a run is to do, settled before it starts: the rounding of a sample's search depends on its group.

    Attributes:
        references: names, in order, each once.
        groups: positions in `references` that are searched together, in order.
        seconds: estimated wall time of the whole (of a shard: of its share), by `dry_run=true`; None without it.
    """

    references: list[str]
    groups: list[list[int]]
    seconds: float | None = None

    @classmethod
    def of(cls, names: Sequence[str], references_per_group: int, seconds: float | None = None) -> "Plan":
        """Groups of `references_per_group` neighbours; the last may be smaller.

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
        """The plan that is settled in a run directory; None where there is none.

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

    def label(self, group: Sequence[int]) -> str:
        """What a group's curves are called: its reference, or "<first> to <last>" of several."""
        first, last = self.references[group[0]], self.references[group[-1]]
        return first if len(group) == 1 else f"{first} to {last}"

    def names(self, index: int = 0, count: int = 1) -> list[str]:
        """The references of shard `index` of `count`."""
        return [self.references[position] for group in self.groups[index::count] for position in group]

    def pending(
        self, finished: Collection[str], index: int = 0, count: int = 1, unusable: Collection[int] = ()
    ) -> list[list[int]]:
        """The groups of shard `index` of `count` in which a reference is missing; each is searched again as a whole.

        Args:
            finished: names.
            unusable: positions that are searched in no group, and missed in none.
        """
        usable = ([position for position in group if position not in unusable] for group in self.groups[index::count])
        return [group for group in usable if any(self.references[position] not in finished for position in group)]


def refuse_another_run(run_dir: str | Path, plan: Plan, weights_sha256: str | None) -> None:
    """
    Raises:
        UserError: the run directory holds a run with another plan, or one that was begun with other weights.
    """
    settled, provenance_file = Plan.read(run_dir), Path(run_dir) / "provenance.json"
    if settled is not None and (settled.references, settled.groups) != (plan.references, plan.groups):
        raise UserError(
            f"{Path(run_dir) / 'plan.json'} plans {len(settled.references)} references in {len(settled.groups)} groups,"
            f" not the {len(plan.references)} in {len(plan.groups)} asked for now: give this run a directory of its"
            " own."
        )
    if provenance_file.exists():
        begun_with = json.loads(provenance_file.read_text(encoding="utf-8")).get("weights_sha256")
        if begun_with != weights_sha256:
            raise UserError(
                f"{run_dir} holds a run with other weights (sha256 {str(begun_with)[:12]}... there,"
                f" {str(weights_sha256)[:12]}... now): give this one a hydra.run.dir of its own."
            )


def settle_plan(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json, unless it is there (a run that is taken up again)."""
    if not (Path(run_dir) / "plan.json").exists():
        write_plan(run_dir, plan)


def write_plan(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json."""
    write_json(Path(run_dir) / "plan.json", asdict(plan))
