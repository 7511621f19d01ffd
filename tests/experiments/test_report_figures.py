"""The report's figures: their configurations, and one drawn with a random 32 x 32 generator."""

import json
from pathlib import Path

import pytest
import yaml
from page_pixels import enlarged, places
from PIL import Image
from places import CONF
from scripts import scripts
from tiny_run import OVERRIDES, run

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config, compose_job
from multimodal_pulse.references.pixels import load_rgb

TINY = [*OVERRIDES, "steps=2"]

[draw] = scripts("figures", "draw")


def test_there_is_an_experiment_for_every_figure():
    names = {path.stem for path in (CONF / "experiment").glob("figure*.yaml")}
    assert names == set(draw.FIGURES) == {f"figure{number}" for number in range(2, 8)}


@pytest.mark.parametrize(
    ("name", "method", "samples"),
    [
        ("figure2", "resampling", 4),
        ("figure3", "lr_noise", 4),
        ("figure4", "masked_lr_noise", 4),
        ("figure5", "synthesis_noise", 4),
        ("figure6", "batch_diversity", 4),
        ("figure7", "report", 9),
    ],
)
def test_each_figure_is_its_mechanism_with_the_settings_of_the_report(name, method, samples):
    cfg, job = compose_job([f"experiment={name}"], "unused")
    alone = compose_job([f"method={method}"], "unused")[1]
    assert (cfg.method, cfg.num_samples, cfg.steps, cfg.optimizer.lr) == (method, samples, 200, 0.4)
    for slot in ("latent_resampling", "lr_noise", "synthesis_noise", "batch_diversity"):
        assert job.choices[slot] == alone.choices[slot]
    assert (job.choices["references"], job.choices["generator"], job.choices["tracking"]) == (
        "portraits", "portraits", "none",
    )  # fmt: skip
    if name == "figure7":
        assert (cfg.noise.lr_std, cfg.noise.synthesis_std) == (0.108, 0.02)


@pytest.mark.parametrize("name", ["figure2", "figure7"])
def test_the_rows_are_the_jobs_of_the_sweep(name):
    hydra = yaml.safe_load((CONF / "experiment" / f"{name}.yaml").read_text(encoding="utf-8"))["hydra"]
    [(knob, values)] = hydra["sweeper"]["params"].items()
    runs = draw.runs_of(name, [])
    assert [run.value for run in runs] == str(values).split(",")
    assert [run.overrides for run in runs] == [[f"experiment={name}", f"{knob}={run.value}"] for run in runs]
    assert [run.run_dir for run in runs] == [Path("outputs", name, f"seed-{run.value}") for run in runs]


def test_every_figure_has_a_folder_of_its_own_and_one_in_it_for_every_row():
    places = set()
    for name in draw.FIGURES:
        hydra = yaml.safe_load((CONF / "experiment" / f"{name}.yaml").read_text(encoding="utf-8"))["hydra"]
        [knob] = hydra["sweeper"]["params"]
        assert hydra["sweep"]["subdir"] == f"{knob.rpartition('.')[2]}-${{{knob}}}"
        places.add(hydra["sweep"]["dir"])
    assert places == {f"outputs/{name}" for name in draw.FIGURES}


def test_a_swept_knob_may_be_given_other_values_and_the_runs_another_place():
    runs = draw.runs_of("figure6", ["generator=ffhq256", "objective.diversity_weight=0,0.1", "hydra.sweep.dir=there"])
    assert [run.run_dir for run in runs] == [Path("there/diversity_weight-0.0"), Path("there/diversity_weight-0.1")]
    assert [compose_config(run.overrides).objective.diversity_weight for run in runs] == [0, 0.1]
    assert compose_config(runs[0].overrides).generator.name == "ffhq256"


def test_what_the_command_line_has_searched_is_drawn_in_order_and_not_searched_again(tmp_path, capsys):
    place = f"hydra.sweep.dir={tmp_path / 'runs'}"
    assert run("-m", *TINY, "experiment=figure3", "noise.lr_std=0.3", place) == 0
    [record] = (tmp_path / "runs").glob("*/references/*/record.json")
    before = record.stat().st_mtime_ns

    out = tmp_path / "figure.png"
    draw.main(["figure3", *TINY, "noise.lr_std=0,0.3", place, "--out", str(out)])
    assert record.stat().st_mtime_ns == before
    assert capsys.readouterr().out.endswith(f"{out}\n")
    with Image.open(out) as page:
        tops = []
        for folder in ("lr_std-0.0", "lr_std-0.3"):
            found = tmp_path / "runs" / folder / "references" / "test_000000"
            assert len(json.loads((found / "record.json").read_text(encoding="utf-8"))["records"]) == 4
            tops.append(places(page, enlarged(load_rgb(found / "sr_00.png"), 128))[0][0])
    assert tops == sorted(tops) and len(set(tops)) == 2


def test_without_a_name_the_figure_goes_to_its_runs(tmp_path, capsys):
    draw.main(["figure7", *TINY, f"hydra.sweep.dir={tmp_path}"])
    assert (tmp_path / "figure7.png").is_file()
    with Image.open(tmp_path / "figure7.png") as page:
        samples = (tmp_path / "seed-0" / "references" / "test_000000").glob("sr_??.png")
        assert len([path for path in samples if places(page, enlarged(load_rgb(path), 128))]) == 9


def test_errors_are_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit, match="draw: .*Did you mean steps"):
        draw.main(["figure2", "stepz=3", f"hydra.sweep.dir={tmp_path}"])
    with pytest.raises(UserError, match="steps: Value 'many' of type 'str'"):
        draw.runs_of("figure2", ["steps=many"])
    with pytest.raises(SystemExit):
        draw.main(["figure1"])
    assert "figure7" in capsys.readouterr().err
