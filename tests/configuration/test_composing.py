"""Every option of every slot, the rules of the methods, and what a user can get wrong before anything runs."""

import copy
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from contextlib import nullcontext
from enum import Enum
from functools import cache

import pytest
import yaml
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from places import CONF, ROOT

import multimodal_pulse
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import Job, compose_config, compose_job
from multimodal_pulse.configuration.run_config import refuse_another_config, settle_config
from multimodal_pulse.configuration.validation import LOWEST, READ_BY, RESOLUTIONS, check_config, check_files
from multimodal_pulse.generator.stylegan2 import Architecture
from multimodal_pulse.interface.cli import main
from multimodal_pulse.interface.help import help_text
from multimodal_pulse.interface.hydra_errors import HYDRA_FLAGS, explain

SLOTS = {
    folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
    for folder in sorted(CONF.iterdir())
    if folder.is_dir() and folder.name not in ("hydra", "__pycache__")
}

# What experiment.run gives besides an option's keys; a generator's device is the trainer's affair.
GIVEN_BY_THE_RUN = {
    "references": {"resolution", "degradation"},
    "latent_space": {"generator", "statistics"},
    "keep": {"steps", "film_frames"},
    "generator": {"device"},
    "optimizer": {"parameters", "num_iterations", "built_in_schedule"},
    "tracking": {"run_dir", "config", "group"},
}
METHODS = {
    # method: (search, latent_resampling, lr_noise, synthesis_noise, batch_diversity, optimizer, schedule)
    "bicubic": ("bicubic", "none", "none", "none", "none", "ranger21", "none"),
    "pulse": ("pulse", "independent", "none", "pulse", "none", "adam", "linear1cycledrop"),
    "resampling": ("latent_optimization", "independent", "none", "none", "none", "ranger21", "none"),
    "lr_noise": ("latent_optimization", "none", "gaussian", "none", "none", "ranger21", "none"),
    "masked_lr_noise": ("latent_optimization", "none", "masked", "none", "none", "ranger21", "none"),
    "synthesis_noise": ("latent_optimization", "none", "none", "gaussian", "none", "ranger21", "none"),
    "batch_diversity": ("latent_optimization", "none", "none", "unit", "pairwise", "ranger21", "none"),
    "combined": ("latent_optimization", "independent", "gaussian", "gaussian", "pairwise", "ranger21", "none"),
}
CHOSEN_BY_METHODS = (
    "search", "latent_resampling", "lr_noise", "synthesis_noise", "batch_diversity", "optimizer", "schedule",
)  # fmt: skip


@cache
def composed(*options: str) -> tuple[DictConfig, Job]:
    return compose_job(options, "unused")


def accept(*overrides: str, options: tuple[str, ...] = ()) -> None:
    """Checks the composition of `options` with `overrides` on top."""
    cfg, job = composed(*options)
    cfg = copy.deepcopy(cfg)
    for override in overrides:
        key, _, value = override.partition("=")
        OmegaConf.update(cfg, key, yaml.safe_load(value))
    check_config(cfg, job.choices, [*options, *overrides])


def refusal(*overrides: str, options: tuple[str, ...] = ()) -> str:
    """What the user is told about them."""
    with pytest.raises(UserError) as refused:
        accept(*overrides, options=options)
    return str(refused.value)


@pytest.fixture(scope="module")
def nodes() -> dict[tuple[str, str], DictConfig]:
    """The node of every option of every slot; each composition takes the next option of all slots at once."""
    found: dict[tuple[str, str], DictConfig] = {}
    for turn in range(max(map(len, SLOTS.values()))):
        chosen = {slot: options[turn % len(options)] for slot, options in SLOTS.items() if slot != "experiment"}
        cfg = compose_config([f"{slot}={option}" for slot, option in chosen.items()] + _required(chosen))
        found |= {(slot, option): cfg[slot] for slot, option in chosen.items()}
    return found


def _required(chosen: Mapping[str, str]) -> list[str]:
    """Overrides for what these options leave to the user."""
    with_path = ("celeba_hq", "folder", "image", "file")
    return [f"{slot}.path=there" for slot in ("references", "generator") if chosen[slot] in with_path]


