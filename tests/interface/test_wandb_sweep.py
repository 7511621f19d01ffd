"""docs/sweep.yaml, the example of a W&B sweep, and what W&B's agent makes of it."""

from itertools import product

import yaml
from omegaconf import OmegaConf
from places import ROOT
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.metrics.summary import summary

SWEEP = yaml.safe_load((ROOT / "docs" / "sweep.yaml").read_text(encoding="utf-8"))


def commands() -> list[list[str]]:
    """What the agent starts, as W&B's own code writes it; of intervals the ends."""
    ranges = [
        parameter["values"] if "values" in parameter else [parameter["min"], parameter["max"]]
        for parameter in SWEEP["parameters"].values()
    ]
    started = []
    for values in product(*ranges):
        chosen = {key: {"value": value} for key, value in zip(SWEEP["parameters"], values, strict=True)}
        words = create_sweep_command_args({"args": chosen}) | {
            "env": ["/usr/bin/env"], "interpreter": ["python"], "program": [SWEEP["program"]],
        }  # fmt: skip
        command = [words[part[2:-1]] if part.startswith("${") else [part] for part in SWEEP["command"]]
        started.append([argument for part in command for argument in part])
    return started


def test_each_run_of_the_example_composes_and_is_tracked_online():
    found = set()
    for command in commands():
        assert command[:3] == ["/usr/bin/env", "python", "run.py"]
        cfg, job = compose_job(command[3:], "unused")
        check_config(cfg, job.choices, job.overrides)
        assert (cfg.tracking.mode.value, cfg.tracking.project) == ("online", SWEEP["project"])
        found.add(tuple(OmegaConf.select(cfg, key) for key in SWEEP["parameters"]))
    assert found == set(product([0, 0.05, 0.108], [0.0002, 0.02]))


def test_its_metric_is_a_number_of_metrics_json():
    scores = {"psnr": 20.0, "lr_psnr": 30.0, "seconds": 1.0, "status": "ok"}
    entry = {"records": [scores], "diversity": {"rms": 3.0}, "lpips_backbone": {"weights": "absent"}}
    key, part = SWEEP["metric"]["name"].split(".")
    assert summary([entry])[key][part] == 3.0
