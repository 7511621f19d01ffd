"""The benchmarks of a start and of a step: that they time what they say, in a process as small as a test."""

import json
import time

import pytest
from scripts import scripts

from multimodal_pulse.generator import untrained
from multimodal_pulse.generator.ops.build import BuildError, library

start, step, passes = scripts("benchmark", "start", "step", "passes")
TINY = ["--resolution", "16", "--channel-base", "128", "--channel-max", "8", "--samples", "2", "--repetitions", "2"]


def test_the_parts_of_a_start_add_up_to_the_whole(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(start.time, "time", lambda: now[0])
    monkeypatch.setattr(start.time, "process_time", lambda: now[0] / 2)

    class Owner:
        @staticmethod
        def build(seconds: float) -> str:
            now[0] += seconds
            return "built"

    clock = start.Clock(98.0)
    clock.around(Owner, "build", "LPIPS", before="realism")
    assert Owner.build(5.0) == "built"
    now[0] += 1
    clock.mark("search")
    wall = {part: seconds for part, (seconds, _) in clock.parts.items() if seconds}
    assert wall == {"realism": 2.0, "LPIPS": 5.0, "search": 1.0}
    assert sum(wall.values()) == now[0] - 98


def test_a_failing_part_counts_too():
    clock = start.Clock(time.time())
    owner = type("Owner", (), {"build": staticmethod(lambda: time.sleep(0.01) or 1 / 0)})
    clock.around(owner, "build", "LPIPS")
    with pytest.raises(ZeroDivisionError):
        owner.build()
    assert clock.parts["LPIPS"][0] >= 0.01


def test_every_way_of_a_pass_is_timed_in_a_process_of_its_own(capsys):
    sizes = ["--resolution", "16", "--channel-base", "128", "--samples", "1", "--threads", "1"]
    try:
        library()
    except BuildError as error:
        pytest.skip(f"the fused operators cannot be built here: {error}")
    passes.main([*sizes, "--turns", "2"])
    said = capsys.readouterr().out
    assert all(f"| {way} malloc | " in said for way in passes.OURS)
    assert "| plain float32 malloc | " in said.splitlines()[4] and said.splitlines()[4].endswith("| 1.00 | 1.00 |")
    assert "bfloat16: a convolution reaches" in said


@pytest.mark.parametrize("more", [[], ["--precisions", "bf16-mixed"]], ids=["float32", "bf16"])
def test_every_part_of_a_step_is_timed_as_often_as_asked_for(more, tmp_path, capsys):
    step.main([*TINY, *more, "--json", str(tmp_path / "times.json")])
    [result] = json.loads((tmp_path / "times.json").read_text())
    assert {len(times) for times in result["seconds"].values()} == {2}
    said = capsys.readouterr().out
    assert all(f"| {name} |" in said for name in result["seconds"]) and "a whole step, Lightning" in said


def test_the_operations_of_a_pass_are_those_of_its_convolutions(tmp_path, capsys):
    step.main([*TINY, "--repetitions", "1", "--json", str(tmp_path / "times.json")])
    [result] = json.loads((tmp_path / "times.json").read_text())
    network = untrained(16, z_dim=512, w_dim=512, mapping_layers=2, channel_base=128, channel_max=8).network
    forward = 0
    for layer in network.synthesis.layers:
        side = layer.noise_const.shape[-1] // (2 if layer.up else 1)
        forward += 2 * 2 * layer.weight.numel() * side**2
    assert 2 * forward < result["flop"] < 4 * forward  # the backward pass to the input costs what the forward pass does