def test_slots_stand_in_the_order_of_the_data_path():
    defaults = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    names = [entry if isinstance(entry, str) else next(iter(entry)) for entry in defaults]
    assert names == [
        "schema", "_self_", "references", "degradation", "generator", "latent_space", "latent_resampling", "lr_noise",
        "synthesis_noise", "batch_diversity", "objective", "optimizer", "schedule", "stages", "after_step", "keep",
        "search", "consistency", "metrics", "tracking", "trainer", "method", "experiment",
        "override hydra/job_logging",
    ]  # fmt: skip
    assert set(names[2:-1]) == set(SLOTS)


def test_every_option_composes_and_is_complete(nodes):
    assert {slot: sorted(option for of, option in nodes if of == slot) for slot, _ in nodes} == {
        slot: options for slot, options in SLOTS.items() if slot != "experiment"
    }
    for (slot, option), node in nodes.items():
        if isinstance(node, DictConfig):
            assert not OmegaConf.missing_keys(node), (slot, option)


def test_option_keys_equal_the_signature_they_instantiate(nodes):
    checked = 0
    for (slot, option), node in nodes.items():
        if slot == "search" or not isinstance(node, DictConfig) or "_target_" not in node:
            continue
        keys = {"as_" if key == "as" else key for key in node if key != "_target_"}
        parameters = set(inspect.signature(get_object(node["_target_"])).parameters)
        given = GIVEN_BY_THE_RUN.get(slot, set()) & parameters
        assert keys | given == parameters, (slot, option)
        checked += 1
    assert checked > 30


def test_every_mechanism_has_a_none():
    for slot in ("latent_resampling", "lr_noise", "synthesis_noise", "batch_diversity", "consistency"):
        assert "none" in SLOTS[slot]


@pytest.mark.parametrize("experiment", SLOTS["experiment"])
def test_experiments_compose(experiment):
    path = ["references.path=there"] if experiment == "table1" else []
    accept(options=(f"experiment={experiment}", *path))


def test_every_option_file_opens_with_a_comment():
    for slot, options in SLOTS.items():
        for option in options:
            lines = (CONF / slot / f"{option}.yaml").read_text(encoding="utf-8").splitlines()
            assert any(line.startswith("# ") and not line.startswith("# @") for line in lines[:2]), (slot, option)


# --- methods -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_method_chooses_its_options(method):
    cfg, job = composed(f"method={method}")
    assert tuple(job.choices[slot] for slot in CHOSEN_BY_METHODS) == METHODS[method]
    assert cfg.method == method


def test_all_methods_are_known():
    assert set(SLOTS["method"]) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_only_chooses_options(method):
    body = yaml.safe_load((CONF / "method" / f"{method}.yaml").read_text(encoding="utf-8"))
    assert set(body) == {"defaults", "method"}


def test_the_default_is_the_combination_with_the_reports_numbers():
    cfg, _ = composed()
    assert cfg.method == "combined"
    assert (cfg.num_samples, cfg.steps, cfg.seed) == (4, 200, 0)
    assert cfg.noise == {"lr_std": 0.108, "lr_mask": None, "synthesis_std": 0.02, "synthesis_resolutions": None}
    assert cfg.shard == {"index": 0, "count": 1}
    assert cfg.degradation.factor == 8
    assert cfg.optimizer.lr == 0.4


def test_pulse_is_as_published():
    cfg, _ = composed("method=pulse")
    assert (cfg.num_samples, cfg.steps, cfg.optimizer.lr) == (1, 100, 0.4)
    assert (cfg.objective.l2_weight, cfg.objective.geodesic_weight, cfg.objective.eps) == (100, 0.05, 2e-3)
    assert cfg.objective.geodesic == "w_plus"


def test_the_reports_objective():
    objective = compose_config(["objective=report"]).objective
    assert (objective.l2_weight, objective.geodesic_weight) == (405, 0.058)
    assert (objective.diversity_weight, objective.eps) == (0.02, 0)


def test_a_methods_number_gives_way_to_the_command_line_and_goes_with_its_option():
    assert compose_config(["method=pulse", "num_samples=4"]).num_samples == 4
    assert compose_config(["num_samples=3", "steps=7", "method=pulse"]).steps == 7
    assert composed("method=bicubic")[0].num_samples == 1
    cfg = compose_config(["method=pulse", "search=latent_optimization"])
    assert (cfg.num_samples, cfg.steps) == (4, 200)


