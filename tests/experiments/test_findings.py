"""The seven findings: measures of pictures made by hand and of real runs of a tiny generator, intervals, verdicts."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from scripts import scripts as scripts_of
from tiny_run import OVERRIDES

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.metrics.intervals import Estimate
from multimodal_pulse.references.pixels import load_rgb

NAMES = ("points", "measures", "curves", "verdicts", "explore_verdicts", "plots", "findings", "run_findings")
TINY = [*OVERRIDES, "references.limit=2", "steps=2"]


@pytest.fixture(scope="module")
def scripts() -> Mapping[str, ModuleType]:
    """The scripts of the folder, by their names."""
    return dict(zip(NAMES, scripts_of("findings", *NAMES), strict=True))


def test_points_compose_and_lie_in_places_of_their_own(scripts, tmp_path) -> None:
    from multimodal_pulse.configuration.compose import compose_job
    from multimodal_pulse.configuration.validation import check_config

    points = scripts["points"]
    folders = {points.run_dir(tmp_path, name, seed) for name in points.POINTS for seed in points.SEEDS}
    assert len(folders) == len(points.POINTS) * len(points.SEEDS)
    one_of_each = {name.partition("/")[0]: overrides for name, overrides in points.POINTS.items()}
    for overrides in one_of_each.values():
        cfg, job = compose_job([*points.COMMON, *overrides], tmp_path)
        check_config(cfg, job.choices, job.overrides)
        assert (cfg.references.limit, cfg.num_samples, cfg.references.split) == (16, points.NUM_SAMPLES, "test")


def test_points_of_explore_are_its_own_options_and_cost_less_than_a_quarter(scripts, tmp_path) -> None:
    from multimodal_pulse.configuration.compose import compose_job

    points = scripts["points"]
    steps = {True: 0, False: 0}
    for name, overrides in points.POINTS.items():
        cfg, job = compose_job([*points.COMMON, *overrides], tmp_path)
        of_explore = name.startswith(points.EXPLORE)
        steps[of_explore] += cfg.steps
        assert (job.choices["method"] == "explore") == of_explore
        assert job.choices["consistency"] == ("exact" if of_explore and "starts" not in name else "none")
    assert steps[True] < steps[False] / 4


def test_a_point_that_is_the_same_as_another_is_not_run(scripts) -> None:
    points = scripts["points"]
    assert not set(points.SAME_AS) & set(points.POINTS)
    assert set(points.SAME_AS.values()) <= set(points.POINTS)


# --- measures ----------------------------------------------------------------------------------------------------


def test_distances_against_a_plain_loop(scripts) -> None:
    measures = scripts["measures"]
    samples = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[8:16, 8:24] = True
    found = measures.of_pictures(samples, inside, ~inside)
    pixels = samples.double().numpy()
    expected = {"inside": [], "outside": []}
    for first in range(4):
        for second in range(first + 1, 4):
            squared = (pixels[first] - pixels[second]) ** 2
            expected["inside"].append(255 * math.sqrt(squared[:, 8:16, 8:24].mean()))
            outside = [squared[:, y, x] for y in range(32) for x in range(32) if not inside[y, x]]
            expected["outside"].append(255 * math.sqrt(np.mean(outside)))
    for name, values in expected.items():
        assert found[name] == pytest.approx(np.mean(values), rel=1e-5)


def test_grain_of_white_noise_is_three_quarters_and_of_a_slow_wave_nothing(scripts) -> None:
    grain = scripts["measures"]._grain
    noise = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert grain(noise) == pytest.approx(1 - (31 / 64) ** 2, abs=0.003)  # 31 of 64 frequencies lie below the limit
    wave = torch.sin(2 * math.pi * 3 * torch.arange(64) / 64).expand(1, 3, 64, 64)
    assert grain(wave) == pytest.approx(0, abs=1e-6)
    checkerboard = (-1.0) ** (torch.arange(64)[:, None] + torch.arange(64)[None, :])
    assert grain(checkerboard.expand(1, 3, 64, 64)) == pytest.approx(1)


def test_identical_samples_have_no_distance_and_no_grain(scripts) -> None:
    everywhere = torch.ones(32, 32, dtype=torch.bool)
    found = scripts["measures"].of_pictures(torch.rand(1, 3, 32, 32).expand(4, -1, -1, -1), everywhere, everywhere)
    assert (found["lr_distance"], found["inside"]) == (0, 0)
    assert math.isnan(found["grain"])


def test_regions_leave_a_margin_of_one_lr_pixel(scripts) -> None:
    inside, outside = scripts["measures"].regions(128)
    assert not (inside & outside).any()
    near = torch.nn.functional.max_pool2d(inside.float()[None], 17, stride=1, padding=8)[0] > 0  # 8 pixels around
    assert torch.equal(near, ~outside)
    assert 0.02 < inside.float().mean() < 0.2


def test_measures_of_real_runs(scripts, tmp_path) -> None:
    measures, points = scripts["measures"], scripts["points"]
    (name,) = [name for name in points.POINTS if name == "lr_noise/0.2"]
    run_dir = points.run_dir(tmp_path, name, 0)
    report = run_overrides([*points.COMMON, *points.POINTS[name], *TINY, "seed=0"], run_dir)
    rows = list(measures.measure(run_dir, is_real=lambda samples: 0.25))
    assert [row["reference"] for row in rows] == ["test_000000", "test_000001"]
    assert np.mean([row["distance"] for row in rows]) == pytest.approx(report.metrics["diversity"]["rms"])
    assert np.mean([row["lr_psnr"] for row in rows]) == pytest.approx(report.metrics["lr_psnr_found"]["mean"])
    assert min(row["lr_psnr_worst"] for row in rows) == pytest.approx(report.metrics["lr_psnr_found"]["min"])
    assert {row["weights_sha256"] for row in rows} == {
        json.loads((run_dir / "provenance.json").read_text())["weights_sha256"] or ""
    }
    assert math.isnan(rows[0]["lpips"])
    assert {"point", "seed", *rows[0]} == set(measures.COLUMNS)
    Image.new("RGB", (32, 32)).save(run_dir / "references" / "test_000001" / "sr_00.png")
    changed = list(measures.measure(run_dir, is_real=lambda samples: 0.25))
    assert changed[1]["lr_distance"] > rows[1]["lr_distance"]  # of the files, not of the records


def test_measures_of_explore_are_of_what_was_found_before_the_projection(scripts, tmp_path) -> None:
    points = scripts["points"]
    overrides = [*points.COMMON, *points.POINTS["explore_repulsion/20"], *TINY, "latent_resampling.draws=32",
                 "latent_resampling.nearest=8"]  # fmt: skip
    report = run_overrides(overrides, tmp_path)
    rows = list(scripts["measures"].measure(tmp_path, is_real=lambda samples: 0.25))
    assert np.mean([row["lr_psnr"] for row in rows]) == pytest.approx(report.metrics["lr_psnr_found"]["mean"])
    assert np.mean([row["lr_psnr"] for row in rows]) < report.metrics["lr_psnr"]["min"]


def test_unfinished_run_is_refused(scripts, tmp_path) -> None:
    (tmp_path / "references").mkdir()
    (tmp_path / "plan.json").write_text(json.dumps({"references": ["a"], "groups": [[0]]}))
    with pytest.raises(UserError, match="0 of its references"):
        next(scripts["measures"].measure(tmp_path, is_real=lambda samples: 0.0))


def test_runner_does_what_is_missing(scripts, tmp_path, capsys) -> None:
    scripts["run_findings"].main(["--points", "masked_lr_noise/0.05", "--seeds", "3", "--runs", str(tmp_path), *TINY])
    folder = tmp_path / "masked_lr_noise" / "0.05" / "seed-3"
    assert json.loads((folder / "metrics.json").read_text())["num_references"] == 2
    picture = folder / "references" / "test_000000" / "sr_00.png"
    before = (load_rgb(picture), picture.stat().st_mtime_ns)
    scripts["run_findings"].main(["--points", "masked_lr_noise/0.05", "--seeds", "3", "--runs", str(tmp_path), *TINY])
    assert picture.stat().st_mtime_ns == before[1]
    for chosen in (["--points", "none_such"], ["--points", "explore", "--except", "explore"]):
        with pytest.raises(SystemExit):
            scripts["run_findings"].main(chosen)
        assert f"no point begins with {chosen[1]}" in capsys.readouterr().err


def test_lines_of_points_whose_runs_are_gone_are_kept_on_request(scripts, tmp_path, monkeypatch) -> None:
    measures, points = scripts["measures"], scripts["points"]
    monkeypatch.setattr(measures, "realism", lambda resolution: lambda samples: 0.25)
    path = measured(scripts, tmp_path / "measures.csv", True)
    before = path.read_text().splitlines()
    arguments = ["--runs", str(tmp_path / "runs"), "--out", str(path)]
    with pytest.raises(SystemExit, match="0 of its references"):
        measures.main(arguments)
    measures.main([*arguments, "--keep"])
    assert path.read_text().splitlines() == before
    name = "lr_noise/0.2"
    run_overrides([*points.COMMON, *points.POINTS[name], *TINY, "seed=0"], points.run_dir(tmp_path / "runs", name, 0))
    with pytest.raises(SystemExit, match="different generator weights"):
        measures.main([*arguments, "--keep"])
    assert path.read_text().splitlines() == before


# --- verdicts ----------------------------------------------------------------------------------------------------


def measured(scripts, path: Path, faithful_reports: bool) -> Path:
    """A measures.csv in which every finding is plainly so, or plainly not so."""
    measures, points = scripts["measures"], scripts["points"]
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, measures.COLUMNS)
        writer.writeheader()
        for point in points.POINTS:
            name, _, value = point.partition("/")
            of_explore, base = name.startswith("explore"), name.removeprefix("explore_")
            method = {"starts": "resampling", "repulsion": "batch_diversity"}.get(base, base)
            # A repulsion of 20 grey levels counts as a weight of 0.01.
            knobs = [float(part) / (2000 if of_explore and float(part) >= 10 else 1) for part in value.split("-")]
            knob = sum(knobs) if method != "resampling" and faithful_reports else 0.0
            both = method == "combined" and value.startswith("0.108") and not value.endswith("-0")
            for seed in points.SEEDS:
                for portrait in range(16):
                    jitter = rng.normal(0, 0.01)
                    lr_psnr = 34 - 30 * knob - (500 * knob if method == "batch_diversity" else 0) + jitter
                    row = {
                        "weights_sha256": "f00",
                        "psnr": 24 - 10 * knob + jitter,
                        "lpips": 0.1 + 0.1 * knob + 0.01 * jitter,
                        "lr_psnr": lr_psnr,
                        "lr_psnr_worst": lr_psnr - 1,
                        "faithful": 0.1 + jitter if both and faithful_reports else 0.95,
                        "distance": 10 + 100 * knob * (30 if method == "batch_diversity" else 1) + jitter,
                        "seconds": 1,
                        "lr_distance": 3 if faithful_reports else 9 + jitter,
                        "grain": 0.5 + jitter if method == "synthesis_noise" and faithful_reports else 0.3 + jitter,
                        "inside": (25 if method == "masked_lr_noise" and faithful_reports else 20) + jitter,
                        "outside": (5 if method == "masked_lr_noise" and faithful_reports else 20) + jitter,
                        "realism": (0.9 if faithful_reports else 0.4) - 0.1 * knob + 0.1 * jitter,
                        **{name: 34 + jitter for name in measures.OF_SAMPLES},
                    }
                    if name == "synthesis_noise":
                        row["distance"] = 2 if faithful_reports else 11
                    if name == "explore_synthesis_noise":
                        row |= {"distance": 10, "grain": 0.1 if faithful_reports else 0.3 + jitter}
                    if method == "resampling":
                        ends = [34, 33, 32, 25 if faithful_reports and portrait % 2 else 31]
                        noise = rng.normal(0, 0.1 if faithful_reports else 5, size=4)
                        # Without poor optima all latents of a portrait end alike, whatever their start.
                        row |= {
                            name: end + draw if faithful_reports else 33 + 0.1 * draw
                            for name, end, draw in zip(measures.OF_SAMPLES, ends, noise, strict=True)
                        }
                    writer.writerow({"point": point, "seed": seed, "reference": f"p{portrait:02d}"} | row)
    return path


@pytest.mark.parametrize("reports", [True, False])
def test_verdicts_follow_the_numbers(scripts, tmp_path, reports: bool) -> None:
    curves = scripts["curves"].Curves(measured(scripts, tmp_path / "measures.csv", reports))
    for found in (scripts["verdicts"].findings(curves), scripts["explore_verdicts"].explore_findings(curves)):
        verdicts = {finding.number: finding.verdict for finding in found}
        if reports:
            assert verdicts == {number: "holds" for number in range(1, 8)}
        else:
            assert set(verdicts.values()) <= {"does not hold", "holds in part"}


def test_part_needs_its_whole_interval_on_one_side(scripts) -> None:
    Part = scripts["verdicts"].Part
    assert Part("", Estimate(2, 1.1, 3), 1, "", above=1).holds
    assert not Part("", Estimate(2, 0.9, 3), 1, "", above=1).holds
    assert Part("", Estimate(2, 1, 3), 1, "", below=3.1).holds
    assert not Part("", Estimate(2, 1, 3), 1, "", below=3).holds
    assert not Part("", Estimate(math.nan, math.nan, math.nan), 1, "", above=1).holds


def test_points_with_other_portraits_are_refused(scripts, tmp_path) -> None:
    path = measured(scripts, tmp_path / "measures.csv", True)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ValueError, match="other portraits"):
        scripts["curves"].Curves(path)


def test_different_generators_are_refused(scripts, tmp_path) -> None:
    path = measured(scripts, tmp_path / "measures.csv", True)
    text = path.read_text()
    path.write_text(text.replace("f00", "ba5", 1))
    with pytest.raises(UserError, match="resampling/10 and .* have different generator weights"):
        scripts["curves"].Curves(path)
    path.write_text(text.replace("weights_sha256", "else", 1))
    with pytest.raises(SystemExit, match="earlier version"):
        scripts["findings"].main(["--measures", str(path), "--out", str(tmp_path)])


def test_everything_is_drawn_and_written(scripts, tmp_path, capsys) -> None:
    path = measured(scripts, tmp_path / "measures.csv", True)
    scripts["findings"].main(["--measures", str(path), "--out", str(tmp_path)])
    for number in range(1, 8):
        with Image.open(tmp_path / f"finding{number}.png") as picture:
            assert picture.width == 1000
        with (tmp_path / f"finding{number}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows and all(float(row["low"]) <= float(row["mean"]) <= float(row["high"]) for row in rows)
    assert (tmp_path / "verdicts.md").read_text().count("**holds**") == 14
    assert capsys.readouterr().out.count(": holds") == 14
