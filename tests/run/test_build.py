"""What is built from a configuration: devices, references with their notices, the parts that draw a record again."""

import pytest
import torch
import yaml
from places import CONF

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.generator import untrained
from multimodal_pulse.run.build import RENDERING_SLOTS, RENDERING_TARGETS, build_references, load_renderer, torch_device


@pytest.mark.parametrize(
    ("overrides", "shard", "number"),
    [([], 0, 0), ([], 3, 3), ([], 5, 1), (["trainer.device=2"], 1, 2)],
)
def test_each_shard_of_a_machine_has_a_gpu_of_its_own(overrides, shard, number, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    cfg, _ = compose_job(["trainer=gpu", *overrides], "unused")
    assert torch_device(cfg.trainer, shard) == torch.device("cuda", number)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    cfg, _ = compose_job(["trainer=gpu", "trainer.device=4"], "unused")
    with pytest.raises(UserError, match=r"trainer\.device=4, but the CUDA devices here are 0 to 3\."):
        torch_device(cfg.trainer, 0)


@pytest.mark.parametrize(
    ("knows", "option", "notice"),
    [
        ("rendered portraits", "references=folder", "knows rendered portraits, and the references are photographs"),
        ("photographs/faces", "references=portraits", "knows photographs of faces, and the references are rendered"),
        ("photographs", "references=portraits", "knows photographs, and the references are rendered portraits"),
        ("photographs/cats", "references=folder", None),
        ("photographs", "references=folder", None),
        ("rendered portraits", "references=portraits", None),
        (None, "references=portraits", None),
        (None, "references=folder", None),
    ],
)
def test_references_of_another_domain_than_the_generators_are_announced(knows, option, notice, photos):
    path = [f"references.path={photos}"] if option == "references=folder" else []
    cfg, _ = compose_job([option, *path], "unused")
    generator = untrained(32, channel_max=8)
    generator.domain = knows
    notices = build_references(cfg.references, generator, Bicubic(4), picture=None).notices
    assert [notice in said for said in notices] == [True] * (notice is not None)


def test_the_options_of_the_slots_that_render_are_those_a_record_may_name():
    conf = CONF
    files = [file for slot in RENDERING_SLOTS for file in (conf / slot).glob("*.yaml")]
    targets = {yaml.safe_load(file.read_text(encoding="utf-8")).get("_target_") for file in files}
    assert targets - {None} == RENDERING_TARGETS  # found, which has none, stands for another option


@pytest.mark.parametrize(
    "foreign",
    [
        {"_target_": "os.system"},
        {"_target_": "multimodal_pulse.generator.load_generator", "path": {"_target_": "os.getcwd"}},
        None,
    ],
)
def test_a_record_calls_nothing_but_options_of_this_program(foreign):
    settings = {
        "generator": foreign,
        "degradation": {"_target_": "multimodal_pulse.degradation.Bicubic", "factor": 4},
        "consistency": {"_target_": "multimodal_pulse.search.NoConsistency"},
    }
    with pytest.raises(UserError, match=r"settings\.generator"):
        load_renderer(settings)