def test_the_objective_goes_with_the_generator_unless_chosen():
    report = compose_config(["generator=untrained", "objective=report"]).objective
    assert compose_config(["generator=untrained"]).objective == report
    assert compose_config(["objective=report"]).objective == report
    assert compose_config(["generator=untrained", "method=pulse"]).objective.l2_weight == 100
    assert compose_config(["generator=untrained", "method=pulse", "objective=report"]).objective == report


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("noise.lr_sdt=0.1", ["noise.lr_sdt", "Did you mean noise.lr_std?"]),
        ("lr_std=0.1", ["Did you mean noise.lr_std?"]),
        ("objective.l2_wieght=1", ["Did you mean objective.l2_weight?"]),
        ("lr_nois=none", ["Did you mean lr_noise?"]),
        ("nois.lr_std=0.1", ["unknown key nois.lr_std. Did you mean noise.lr_std?"]),
        ("film=8", ["unknown key film. Did you mean film_frames?"]),
        ("method=pulse,resampling", ["several values for method: put -m before them, for a run of each."]),
        ("seed=range(0,2)", ["several values for seed: put -m before them"]),
        ("references.path=a,b.png", ["a comma", "'references.path=\"a,b.png\"'"]),
        ("photo.jpg", ["photo.jpg: references=image references.path=photo.jpg uses it."]),
        ("a b.PNG", ["references=image 'references.path=\"a b.PNG\"' uses it."]),
        (str(CONF), [f"references=folder references.path={CONF} uses it."]),
        ("references.pth=x", ["Did you mean references.path? It belongs to references=image, references=folder and"]),
        ("generator.pth=x", ["Did you mean generator.path? It belongs to generator=file: add it."]),
        ("references.xyzzy=x", ["unknown key references.xyzzy. There are: references.limit, references.split."]),
        ("search.num_samples=2", ["unknown key search.num_samples. Did you mean num_samples?"]),
        ("references.path=x", ["references=image, references=folder and references=celeba_hq: add one of them."]),
        ("references.subset=[3]", ["references.subset belongs to references=celeba_hq: add it."]),
        ("generator.path=x", ["generator.path belongs to generator=file: add it."]),
        ("latent_resampling.xyz=1", ["unknown key latent_resampling.xyz: the option chosen for latent_resampling has"]),
        ("shard.xyzzy=1", ["There are: shard.index, shard.count."]),
        ("lr_noise=gauss", ["lr_noise=gauss", "gaussian, masked, none"]),
        ("method=puls", ["method=puls", "bicubic", "pulse"]),
        ("num_samples=many", ["num_samples=many: a whole number is needed."]),
        ("steps=1.5", ["steps=1.5: a whole number is needed."]),
        ("objective.eps=small", ["objective.eps=small: a number is needed."]),
        ("references.split=train", ["references.split", "validation, test"]),
        ("trainer.precision=16", ["trainer.precision", "32-true"]),
        ("trainer.references_per_group=1.5", ["trainer.references_per_group", "1.5"]),
        ("trainer.accelerator=gpu", ["trainer.accelerator", "cpu, cuda, mps"]),
        ("noise.lr_mask=me (1).png", ["cannot be read", "'noise.lr_mask=\"me (1).png\"'"]),
        ("noise.synthesis_resolutions=64", ["noise.synthesis_resolutions"]),
        ("num_samples", ["num_samples: write key=value."]),
        ("hydra.run.dri=x", ["hydra.run.dri"]),
        ("noise=3", ["noise"]),
        ("lr_noise=null", ["group", "None"]),
    ],
)
def test_typing_errors_are_one_line_with_the_remedy(override, words):
    with pytest.raises((HydraException, ValueError)) as refused:
        compose_config([override])
    said = explain(refused.value, [override])
    assert "\n" not in said
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("method", "knob", "words"),
    [
        ("resampling", "noise.lr_std=0.1", ["noise.lr_std is set, but lr_noise=none", "lr_noise=gaussian", "combined"]),
        ("combined", "noise.lr_mask=m.png", ["noise.lr_mask is set, but lr_noise=gaussian", "masked_lr_noise"]),
        ("lr_noise", "noise.synthesis_std=0.1", ["synthesis_noise=none", "synthesis_noise=gaussian"]),
        ("batch_diversity", "noise.synthesis_std=0.1", ["synthesis_noise=unit", "synthesis_noise=gaussian"]),
        ("pulse", "noise.synthesis_resolutions=[8]", ["synthesis_noise=pulse"]),
        ("lr_noise", "objective.diversity_weight=1", ["batch_diversity=none", "batch_diversity=pairwise"]),
    ],
)
def test_a_knob_without_its_mechanism_is_refused_with_the_option_to_choose(method, knob, words):
    said = refusal(knob, options=(f"method={method}",))
    for word in words:
        assert word in said


