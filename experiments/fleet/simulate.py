"""How long does a fleet take for a whole evaluation, when machines are killed and some are slow? A simulation.

    python experiments/fleet/simulate.py                          # 2824 groups on 64 machines, 200 seeds of each
    python experiments/fleet/simulate.py --shards 256             # four shards for each machine
    python experiments/fleet/simulate.py --record <run directory> # takes the times of the groups from a finished run

The machines and what happens to them are simulated; which groups a shard has, and which it still has after a kill, the
program's own `Plan` says. The times of groups are drawn from groups.csv, which is of a real run.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multimodal_pulse.results.plan import Plan
from multimodal_pulse.results.records import read_entries

HERE = Path(__file__).resolve().parent
TABLE = HERE / "groups.csv"
ONCE = 19.0
"""Seconds from the start of a process to its first step, as the dry run of the recorded run has measured them."""


@dataclass(frozen=True)
class Scenario:
    """What happens to a fleet.

    Attributes:
        name: the name.
        slow: the share of machines that take `slower` times as long.
        slower: how much longer.
        hours_between_kills: the mean time from one kill of a machine to the next, exponentially distributed; inf: none.
        restart: seconds from a kill until the scheduler starts the shard again.
    """

    name: str
    slow: float = 0.0
    slower: float = 1.0
    hours_between_kills: float = np.inf
    restart: float = 60.0


SCENARIOS = (
    Scenario("nothing happens"),
    Scenario("one machine in twenty takes twice as long", slow=0.05, slower=2.0),
    Scenario("each machine is killed every ten minutes", hours_between_kills=1 / 6),
    Scenario("both", slow=0.05, slower=2.0, hours_between_kills=1 / 6),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a fleet.

    Attributes:
        makespan: seconds until the last shard has ended.
        kills: the number of kills.
        lost: seconds of machines that led to nothing: groups that were cut off, restarts, and starts after kills.
        longest_in_flight: the most seconds that a group or a start had been under way when a kill cut it off.
    """

    makespan: float
    kills: int
    lost: float
    longest_in_flight: float


@dataclass
class Machine:
    """A machine that works through shards, one after the other.

    Attributes:
        scenario: what happens to it.
        rng: draws when.
        factor: how much longer than the recorded machine it takes.
    """

    scenario: Scenario
    rng: np.random.Generator
    factor: float
    now: float = 0.0
    kills: int = 0
    lost: float = 0.0
    longest_in_flight: float = 0.0

    def __post_init__(self) -> None:
        self.next_kill = self._draw_kill()

    def work(self, plan: Plan, shard: int, shards: int, seconds: np.ndarray) -> set[str]:
        """Searches a shard to its end, through all kills, and returns the finished references.

        Args:
            plan: the plan of the run.
            shard, shards: the number of the shard, from 0, and of all shards.
            seconds: what each group takes on the recorded machine.
        """
        done: set[str] = set()
        started = False
        while pending := plan.pending(done, shard, shards):
            if not self._survives(ONCE, counts=started):
                continue
            started = True
            for group in pending:
                if not self._survives(seconds[plan.groups.index(group)]):
                    break
                done.update(plan.names_of([group]))
        return done

    def _survives(self, seconds: float, counts: bool = False) -> bool:
        """Does something that takes so long here; returns whether it was finished before a kill.

        Args:
            seconds: what it takes on the recorded machine.
            counts: whether it is lost time although it is finished: the start of a process after a kill.
        """
        end = self.now + seconds * self.factor
        if end <= self.next_kill:
            self.lost += counts * (end - self.now)
            self.now = end
            return True
        cut_off = self.next_kill - self.now
        self.longest_in_flight = max(self.longest_in_flight, cut_off)
        self.lost += cut_off + self.scenario.restart
        self.kills += 1
        self.now = self.next_kill + self.scenario.restart
        self.next_kill = self.now + self._draw_kill()
        return False

    def _draw_kill(self) -> float:
        hours = self.scenario.hours_between_kills
        return np.inf if np.isinf(hours) else self.rng.exponential(hours * 3600)


