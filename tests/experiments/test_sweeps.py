"""The words of a sweep, read for Optuna and checked."""

import pytest
from scripts import scripts

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config

[sweeps] = scripts("study", "sweeps")
Choices, Interval, Sweep = sweeps.Choices, sweeps.Interval, sweeps.Sweep
check_sweep, read_sweep = sweeps.check_sweep, sweeps.read_sweep


@pytest.mark.parametrize(
    ("override", "range_"),
    [
        ("seed=0,1,2", Choices(("0", "1", "2"))),
        ("seed=range(1,6,2)", Choices(("1", "3", "5"))),
        ("seed=1,1,2", Choices(("1", "2"))),
        ("method=choice(pulse,resampling)", Choices(("pulse", "resampling"))),
        ("noise.lr_std=1e-3,.2", Choices(("0.001", "0.2"))),
        ("noise.synthesis_resolutions=[64],[64,128],null", Choices(("[64]", "[64,128]", "null"))),
        ("references.path='a b','c,d'", Choices(("'a b'", "'c,d'"))),
        ("noise.lr_std=interval(0,0.2)", Interval(0.0, 0.2)),
        ("objective.eps=tag(log,interval(0.001,0.1))", Interval(0.001, 0.1, log=True)),
        ("steps=int(interval(50,200))", Interval(50, 200)),
    ],
)
def test_hydras_words_are_understood(override, range_):
    key = override.partition("=")[0]
    assert read_sweep(["num_samples=2", override, "film_frames=1"]) == Sweep(
        ("num_samples=2", "film_frames=1"), {key: range_}
    )


def test_only_an_interval_cast_to_int_is_of_whole_numbers():
    assert Interval(50, 200).whole and not Interval(50.0, 200.0).whole
    assert Interval(50, 200).tried == ("50", "107", "200")
    low, inside, high = map(float, Interval(2.0, 4.0).tried)
    assert (low, high) == (2, 4) and low < inside < high and not inside.is_integer()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["noise.lr_std=interval(0.2,0)"], "from a number to a larger one"),
        (["noise.lr_std=interval(0,inf)"], "from a number to a larger one"),
        (["noise.lr_std=tag(log,interval(0,1))"], "must begin above 0"),
        (["method=glob(*)"], "write the options"),
        (["seed=range(3,3)"], "there is no value in it"),
        (["seed=range(0,3,0)"], "seed=range(0,3,0): range() arg 3 must not be zero"),
        (["seed=0,1", "seed=2,3"], "seed is swept already"),
        (["seed=choice(0,1"], "seed=choice(0,1 cannot be read"),
        (["seed=interval(a,b)"], "seed=interval(a,b) cannot be read"),
        (["photo"], "photo: write key=value"),
    ],
)
def test_what_cannot_be_read_is_one_line(overrides, words):
    with pytest.raises(UserError) as refused:
        read_sweep(overrides)
    assert words in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["noise.lrstd=0,1"], "unknown key noise.lrstd. Did you mean noise.lr_std?"),
        (["nois.lr_std=interval(0,1)"], "unknown key nois.lr_std"),
        (["method=lr_nose,combined"], "method=lr_nose is not an option"),
        (["references.split=test,train"], "references.split: Invalid value 'train'"),
        (["seed=0,a"], "seed: Value 'a' of type 'str' could not be converted to Integer"),
        (["method=report", "noise.lr_std=0.1,-1"], "noise.lr_std=-1.0: it must be finite and at least 0"),
        (["method=report", "noise.lr_std=interval(-1,1)"], "noise.lr_std=-1.0"),
        (["steps=interval(50,200)"], "write int(interval(50,200))"),
        (["method=combined,resampling", "noise.lr_std=0,0.1"], "noise.lr_std is set, but lr_noise=none"),
        (["optimizer=sgd,adam", "optimizer.momentum=0.5"], "optimizer.momentum belongs to optimizer=sgd"),
        (["shard.index=0,1", "shard.count=2,1"], "shard.index=1, shard.count=1"),
        (["generator=untrained", "generator.resolution=32,64", "degradation.factor=4,64"], "does not divide"),
        (["references=folder", "seed=0,1"], "references.path is not set"),
    ],
)
def test_a_combination_that_cannot_run_is_refused_in_one_line(overrides, words):
    with pytest.raises(UserError) as refused:
        check_sweep(read_sweep(overrides))
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_tried_is_what_hydra_composes():
    sweep = read_sweep(
        ["num_samples=2", "method=resampling,lr_noise", "seed=range(0,2)", "trainer.precision=32-true,64-true"]
        + ["objective.eps=interval(0,1)"]
    )
    tried = check_sweep(sweep)
    last = [f"{key}={range_.tried[-1]}" for key, range_ in sweep.swept.items()]
    assert tried == compose_config([*sweep.fixed, *last])


def test_nothing_swept_is_one_run():
    assert check_sweep(read_sweep(["seed=3"])) == compose_config(["seed=3"])
