"""Every option of every slot, the rules of the methods, and the knobs that an option reads."""

import inspect
from collections.abc import Mapping
from functools import cache

import pytest
import yaml
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from places import CONF

from multimodal_pulse.configuration.compose import Job, compose_config, compose_job
from multimodal_pulse.configuration.validation import READ_BY, check_config

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
    "optimizer": {"problems", "num_iterations", "built_in_schedule"},
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
    "report": ("latent_optimization", "independent", "gaussian", "gaussian", "pairwise", "ranger21", "none"),
    "combined": ("few_passes", "conditioned", "gaussian", "unit", "pairwise", "lbfgs", "none"),
    "explore": ("few_passes", "conditioned", "none", "unit", "repulsion", "lbfgs", "none"),
    "faithful": ("few_passes", "conditioned_narrow", "none", "unit", "none", "lbfgs", "none"),
    "csgm": ("csgm", "independent", "none", "unit", "none", "adam_slow", "fixed"),
    "ilo": ("ilo", "independent", "none", "pulse", "none", "adam_slow", "long_ramp"),
    "brgm": ("brgm", "near_mean", "none", "unit", "none", "adam_slow", "ramp"),
    "brgm_variational": ("brgm", "near_mean", "none", "unit", "none", "adam_slow", "ramp"),
    "langevin": ("langevin", "conditioned_narrow", "none", "unit", "none", "langevin", "geometric"),
    "vary": ("few_passes_faces", "around", "none", "parent", "inside", "lbfgs", "none"),
    "rls": ("rls", "independent", "none", "unit", "none", "lbfgs", "none"),
}
CHOSEN_BY_METHODS = (
    "search", "latent_resampling", "lr_noise", "synthesis_noise", "batch_diversity", "optimizer", "schedule",
)  # fmt: skip


@cache
def composed(*options: str) -> tuple[DictConfig, Job]:
    return compose_job(options, "unused")


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
    paths = [f"{slot}.path=there" for slot in ("references", "generator") if chosen[slot] in with_path]
    return paths + ["degradation.physics={_target_:there}"] * (chosen["degradation"] == "deepinv")


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
    path = ["references.path=there"] if experiment.startswith("table1") else []
    cfg, job = composed(f"experiment={experiment}", *path)
    check_config(cfg, job.choices, job.overrides)


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


def test_the_default_explores_in_twenty_passes():
    cfg, _ = composed()
    assert cfg.method == "explore"
    assert (cfg.num_samples, cfg.steps, cfg.seed) == (4, 20, 0)


@pytest.mark.parametrize("method", ["explore", "faithful"])
def test_the_prior_of_faces_is_searched_longer_and_fitted_closer(method):
    for overrides, expected in (
        ([], (20, 0.01)),
        (["generator=faces"], (40, 0.005)),
        (["references=image", "references.path=there"], (40, 0.005)),
        (["references=image", "references.path=there", "generator=portraits"], (20, 0.01)),
        (["generator=faces", "steps=7", "objective.sigma=0.02"], (7, 0.02)),
    ):
        cfg, _ = composed(f"method={method}", *overrides)
        assert (cfg.steps, cfg.objective.sigma) == expected, overrides


def test_the_reports_combination_has_its_numbers():
    cfg, _ = composed("method=report")
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
    of_untrained = compose_config(["generator=untrained", "method=report"]).objective
    assert of_untrained == compose_config(["objective=report"]).objective
    assert compose_config(["objective=report", "method=resampling"]).objective == of_untrained
    assert compose_config(["generator=untrained", "method=pulse"]).objective.l2_weight == 100
    assert compose_config(["generator=untrained", "method=pulse", "objective=report"]).objective == of_untrained


@pytest.mark.parametrize("knob", READ_BY)
def test_the_suggested_options_and_methods_do_read_the_knob(knob):
    mechanism = READ_BY[knob]
    for method in METHODS:
        _, job = composed(f"method={method}")
        assert (job.choices[mechanism.slot] in mechanism.options) == (method in mechanism.methods)


@pytest.mark.parametrize("knob", [knob for knob in READ_BY if knob.startswith("noise.")])
def test_the_table_of_knobs_is_what_the_options_read(knob, nodes):
    slot = READ_BY[knob].slot
    reading = {option for option in SLOTS[slot] if f"${{{knob}}}" in OmegaConf.to_yaml(nodes[slot, option])}
    assert reading == set(READ_BY[knob].options)