def simulate(scenario: Scenario, groups: int, shards: int, machines: int, times: np.ndarray, seed: int) -> Outcome:
    """Simulates one evaluation; each machine that is free takes the next shard.

    Args:
        scenario: what happens.
        groups: the number of groups, of one reference each.
        shards: the number of shards.
        machines: the number of machines.
        times: recorded seconds of groups, which those of this evaluation are drawn from.
        seed: of all draws.

    Raises:
        RuntimeError: a reference was not finished, or finished by two shards.
    """
    rng = np.random.default_rng(seed)
    plan = Plan.of([f"reference {index}" for index in range(groups)], 1)
    seconds = rng.choice(times, size=groups)
    slow = rng.random(machines) < scenario.slow
    fleet = [
        Machine(scenario, np.random.default_rng([seed, number]), scenario.slower if slow[number] else 1.0)
        for number in range(machines)
    ]
    finished: list[str] = []
    for shard in range(shards):
        machine = min(fleet, key=lambda machine: machine.now)
        finished += machine.work(plan, shard, shards, seconds)
    if sorted(finished) != sorted(plan.references):
        raise RuntimeError("The shards together did not finish every reference exactly once.")
    return Outcome(
        max(machine.now for machine in fleet),
        sum(machine.kills for machine in fleet),
        sum(machine.lost for machine in fleet),
        max(machine.longest_in_flight for machine in fleet),
    )


def forecast(groups: int, shards: int, machines: int, times: np.ndarray) -> float:
    """Returns the seconds that a dry run forecasts for the fleet: for each shard a start and its groups' mean times."""
    of_shard = ONCE + len(range(0, groups, shards)) * float(times.mean())
    return of_shard * -(-shards // machines)


def recorded(run_dir: Path) -> list[tuple[str, float]]:
    """Returns the wall time of each group of a finished run, from when their records were written.

    Of the first group, only the search itself is known.
    """
    ended = {path.parent.name: path.stat().st_mtime for path in (run_dir / "references").glob("*/record.json")}
    names = sorted(ended, key=ended.__getitem__)
    first = read_entries(run_dir, names[:1])[0]["seconds"]
    return list(zip(names, [first, *np.diff([ended[name] for name in names])], strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--groups", type=int, default=2824, help="number of groups, of one reference each")
    parser.add_argument("--machines", type=int, default=64, help="number of machines")
    parser.add_argument("--shards", type=int, default=64, help="number of shards")
    parser.add_argument("--seeds", type=int, default=200, help="simulations of each scenario")
    parser.add_argument("--record", type=Path, help="a finished run whose groups' times replace groups.csv")
    args = parser.parse_args(arguments)
    if args.record is not None:
        with TABLE.open("w", newline="", encoding="utf-8") as file:
            rows = [(name, f"{seconds:.3f}") for name, seconds in recorded(args.record)]
            csv.writer(file, lineterminator="\n").writerows([("group", "seconds"), *rows])
    with TABLE.open(newline="", encoding="utf-8") as file:
        times = np.array([float(row["seconds"]) for row in csv.DictReader(file)])
    planned = forecast(args.groups, args.shards, args.machines, times)
    print(f"forecast of the plan: {planned:.0f} s, for {args.shards} shards on {args.machines} machines\n")
    print("| scenario | makespan, s: median (5 to 95 %) | of the forecast | kills | lost, % of the machines' time |"
          " most in flight at a kill, s |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|")
    for scenario in SCENARIOS:
        outcomes = [
            simulate(scenario, args.groups, args.shards, args.machines, times, seed) for seed in range(args.seeds)
        ]
        low, middle, high = np.quantile([outcome.makespan for outcome in outcomes], [0.05, 0.5, 0.95])
        lost = np.median([outcome.lost / (args.machines * outcome.makespan) for outcome in outcomes])
        kills = np.median([outcome.kills for outcome in outcomes])
        worst = max(outcome.longest_in_flight for outcome in outcomes)
        cells = f"{middle:.0f} ({low:.0f} to {high:.0f}) | {middle / planned:.2f} | {kills:.0f} | {100 * lost:.1f}"
        print(f"| {scenario.name} | {cells} | {worst:.1f} |")


if __name__ == "__main__":
    main()
