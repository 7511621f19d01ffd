"""The YAML file of a W&B sweep, and what W&B's agent makes of it."""

import subprocess
import sys
from itertools import product
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from places import ROOT
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.interface.cli import main
from multimodal_pulse.interface.wandb_sweep import GOALS, wandb_sweep
from multimodal_pulse.metrics.summary import summary


def sweep(*overrides: str, **options: str) -> dict[str, Any]:
    """The file's content."""
    return yaml.safe_load(wandb_sweep(overrides, **options))


def commands(content: dict[str, Any]) -> list[list[str]]:
    """What the agent starts: of intervals their ends, written by W&B's own code."""
    ranges = [
        parameter["values"] if "values" in parameter else [parameter["min"], parameter["max"]]
        for parameter in content["parameters"].values()
    ]
    started = []
    for values in product(*ranges):
        chosen = {key: {"value": value} for key, value in zip(content["parameters"], values, strict=True)}
        words = create_sweep_command_args({"args": chosen}) | {
            "env": ["/usr/bin/env"], "interpreter": ["python"], "program": [content["program"]],
        }  # fmt: skip
        command = [words[part[2:-1]] if part.startswith("${") else [part] for part in content["command"]]
        started.append([argument for part in command for argument in part])
    return started


def test_each_parameter_is_a_key_and_each_combination_composes():
    content = sweep(
        "method=combined,batch_diversity", "references=folder", "references.path='a b/c'",
        "steps=int(interval(50,200))", "objective.diversity_weight=tag(log,interval(0.00001,0.02))",
    )  # fmt: skip
    started = commands(content)
    assert len(started) == 2 * 2 * 2
    found = set()
    for command in started:
        assert command[:3] == ["/usr/bin/env", "python", "run.py"]
        cfg, job = compose_job(command[3:], "unused")
        check_config(cfg, job.choices, job.overrides)
        assert (cfg.tracking.mode.value, cfg.references.path) == ("online", "a b/c")
        for key in content["parameters"]:
            assert OmegaConf.select(cfg, key, throw_on_missing=True) is not None, key
        found.add((cfg.method, cfg.steps, cfg.objective.diversity_weight))
    assert found == set(product(["combined", "batch_diversity"], [50, 200], [1e-5, 0.02]))


def test_values_arrive_as_they_were_written():
    content = sweep("noise.synthesis_resolutions=[64],null,[64,128]", "metrics.lpips_verify=false")
    configurations = [compose_job(command[3:], "unused")[0] for command in commands(content)]
    assert [cfg.noise.synthesis_resolutions for cfg in configurations] == [[64], None, [64, 128]]
    assert not any(cfg.metrics.lpips_verify for cfg in configurations)


def test_numbers_are_numbers_and_intervals_are_distributions():
    content = sweep("noise.lr_std=0,0.05,1e-5", "objective.diversity_weight=interval(0.001,0.02)")
    assert content["parameters"] == {
        "noise.lr_std": {"values": [0, 0.05, 1e-5]},
        "objective.diversity_weight": {"distribution": "uniform", "min": 0.001, "max": 0.02},
    }
    assert content["project"] == "multimodal-pulse"
    whole = sweep("steps=int(interval(50,200))", "objective.eps=tag(log,interval(0.001,0.01))", strategy="bayes")
    assert whole["parameters"] == {
        "steps": {"distribution": "int_uniform", "min": 50, "max": 200},
        "objective.eps": {"distribution": "log_uniform_values", "min": 0.001, "max": 0.01},
    }
    assert (content["method"], whole["method"], sweep("seed=0,1")["method"]) == ("random", "bayes", "grid")


def test_the_metric_is_a_number_of_metrics_json_with_its_better_side():
    scores = {"psnr": 20.0, "lr_psnr": 30.0, "seconds": 1.0, "status": "ok"}
    entry = {"records": [scores], "diversity": {}, "lpips_backbone": {"weights": "absent"}}
    found = summary([entry])
    for name in GOALS:
        key, _, part = name.partition(".")
        assert isinstance(found[key][part] if part else found[key], int | float), name
    assert sweep("seed=0,1", metric="lpips.mean")["metric"] == {"name": "lpips.mean", "goal": "minimize"}
    assert sweep("seed=0,1", goal="minimize")["metric"] == {"name": "lr_psnr.mean", "goal": "minimize"}


def test_the_first_line_makes_the_file_again():
    text = wandb_sweep(["seed=0,1", "noise.lr_std=interval(0,1)"], metric="diversity.rms", strategy="bayes")
    first = text.splitlines()[0]
    assert first == (
        "# multimodal-pulse wandb-sweep --strategy=bayes --metric=diversity.rms --goal=maximize seed=0,1"
        " 'noise.lr_std=interval(0,1)'"
    )


@pytest.mark.parametrize(
    ("overrides", "options", "words"),
    [
        (["seed=3"], {}, "nothing is swept"),
        (["seed=0,1"], {"metric": "loss"}, "--metric=loss: choose one of lr_psnr.mean, "),
        (["noise.lr_std=interval(0,1)"], {"strategy": "grid"}, "cannot list the values of noise.lr_std"),
        (["seed=0,1", "tracking=csv"], {}, "tracking=csv: a W&B sweep hears of its runs by"),
        (["seed=0,1", "tracking.mode=offline"], {}, "leave it out"),
        (["steps=tag(log,int(interval(1,9)))"], {}, "no whole numbers by factors"),
        (["sead=0,1"], {}, "unknown key sead. Did you mean seed?"),
    ],
)
def test_what_does_not_suit_is_one_line(overrides, options, words):
    with pytest.raises(UserError) as refused:
        wandb_sweep(overrides, **options)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_the_command_prints_the_file_alone_and_without_torch():
    code = (
        "import sys; sys.argv = ['multimodal-pulse', 'wandb-sweep', *sys.argv[1:]]\n"
        "from multimodal_pulse.interface.cli import main\n"
        "main()\n"
        "sys.exit('torch' in sys.modules or 'wandb' in sys.modules)"
    )
    arguments = ["--metric", "diversity.rms", "seed=0,1", "--strategy=random"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == wandb_sweep(["seed=0,1"], metric="diversity.rms", strategy="random")


@pytest.mark.parametrize("argument", ["--frob", "--strategy=best", "--goal=up", "stepz=1,2"])
def test_a_mistake_ends_with_status_1_and_one_line(argument, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["multimodal-pulse", "wandb-sweep", "seed=0,1", argument])
    with pytest.raises(SystemExit) as ended:
        main()
    printed, said = capsys.readouterr()
    assert (ended.value.code, printed, said.count("\n")) == (1, "", 1)
    assert said.startswith("multimodal-pulse: ") and argument.lstrip("-").partition("=")[0] in said