@pytest.mark.parametrize("knob", READ_BY)
def test_the_suggested_options_and_methods_do_read_the_knob(knob):
    mechanism = READ_BY[knob]
    value = {"noise.lr_mask": "m.png", "noise.synthesis_resolutions": "[8]"}.get(knob, "0.5")
    accept(f"{knob}={value}", options=(f"{mechanism.slot}={mechanism.options[0]}",))
    for method in METHODS:
        _, job = composed(f"method={method}")
        assert (job.choices[mechanism.slot] in mechanism.options) == (method in mechanism.methods)


@pytest.mark.parametrize("knob", [knob for knob in READ_BY if knob.startswith("noise.")])
def test_the_table_of_knobs_is_what_the_options_read(knob, nodes):
    slot = READ_BY[knob].slot
    reading = {option for option in SLOTS[slot] if f"${{{knob}}}" in OmegaConf.to_yaml(nodes[slot, option])}
    assert reading == set(READ_BY[knob].options)


@pytest.mark.parametrize("key", LOWEST)
def test_numbers_out_of_range_are_refused_by_name(key):
    below = {"num_samples": 0, "steps": 0, "shard.count": 0, "trainer.references_per_group": 0}.get(key, -1)
    options = {"optimizer.momentum": ("optimizer=sgd",), "trainer.device": ("trainer=gpu",)}
    assert key in refusal(f"{key}={below}", options=options.get(key, ()))


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1"])
def test_a_std_is_a_finite_number_from_zero(value):
    assert "noise.lr_std" in refusal(f"noise.lr_std={value}")
    accept("noise.lr_std=0")


def test_only_a_number_that_may_be_infinite_is_asked_to_be_finite():
    assert refusal("num_samples=0") == "num_samples=0: it must be at least 1."
    assert refusal("noise.lr_std=-1.0") == "noise.lr_std=-1.0: it must be finite and at least 0."


def test_the_size_of_a_group_is_a_number_or_auto():
    assert refusal("trainer.references_per_group=all") == (
        "trainer.references_per_group=all: it must be a whole number, or auto."
    )
    accept("trainer.references_per_group=3")
    for trainer in SLOTS["trainer"]:
        assert composed(f"trainer={trainer}")[0].trainer.references_per_group == "auto"


def test_nothing_is_added_or_taken_away():
    assert "+noise.lr_sdt=1" in refusal(options=("+noise.lr_sdt=1",))
    assert "~lr_noise" in refusal(options=("~lr_noise",))


def test_the_limit_of_a_folder_is_a_number():
    assert "references.limit=all" in refusal(
        "references.limit=all", options=("references=folder", "references.path=2024")
    )


def test_a_factor_must_divide_a_resolution_that_the_configuration_has():
    untrained = ("generator=untrained",)
    said = refusal("degradation.factor=5", "generator.resolution=32", options=untrained)
    assert said == "degradation.factor=5 does not divide generator.resolution=32: choose one of 1, 2, 4, 8, 16, 32."
    said = refusal("generator.resolution=100", options=untrained)
    assert said.startswith("generator.resolution=100: it must be one of 16, 32, ")
    accept("degradation.factor=32", "generator.resolution=32", options=untrained)
    accept("degradation.factor=5")  # the file of the built-in generator has the resolution


