"""The simulated fleet: that it does the arithmetic that it says, and that every reference is finished exactly once."""

import numpy as np
import pytest
from places import ROOT
from scripts import scripts

[simulation] = scripts("fleet", "simulate")
TIMES = np.array([2.0, 3.0, 7.0])


def test_a_fleet_to_which_nothing_happens_takes_as_long_as_its_slowest_shard():
    times = np.array([5.0])
    found = simulation.simulate(simulation.Scenario("nothing"), groups=10, shards=4, machines=4, times=times, seed=0)
    assert found.makespan == pytest.approx(simulation.ONCE + 3 * 5)  # shards 0 and 1 have three groups
    assert (found.kills, found.lost, found.longest_in_flight) == (0, 0, 0)
    assert simulation.forecast(10, 4, 4, times) == pytest.approx(found.makespan)


def test_slow_machines_take_so_much_longer():
    slow = simulation.Scenario("slow", slow=1.0, slower=2.0)
    usual = simulation.Scenario("usual")
    one, two = (simulation.simulate(scenario, 20, 4, 4, TIMES, seed=1).makespan for scenario in (usual, slow))
    assert two == pytest.approx(2 * one)


@pytest.mark.parametrize("seed", range(5))
def test_a_kill_costs_no_more_than_the_work_in_flight(seed):
    """The time of all machines is what the groups need, the first starts, and what was lost; nothing else is."""
    scenario = simulation.Scenario("killed", hours_between_kills=1 / 60)
    found = simulation.simulate(scenario, groups=400, shards=6, machines=1, times=TIMES, seed=seed)
    needed = np.random.default_rng(seed).choice(TIMES, size=400).sum() + 6 * simulation.ONCE
    assert found.kills > 10
    assert found.makespan == pytest.approx(needed + found.lost)
    assert found.longest_in_flight <= simulation.ONCE
    # A kill loses the group or the start in flight, the wait for the scheduler, and a start.
    assert found.lost <= found.kills * (found.longest_in_flight + scenario.restart + simulation.ONCE)


def test_the_same_seed_gives_the_same_evaluation():
    scenario = simulation.SCENARIOS[-1]
    first, again, other = (simulation.simulate(scenario, 100, 8, 8, TIMES, seed) for seed in (3, 3, 4))
    assert first == again != other


def test_the_table_has_a_row_for_each_scenario(capsys):
    simulation.main(["--groups", "40", "--machines", "4", "--shards", "8", "--seeds", "2"])
    said = capsys.readouterr().out
    assert all(f"| {scenario.name} |" in said for scenario in simulation.SCENARIOS)
    [header] = [line for line in said.splitlines() if line.startswith("| scenario |")]
    assert (ROOT / "experiments" / "fleet" / "README.md").read_text(encoding="utf-8").count(header) == 2
    assert header.endswith("| most in flight at a kill, s |")


def test_a_start_that_is_cut_off_counts_as_in_flight():
    """A start takes longer than any group, so that the longest piece of work in flight is one."""
    scenario = simulation.Scenario("killed", hours_between_kills=1 / 360)
    found = simulation.simulate(scenario, groups=40, shards=4, machines=1, times=TIMES, seed=0)
    assert TIMES.max() < found.longest_in_flight <= simulation.ONCE
