"""`trainer.compile`: the generator compiled by PyTorch, where it is asked for, and what happens where it fails."""

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import read

from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.configuration.run_config import read_config
from multimodal_pulse.generator import untrained
from multimodal_pulse.run.kernels import FLOP_THAT_REPAY_COMPILING, pass_flop, with_kernels

SETTINGS = ("method=lr_noise", "num_samples=2", "trainer.compile=true")


def test_a_compiled_search_finds_what_the_plain_one_finds(tmp_path, command, monkeypatch):
    """By PyTorch's own tracing, without the compiler behind it, which would take a minute."""
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network: compile_(network, backend="aot_eager"))
    for name, last in (("plain", "false"), ("compiled", "true")):
        status, _, err = command(*SETTINGS, f"trainer.compile={last}", f"hydra.run.dir={tmp_path / name}")
        assert status == 0 and "failed" not in err
        assert read(tmp_path / name / "provenance.json")["kernels"]["chosen"] == name
    plain, compiled = (load_file(next((tmp_path / n).rglob("latents.safetensors"))) for n in ("plain", "compiled"))
    torch.testing.assert_close(compiled["w_plus"], plain["w_plus"], rtol=1e-4, atol=1e-4)


def test_a_compiler_that_fails_is_one_line_and_the_run_goes_on(tmp_path, command, monkeypatch):
    def broken(network):
        def refuse(*arguments):
            raise RuntimeError("no compiler today\nand a long tail")

        return refuse

    monkeypatch.setattr(torch, "compile", broken)
    status, _, err = command(*SETTINGS, f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0 and err.count("torch.compile failed (no compiler today)") == 1 and "long tail" not in err
    assert read_config(tmp_path / "run" / "config.yaml")["trainer"]["compile"] is True


def test_both_at_once_and_other_words_are_refused(command):
    assert "exclude each other" in command(*SETTINGS, "trainer.kernels=fused")[2]
    assert "trainer.compile=perhaps: it must be true, false or auto" in command("trainer.compile=perhaps")[2]


@pytest.mark.parametrize(
    ("device", "share", "compiled"), [("cuda", 1.0, True), ("cuda", 0.9, False), ("cpu", 2.0, False)]
)
def test_auto_compiles_for_a_gpu_with_much_to_do(device, share, compiled):
    generator = untrained(32, z_dim=4, w_dim=4, mapping_layers=1, channel_base=128, channel_max=8)
    passes = int(share * FLOP_THAT_REPAY_COMPILING / pass_flop(generator.architecture)) + 1
    cfg, _ = with_kernels(compose_config(["trainer.precision=32-true"]), torch.device(device), generator, passes)
    assert cfg.trainer.compile is compiled and (generator.operators.name == "compiled") is compiled


def test_the_operations_of_a_pass_are_those_that_pytorch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    generator = untrained(64, z_dim=8, w_dim=8, mapping_layers=1, channel_base=2048, channel_max=128)
    w_plus = torch.randn(1, generator.num_ws, 8, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        generator.synthesis(w_plus).sum().backward()
    assert pass_flop(generator.architecture) == pytest.approx(counter.get_total_flops(), rel=0.08)