@pytest.mark.parametrize("resolution", [*RESOLUTIONS, 8, 48, 2048])
def test_the_resolutions_are_those_that_a_network_can_have(resolution):
    with nullcontext() if resolution in RESOLUTIONS else pytest.raises(ValueError, match="power of two"):
        Architecture(resolution)


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("references.path", ("references=folder",)),
        ("references.path", ("references=image",)),
        ("references.path", ("references=celeba_hq",)),
        ("references.partition_file", ("references=celeba_hq", "references.path=.")),
        ("generator.path", ("generator=file",)),
        ("noise.lr_mask", ("method=masked_lr_noise",)),
    ],
)
def test_a_file_that_is_not_there_is_named_with_its_key(key, options, tmp_path):
    check_files(compose_config([*options, f"{key}={tmp_path}"]))
    for path in (tmp_path / "nowhere", "~nobody-of-this-name/x", "x" * 5000):
        with pytest.raises(UserError) as refused:
            check_files(compose_config([*options, f"{key}='{path}'"]))
        assert str(refused.value) == f"{key}={path} does not exist."


def test_a_file_below_a_folder_that_may_not_be_entered_is_out_of_reach(closed):
    with pytest.raises(UserError) as refused:
        check_files(compose_config(["generator=file", f"generator.path={closed}/x.pkl"]))
    assert str(refused.value) == f"generator.path={closed}/x.pkl cannot be reached: Permission denied."


def test_missing_values_and_shards_out_of_bounds():
    assert "references.path" in refusal(options=("references=folder",))
    assert "generator.path" in refusal(options=("generator=file",))
    assert "0 to 3" in refusal("shard.index=4", "shard.count=4")
    accept("shard.index=3", "shard.count=4")


# --- the command -------------------------------------------------------------------------------------------------


