"""The study with Optuna: a real one of a random 32 x 32 generator, and quick ones whose runs are made up."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from PIL import Image
from scripts import scripts
from tiny_run import OVERRIDES

from multimodal_pulse.base.files import only_writer

optuna = pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'multimodal-pulse[study]'")

TINY = [*OVERRIDES, "references.limit=1", "num_samples=2", "steps=1"]


pareto, study, sweeps = scripts("study", "pareto", "study", "sweeps")
Choices, Interval = sweeps.Choices, sweeps.Interval


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Killed(BaseException):
    """Leaves a study as a kill does: nobody has the time to say that the trial is over."""


class MadeUpRuns:
    """Stands in for `run_overrides`: more noise, more distance and less LR-PSNR, and a weight that costs for nothing.

    Args:
        kills: numbers of calls, from 0, that do not return.
        pictureless: run directories whose run finds nothing.
    """

    def __init__(self, kills: Sequence[int] = (), pictureless: Sequence[str] = ()) -> None:
        self.kills, self.pictureless = kills, pictureless
        self.begun: list[str] = []

    def __call__(self, overrides: Sequence[str], run_dir: Path) -> SimpleNamespace:
        self.begun.append(run_dir.name)
        if len(self.begun) - 1 in self.kills:
            raise Killed
        values = dict(override.split("=") for override in overrides)
        noise, weight = float(values["noise.lr_std"]), float(values["objective.diversity_weight"])
        none = run_dir.name in self.pictureless
        metrics = {
            "lr_psnr": {"mean": None if none else 40 - 50 * noise - 100 * weight, "min": 20.0},
            "diversity": {"rms": None if none else 100 * noise},
            "psnr": {"mean": 20.0}, "ssim": {"mean": 0.5}, "seconds": 1.0,
        }  # fmt: skip
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        return SimpleNamespace(metrics=metrics)


@pytest.fixture
def made_up(monkeypatch) -> Any:
    """Puts such runs, and what else takes its time, in the place of the real ones."""
    own = {"num_samples": 2, "noise": {"lr_std": 0.108}, "objective": {"diversity_weight": 0.002}}
    monkeypatch.setattr(study, "check_sweep", lambda sweep: OmegaConf.create(own))
    monkeypatch.setattr(study, "draw", lambda points, swept, path: path.touch())

    def use(**settings: Any) -> MadeUpRuns:
        runs = MadeUpRuns(**settings)
        monkeypatch.setattr(study, "run_overrides", runs)
        return runs

    return use


KNOBS = ["noise.lr_std=interval(0,0.2)", "objective.diversity_weight=tag(log,interval(0.001,0.02))"]


def conduct(folder: Path, trials: int, *overrides: str) -> None:
    study.main(["--folder", str(folder), "--trials", str(trials), *(overrides or KNOBS)])


# --- a real one


def test_each_trial_is_a_run_directory_and_the_table_says_what_is_in_it(tmp_path):
    conduct(tmp_path / "study", 2, *TINY, "noise.lr_std=interval(0,0.2)")
    table = rows(tmp_path / "study")
    assert [row["trial"] for row in table] == ["0", "1"]
    assert float(table[0]["noise.lr_std"]) == 0.108  # what the configuration has by itself
    for row in table:
        run = tmp_path / "study" / f"trial_00{row['trial']}"
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        assert config["noise"]["lr_std"] == float(row["noise.lr_std"])
        assert (config["references"]["split"], config["references"]["limit"], config["steps"]) == ("validation", 1, 1)
        assert metrics["lr_psnr"]["mean"] == float(row["lr_psnr.mean"])
        assert metrics["diversity"]["rms"] == float(row["diversity.rms"])
    assert (tmp_path / "study" / "pareto.png").stat().st_size < 150_000


# --- going on


def test_a_study_that_was_killed_is_the_one_that_was_not(tmp_path, made_up):
    trials = 12  # TPE draws the first ten at random and learns from then on
    made_up()
    conduct(tmp_path / "whole", trials)
    runs = made_up(kills=(0, 4, 13))
    for _ in range(3):
        with pytest.raises(Killed):
            conduct(tmp_path / "killed", trials)
    conduct(tmp_path / "killed", trials)
    whole = rows(tmp_path / "whole")
    assert rows(tmp_path / "killed") == whole
    assert len({row["noise.lr_std"] for row in whole}) == trials
    # A trial that was cut short is resumed in its own folder, and no other is run twice.
    names = [f"trial_{number:03d}" for number in range(trials)]
    assert runs.begun == [names[0], *names[:4], *names[3:], names[11]]

    # The front is what no other trial beats.
    places = {row["trial"]: (float(row["lr_psnr.mean"]), float(row["diversity.rms"])) for row in whole}
    for row in whole:
        x, y = places[row["trial"]]
        beaten = any(a >= x and b >= y and (a, b) != (x, y) for a, b in places.values())
        assert (row["on_front"] == "0") == beaten
    assert {row["on_front"] for row in whole} == {"0", "1"}


def test_more_trials_go_on_and_others_are_refused(tmp_path, made_up):
    runs = made_up(pictureless=["trial_001"])
    for trials in (2, 4, 3):
        conduct(tmp_path, trials)
    assert runs.begun == [f"trial_{number:03d}" for number in range(4)]
    assert [row["trial"] for row in rows(tmp_path)] == ["0", "2", "3"]  # a run without a picture has no row, but counts

    with pytest.raises(SystemExit, match=r"holds another study \(differing: seed\)"):
        study.main(["--folder", str(tmp_path), "--seed", "1", *KNOBS])
    with pytest.raises(SystemExit, match=r"holds another study \(differing: fixed\)"):
        conduct(tmp_path, 5, *KNOBS, "steps=60")
    with pytest.raises(SystemExit, match=r"holds another study \(differing: swept\)"):
        conduct(tmp_path, 5, KNOBS[0], "objective.diversity_weight=interval(0.001,0.02)")
    with only_writer(tmp_path), pytest.raises(SystemExit, match="another process is at work"):
        conduct(tmp_path, 5)
    assert len(runs.begun) == 4


# --- what is searched


def test_overrides_replace_what_is_fixed_and_ranges_replace_the_knobs():
    usual = study.sweep_of(["steps=20"])
    assert list(usual.swept) == ["noise.lr_std", "objective.diversity_weight", "noise.synthesis_std"]
    assert "steps=20" in usual.fixed and "steps=50" not in usual.fixed and "method=report" in usual.fixed
    assert list(study.sweep_of(["noise.synthesis_std=0"]).swept) == ["noise.lr_std", "objective.diversity_weight"]
    own = study.sweep_of(["method=pulse,resampling", "num_samples=2"])
    assert own.swept == {"method": Choices(("pulse", "resampling"))}
    assert not any(override.startswith("method") for override in own.fixed)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["noise.lrstd=interval(0,1)"], "Did you mean noise.lr_std"),
        (["method=resampling", "noise.lr_std=interval(0,1)"], "lr_noise=none"),
        (["num_samples=1"], "has no diversity"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(overrides, words, tmp_path):
    with pytest.raises(SystemExit, match=words):
        study.main(["--folder", str(tmp_path / "study"), *overrides])
    assert not (tmp_path / "study").exists()


def test_ranges_are_optunas_distributions():
    assert study._distribution(Interval(0.1, 1.0, log=True)) == optuna.distributions.FloatDistribution(0.1, 1, log=True)
    assert study._distribution(Interval(5, 50)) == optuna.distributions.IntDistribution(5, 50)
    assert study._distribution(Choices(("a", "null"))) == optuna.distributions.CategoricalDistribution(("a", "null"))


# --- table and plot


def point(number: int, lr_psnr: float, rms: float, on_front: bool, **knobs: Any) -> Any:
    metrics = {
        "lr_psnr": {"mean": lr_psnr, "min": 1.0}, "diversity": {"rms": rms}, "psnr": {"mean": 2.0},
        "ssim": {"mean": 0.5}, "seconds": 3.0,
    }  # fmt: skip
    return pareto.Point(number, knobs, metrics, on_front)


def test_a_knob_of_names_has_a_panel_too(tmp_path):
    swept = {"method": Choices(("pulse", "resampling")), "noise.lr_std": Interval(0.01, 0.2, log=True)}
    points = [
        point(0, 30.0, 5.0, True, **{"method": "pulse", "noise.lr_std": 0.01}),
        point(1, 28.0, 9.0, True, **{"method": "resampling", "noise.lr_std": 0.2}),
        point(2, 27.0, 4.0, False, **{"method": "pulse", "noise.lr_std": 0.1}),
    ]
    pareto.draw(points, swept, tmp_path / "pareto.png")
    picture = Image.open(tmp_path / "pareto.png")
    assert picture.width > picture.height and len(picture.convert("RGB").getcolors(1 << 20)) > 100
    pareto.write_table(points, tmp_path / "trials.csv")
    assert rows(tmp_path)[1] == {
        "trial": "1", "method": "resampling", "noise.lr_std": "0.2", "lr_psnr.mean": "28.0", "diversity.rms": "9.0",
        "lr_psnr.min": "1.0", "psnr.mean": "2.0", "ssim.mean": "0.5", "seconds": "3.0", "on_front": "1",
    }  # fmt: skip


def test_scores_are_found_by_their_dotted_names():
    assert pareto.score({"lr_psnr": {"mean": 3.0}, "seconds": 2.0}, "lr_psnr.mean") == 3.0
    assert pareto.score({"lr_psnr": {"mean": None}}, "lr_psnr.mean") is None
    with pytest.raises(KeyError):
        pareto.score({}, "lr_psnr.mean")
