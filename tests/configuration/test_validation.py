"""What a configuration must satisfy beyond its schema."""

import copy
from contextlib import nullcontext
from functools import cache

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import Job, compose_config, compose_job
from multimodal_pulse.configuration.option_files import options
from multimodal_pulse.configuration.validation import (
    LOWEST,
    READ_BY,
    RESOLUTIONS,
    check_config,
    check_files,
    without_effect,
)
from multimodal_pulse.generator.stylegan2 import Architecture


@cache
def composed(*options: str) -> tuple[DictConfig, Job]:
    """Composes `options`, on the method whose slots have the most knobs unless they name another."""
    return compose_job(["method=report", *options], "unused")


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
def test_the_option_that_a_refusal_suggests_is_accepted(knob):
    mechanism = READ_BY[knob]
    value = {"noise.lr_mask": "m.png", "noise.synthesis_resolutions": "[8]"}.get(knob, "0.5")
    option = f"{mechanism.slot}={mechanism.options[0]}"
    parent = ("vary.folder=there", "vary.sample=1", "vary.mask=m.png") if option == "references=found" else ()
    accept(*(parent or (f"{knob}={value}",)), options=(option,))


@pytest.mark.parametrize("key", LOWEST)
def test_numbers_out_of_range_are_refused_by_name(key):
    below = {"num_samples": 0, "steps": 0, "shard.count": 0, "trainer.references_per_group": 0}.get(key, -1)
    options = {
        "optimizer.momentum": ("optimizer=sgd",),
        "optimizer.first_move": ("optimizer=lbfgs",),
        "optimizer.history": ("optimizer=lbfgs",),
        "optimizer.weight_decay": ("optimizer=ranger21_of_batch",),
        "stages.restarts": ("stages=restarts",),
        "trainer.device": ("trainer=gpu",),
    }
    assert key in refusal(f"{key}={below}", options=options.get(key, ()))


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1"])
def test_a_std_is_a_finite_number_from_zero(value):
    assert "noise.lr_std" in refusal(f"noise.lr_std={value}")
    accept("noise.lr_std=0")


def test_only_a_number_that_may_be_infinite_is_asked_to_be_finite():
    assert refusal("num_samples=0") == "num_samples=0: it must be at least 1."
    assert refusal("noise.lr_std=-1.0") == "noise.lr_std=-1.0: it must be finite and at least 0."


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1.0e+20", "1.0e+300"])
@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("optimizer.lr", ()),
        ("objective.l2_weight", ()),
        ("objective.geodesic_weight", ()),
        ("objective.eps", ()),
        ("objective.sigma", ("method=explore",)),
        ("batch_diversity.distance", ("method=explore",)),
        ("latent_resampling.temperature", ("method=explore",)),
        ("noise.synthesis_std", ()),
        ("optimizer.first_move", ("optimizer=lbfgs",)),
    ],
)
def test_weights_and_rates_that_cannot_be_meant_are_refused_by_name(key, options, value):
    assert refusal(f"{key}={value}", options=options).startswith(f"{key}=")
    accept(f"{key}=1000.0", options=options)


def test_a_number_that_cannot_be_meant_is_found_in_a_list_too():
    said = refusal(options=("stages.before=[{steps:1,optimizer:{lr:nan}}]",))
    assert said == "stages.before[0].optimizer.lr=nan: it must be a finite number."


def test_what_a_search_alone_reads_is_named_where_nothing_is_searched():
    given = ("method=bicubic", "num_samples=4", "steps=50", "film_frames=4", "optimizer.lr=3.0", "seed=1")
    assert without_effect(composed(*given)[1].choices, given) == (
        "search=bicubic makes one picture per reference without a search: num_samples=4, steps=50, film_frames=4,"
        " optimizer.lr=3.0 have no effect."
    )
    assert without_effect(composed("method=bicubic")[1].choices, ["steps=3", "steps=4"]) == (
        "search=bicubic makes one picture per reference without a search: steps=4 has no effect."
    )
    said = without_effect(composed("search=mean_image", "keep=last")[1].choices, ["search=mean_image", "keep=last"])
    assert said is not None and said.endswith("keep=last has no effect.")
    read = ("method=bicubic", "seed=1", "consistency=exact", "degradation.factor=4", "references.limit=2")
    assert without_effect(composed(*read)[1].choices, read) is None
    searched = ("method=pulse", "num_samples=4")
    assert without_effect(composed(*searched)[1].choices, searched) is None


def test_the_size_of_a_group_is_a_number_or_auto():
    assert refusal("trainer.references_per_group=all") == (
        "trainer.references_per_group=all: it must be a whole number, or auto."
    )
    accept("trainer.references_per_group=3")
    for trainer in options("trainer"):
        assert composed(f"trainer={trainer}")[0].trainer.references_per_group == "auto"


def test_nothing_is_added_or_taken_away():
    assert "+noise.lr_sdt=1" in refusal(options=("+noise.lr_sdt=1",))
    assert "~lr_noise" in refusal(options=("~lr_noise",))


def test_the_limit_of_a_folder_is_a_number():
    assert "references.limit=all" in refusal(
        "references.limit=all", options=("references=folder", "references.path=2024")
    )
    assert "references.recursive=3" in refusal(
        "references.recursive=3", options=("references=folder", "references.path=2024")
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