def command(monkeypatch, *arguments: str) -> int:
    """Exit status of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["multimodal-pulse", *arguments])
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["noise.lr_sdt=0.1"],
        ["lr_noise=gauss"],
        ["method=resampling", "noise.lr_std=0.1"],
        ["noise.lr_std=-1"],
        ["num_samples=0"],
        ["references=folder"],
        ["references=folder", "references.path=nowhere"],
        ["generator=untrained", "degradation.factor=5"],
        ["render"],
        ["render", "nowhere"],
        ["hydra.run.dir=/dev/null/run"],
        ["-m", "hydra.sweep.dir=/dev/null/sweep"],
    ],
)
def test_bad_input_ends_with_status_1_and_one_line(arguments, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, *arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("multimodal-pulse: ")
    assert said.count("\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "combined"], "--method: write method=combined."),
        (["--num-samples=4"], "--num-samples: write num_samples=4."),
        (["--noise.lr_std", "0.1", "seed=1"], "--noise.lr_std: write noise.lr_std=0.1."),
        (["--seed", "method=pulse"], "--seed: write seed=<value>."),
        (["--verbose"], "--verbose: there is no such flag; --help lists what there is."),
        (["method=", "pulse"], "method= pulse: no space after =, write method=pulse."),
        (["seed=", "-1"], "seed= -1: no space after =, write seed=-1."),
        (["method", "=pulse"], "method =pulse: no space before =."),
    ],
)
def test_flags_and_spaces_end_with_status_1_and_the_override_to_write(arguments, said, monkeypatch, capsys):
    assert command(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == f"multimodal-pulse: {said}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generator.path=~/a.pkl"], "a ~ cannot be read here, write generator.path=/home/me/a.pkl."),
        (["hydra.run.dir=~/a b"], "a ~ cannot be read here, write 'hydra.run.dir=\"/home/me/a b\"'."),
        (["generator=~/net.pkl"], "generator=file generator.path=/home/me/net.pkl uses it."),
        (["references=~/photos"], "references=folder references.path=/home/me/photos uses it."),
        (["generator=/data/net.pkl"], "generator=file generator.path=/data/net.pkl uses it."),
        (["generator=net.safetensors"], "generator=file generator.path=net.safetensors uses it."),
        (["references=some/folder"], "references=folder references.path=some/folder uses it."),
        (["references=here"], "references=folder references.path=here uses it."),
        (["references=faces/a.png"], "references=image references.path=faces/a.png uses it."),
    ],
)
def test_a_path_where_none_is_read_is_told_what_to_type(arguments, said, monkeypatch, capsys, tmp_path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert command(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == f"multimodal-pulse: {arguments[-1]}: {said}\n"


@pytest.mark.parametrize("option", ["method=a/b", "hydra/launcher=a"])
def test_an_option_that_there_is_not_is_told_with_its_slot(option, monkeypatch, capsys):
    assert command(monkeypatch, option) == 1
    slot = option.partition("=")[0]
    assert capsys.readouterr().err.startswith(f"multimodal-pulse: {option} is not an option of {slot}: choose one of ")


def test_the_flags_are_hydras():
    options = {name for action in get_args_parser()._actions for name in action.option_strings}
    assert options == HYDRA_FLAGS


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1\n", "just text"])
def test_somebody_elses_config_is_refused(content, tmp_path):
    (tmp_path / "config.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"config\.yaml is not this program's"):
        refuse_another_config(tmp_path, compose_config())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["noise.lr_sdt=0.1"], "Did you mean noise.lr_std?"),
        (["references=folder", "references.path=nowhere"], "references.path=nowhere does not exist."),
        (["generator=untrained", "degradation.factor=5"], "degradation.factor=5 does not divide"),
        (["seed=1"], "holds a run with another configuration (seed: 0 there, 1 now)"),
        (["-m", "references=folder", "references.path=nowhere"], "references.path=nowhere does not exist."),
    ],
)
def test_refusals_that_need_no_torch_do_without(arguments, words, tmp_path):
    settle_config(tmp_path, compose_config(), [])
    code = (
        f"import sys; sys.argv = ['multimodal-pulse', *{arguments}, 'hydra.run.dir={tmp_path}',"
        f" 'hydra.sweep.dir={tmp_path / 'sweep'}']\n"
        "from multimodal_pulse.interface.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(sorted({'torch', 'pytorch_lightning', 'wandb', 'numpy', 'PIL'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "[]")  # a sweep has its table above
    assert done.stderr.startswith("multimodal-pulse: ") and words in done.stderr and done.stderr.count("\n") == 1


def test_help_answers_without_torch():
    code = (
        "import sys; sys.argv = ['multimodal-pulse', '--help']\n"
        "from multimodal_pulse.interface.cli import main\n"
        "main()\n"
        "heavy = {'torch', 'pytorch_lightning', 'wandb', 'numpy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip() == help_text()


def test_help_names_every_option_and_the_pinned_knobs():
    text = help_text()
    for slot, options in SLOTS.items():
        for option in options:
            assert f"{slot}={option} " in text
    for knob in (
        "num_samples", "steps", "seed", "noise.lr_std", "noise.lr_mask", "noise.synthesis_std", "references.path",
        "noise.synthesis_resolutions", "objective.l2_weight", "objective.geodesic_weight", "objective.diversity_weight",
        "objective.eps", "degradation.factor", "references.limit", "references.split", "references.as",
        "generator.path", "shard.index", "shard.count", "optimizer.lr", "tracking.mode", "metrics.lpips_net",
        "trainer.precision", "trainer.references_per_group",
    ):  # fmt: skip
        assert f"  {knob} = " in text, knob


def test_help_shows_the_values_of_the_default_configuration():
    cfg, _ = composed()
    shown = dict(re.findall(r"^  ([\w.]+) = (.+?)(?:  +| (?=\w))", help_text(), flags=re.MULTILINE))
    assert len(shown) > 25
    for knob, value in shown.items():
        if knob not in (
            "references.path",
            "references.as",
            "generator.path",
            "generator.domain",
        ):  # of options that are not the default
            default = OmegaConf.select(cfg, knob)
            default = OmegaConf.to_container(default) if OmegaConf.is_config(default) else default
            assert value == yaml.safe_dump(default.name if isinstance(default, Enum) else default).split("\n")[0], knob


def test_version_is_the_programs_own(monkeypatch, capsys):
    assert command(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"multimodal-pulse {multimodal_pulse.__version__}\n"


@pytest.mark.parametrize("program", [["run.py"], ["-m", "multimodal_pulse"]])
def test_run_py_and_the_module_are_the_same_command(program):
    done = subprocess.run([sys.executable, *program, "num_samples=x"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "multimodal-pulse: num_samples=x: a whole number is needed.\n"


INSTALLED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
MODULE, FUNCTION = INSTALLED["multimodal-pulse"].split(":")


@pytest.mark.parametrize(
    "program", [["run.py"], ["-m", "multimodal_pulse"], ["-c", f"from {MODULE} import {FUNCTION}; {FUNCTION}()"]]
)
def test_ctrl_c_during_the_imports_ends_in_one_line(program, tmp_path):
    (tmp_path / "hydra.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, *program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "multimodal-pulse: stopped.\n")
