"""The precision of a search where the configuration leaves it to the program."""

import shutil

import pytest
import torch
from tiny_run import contents, read

from multimodal_pulse.configuration.run_config import read_config
from multimodal_pulse.run.arithmetic import computes_in_bfloat16

CPU = torch.device("cpu")
AUTO = "trainer.precision=auto"


@pytest.fixture
def processor(monkeypatch):
    """Sets what the processor says of itself."""

    def has(*instructions: str) -> None:
        capabilities = dict.fromkeys(("avx512_f", "amx_int8", "num_physical_cores"), True) | dict.fromkeys(
            instructions, True
        )
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    return has


@pytest.mark.parametrize("instructions", [["avx512_bf16"], ["amx_bf16"], ["bf16"]])
def test_a_processor_computes_in_bfloat16_if_it_has_instructions_for_it(instructions, processor):
    processor()
    assert not computes_in_bfloat16(CPU)
    processor(*instructions)
    assert computes_in_bfloat16(CPU)


def test_an_apple_gpu_is_left_in_single_precision():
    assert not computes_in_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(
    ("instructions", "precision", "reason"),
    [
        ([], "32-true", "the device does not compute in bfloat16"),
        (["avx512_bf16"], "bf16-mixed", "the device computes in bfloat16"),
    ],
)
def test_the_precision_is_chosen_said_and_written_down(
    instructions, precision, reason, processor, command, run_of_photos, tmp_path
):
    processor(*instructions)
    status, _, errors = command(*run_of_photos, AUTO)
    assert status == 0
    assert f"precision: {precision}, since {reason} (trainer.precision=... chooses another)\n" in errors
    assert read_config(tmp_path / "run" / "config.yaml")["trainer"]["precision"] == precision
    assert read(tmp_path / "run" / "provenance.json")["precision"] == {"chosen": precision, "because": reason}


def test_a_run_is_resumed_in_the_precision_that_it_was_begun_with(processor, command, run_of_photos, tmp_path):
    processor("avx512_bf16")
    assert command(*run_of_photos, AUTO)[0] == 0
    before = contents(tmp_path / "run" / "references" / "ada")
    shutil.rmtree(tmp_path / "run" / "references" / "ada")
    processor()
    status, _, errors = command(*run_of_photos, AUTO)
    assert status == 0 and "precision:" not in errors
    after = contents(tmp_path / "run" / "references" / "ada")
    assert {name: after[name] for name in after if name.endswith(".png")} == {
        name: before[name] for name in before if name.endswith(".png")
    }
    assert read(tmp_path / "run" / "provenance.json")["precision"] == {"chosen": "bf16-mixed", "because": None}


@pytest.mark.parametrize("given", ["trainer.precision=32-true", "method=bicubic"])
def test_nothing_is_said_where_nothing_was_chosen(given, command, run_of_photos):
    assert "precision:" not in command(*run_of_photos, AUTO, given)[2]
