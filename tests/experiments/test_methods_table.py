"""The tables of docs/scorecard.md: from run directories, real ones of a tiny generator and ones written by hand."""

import csv
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
import yaml
from page_pixels import enlarged, places
from PIL import Image
from scripts import scripts
from tiny_run import OVERRIDES

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config, compose_job
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.metrics.intervals import estimate
from multimodal_pulse.references.pixels import load_rgb, save_png

TINY = [*OVERRIDES, "references.limit=2", "steps=2"]

method_rows, run_methods, runs, columns, claims, table, processes, processor_time, checkpoints = scripts(
    "methods",
    *("method_rows", "run_methods", "runs", "columns", "claims", "table", "processes", "processor_time", "checkpoints"),
)
[comparison] = scripts("figures", "comparison")
ROWS = method_rows.ROWS
REAL_ROWS = ("bicubic", "resampling", "resampling_exact", "pulse_20")


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory) -> Path:
    """Some rows, made by the driver."""
    folder = tmp_path_factory.mktemp("methods")
    run_methods.main(["--runs", str(folder), "--rows", ",".join(REAL_ROWS), *TINY])
    return folder


@pytest.fixture
def copied_runs(real_runs, tmp_path) -> Path:
    """The same, for a test that changes them."""
    return Path(shutil.copytree(real_runs, tmp_path / "runs"))


def sample(**values: float | None) -> dict:
    """The record of a sample, as far as the tables read it."""
    usual = {
        "psnr": 20.0,
        "ssim": 0.5,
        "lpips": 0.1,
        "realistic": True,
        "lr_psnr": 78.0,
        "lr_psnr_found": 30.0,
        "steps": 20,
    }
    return usual | values


def write_run(folder: Path, row: str, seed: int, of_references: Sequence[Sequence[dict]], **shared: float) -> Path:
    """A finished run directory of references r0, r1, ..., as far as the tables read it, with the given records."""
    run = folder / row / f"seed-{seed}"
    names = [f"r{index}" for index in range(len(of_references))]
    for name, records in zip(names, of_references, strict=True):
        place = run / "references" / name
        place.mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(place / "hr.png")
        Image.new("RGB", (2, 2)).save(place / "lr.png")
        for number, record in enumerate(records):
            record["sample"] = number
            Image.new("RGB", (16, 16)).save(place / f"sr_{number:02d}.png")
        usual = {"mean_image_psnr": 21.0, "gain": 1.0, "calibration": 1.0, "seconds": 2.0}
        entry = {
            **usual,
            **{key: value for key, value in shared.items() if key in usual},
            "reference": name,
            "records": records,
            "diversity": {"rms": shared.get("rms", 15.0), "lpips_score": shared.get("lpips_score", 13.0)},
            "weights_sha256": "w",
            "lpips_backbone": {"net": "alex", "weights": "verified"},
            "realism_backbone": {"domain": "portraits", "weights": "verified"},
        }
        (place / "record.json").write_text(json.dumps(entry))
    config = {"seed": seed, "num_samples": len(of_references[0]), "degradation": {"factor": 8}}
    (run / "plan.json").write_text(json.dumps({"references": names}))
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "provenance.json").write_text(json.dumps({"device": "cpu", "commit": None}))
    return run


def rows_of(text: str) -> list[list[str]]:
    """The cells of the rows of Markdown tables."""
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if "| `" in line]


def verdicts(folder: Path) -> dict[str, str]:
    """The verdict on every claim about the main rows, by its sentence."""
    main = runs.main_table(runs.read_runs(folder))
    of_runs = [claim for claim in claims.MAIN_CLAIMS if not isinstance(claim, claims.TimeAim)]
    return {claim.sentence: claims.verdict(claim, main) for claim in of_runs}


# --- real runs ---------------------------------------------------------------------------------------------------


def test_the_tables_of_real_runs_have_their_scores(real_runs, tmp_path, capsys):
    table.main(["--runs", str(real_runs), "--out", str(tmp_path)])
    with (tmp_path / "table.csv").open(encoding="utf-8") as lines:
        found = {(line["table"], line["row"]): line for line in csv.DictReader(lines)}
    # In the order of the rows; the main rows have all seeds there and the first one here.
    assert list(found) == [("main", "bicubic"), *(("few", row) for row in REAL_ROWS)]
    assert [line["seeds"] for line in found.values()] == ["3", "1", "1", "1", "1"]
    assert [line["samples"] for line in found.values()] == ["1.0", "1.0", "4.0", "4.0", "1.0"]
    assert [line["passes"] for line in found.values()] == ["0.0", "0.0", "2.0", "2.0", "20.0"]
    for (_, row), line in found.items():
        text = (real_runs / row / "seed-0" / "records.jsonl").read_text(encoding="utf-8")
        records = [json.loads(record) for record in text.splitlines()]
        for column, key in (("psnr", "psnr"), ("lr_psnr_found", "lr_psnr_found")):
            assert float(line[column]) == pytest.approx(fmean(record[key] for record in records))
            assert float(line[f"{column}_low"]) <= float(line[column]) <= float(line[f"{column}_high"])
        worst = min(record["lr_psnr"] for record in records)
        assert float(line["lr_psnr_worst"]) == pytest.approx(worst, abs=1e-4)
        assert line["lpips"] == line["lpips_low"] == ""
        assert (line["distance"] == "") == (line["mean_image_psnr"] == "") == (line["samples"] == "1.0")
    written = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "2 references (test_000000 to test_000001), seeds 0, 1, 2." in written
    assert "2 references (test_000000 to test_000001), seed 0." in written
    said = capsys.readouterr()
    assert said.out == written
    assert "no runs yet: combined, explore, faithful, mean_portrait" in said.err


def test_a_sample_found_at_a_start_is_the_start(tmp_path):
    few = ["latent_resampling.draws=100", "latent_resampling.nearest=10"]
    run_methods.main(["--runs", str(tmp_path), "--rows", "bank,bank_exact", *TINY, *few])
    for row in ("bank", "bank_exact"):
        [run] = runs.read_runs(tmp_path)[row]
        assert [record["best_step"] for entry in run.entries for record in entry["records"]] == [0] * 8


def test_started_again_it_does_only_what_is_missing(copied_runs):
    kept = copied_runs / "bicubic" / "seed-0" / "references" / "test_000000" / "record.json"
    before = kept.stat().st_mtime_ns
    shutil.rmtree(copied_runs / "bicubic" / "seed-1" / "references" / "test_000001")
    run_methods.main(["--runs", str(copied_runs), "--rows", "bicubic", *TINY])
    assert kept.stat().st_mtime_ns == before
    assert (copied_runs / "bicubic" / "seed-1" / "references" / "test_000001" / "record.json").is_file()


def test_exactness_is_measured_on_the_files(copied_runs):
    worst = columns.COLUMNS["lr_psnr_worst"]
    assert worst.cell(runs.read_runs(copied_runs)["resampling_exact"]) > 60
    changed = copied_runs / "resampling_exact" / "seed-0" / "references" / "test_000001" / "sr_03.png"
    save_png((load_rgb(changed) - 0.1).abs(), changed)
    assert worst.cell(runs.read_runs(copied_runs)["resampling_exact"]) < 30


def test_an_unfinished_run_is_left_out_and_named(copied_runs, tmp_path, capsys):
    shutil.rmtree(copied_runs / "bicubic" / "seed-1" / "references" / "test_000001")
    shutil.rmtree(copied_runs / "resampling" / "seed-0" / "references" / "test_000000")
    table.main(["--runs", str(copied_runs), "--out", str(tmp_path)])
    said = capsys.readouterr()
    assert "seeds 0, 2." in said.out
    assert "`resampling`" not in "".join(line for line in said.out.splitlines() if line.startswith("|"))
    left_out = "bicubic/seed-1 (1 of 2 references), resampling/seed-0 (1 of 2 references)"
    assert f"not finished, left out: {left_out}" in said.err


def test_other_weights_references_and_versions_are_refused_by_name(copied_runs):
    record = copied_runs / "resampling" / "seed-0" / "references" / "test_000001" / "record.json"
    content = record.read_text(encoding="utf-8")
    record.write_text(json.dumps(json.loads(content) | {"weights_sha256": "other"}), encoding="utf-8")
    with pytest.raises(UserError, match="resampling/seed-0 were made with different generator weights"):
        runs.read_runs(copied_runs)
    record.write_text(content.replace("lr_psnr_found", "lr_psnr_sought"), encoding="utf-8")
    with pytest.raises(UserError, match="resampling/seed-0 was made by an earlier version"):
        runs.read_runs(copied_runs)
    record.write_text(content, encoding="utf-8")

    original = copied_runs / "resampling" / "seed-0" / "references" / "test_000000" / "hr.png"
    Image.new("RGB", (16, 16)).save(original)
    with pytest.raises(UserError, match="resampling/seed-0 and .* different references"):
        runs.read_runs(copied_runs)


def test_no_runs_end_with_one_line(tmp_path):
    with pytest.raises(SystemExit, match="has no runs"):
        table.main(["--runs", str(tmp_path), "--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_the_figure_shows_the_files(real_runs, tmp_path):
    path = tmp_path / "figure.png"
    of_rows = [str(real_runs / row / "seed-0") for row in REAL_ROWS]
    comparison.main([*of_rows, "--references", "test_000000,test_000001", "--title", "All", "--out", str(path)])
    with Image.open(path) as page:

        def place(row: str, reference: str, name: str) -> tuple[int, int]:
            """Top and left of a file's first place on the page."""
            picture = load_rgb(real_runs / row / "seed-0" / "references" / reference / name)
            return places(page, enlarged(picture, 128))[0]

        samples = [place(row, "test_000000", "sr_00.png") for row in REAL_ROWS]
        assert [top for top, _ in samples] == sorted(top for top, _ in samples)
        assert len({left for _, left in samples}) == 1
        others = [place("resampling", "test_000001", f"sr_{k:02d}.png") for k in range(4)]
        assert {top for top, _ in others} == {samples[1][0]}
        assert samples[1][1] < place("bicubic", "test_000001", "hr.png")[1] < others[0][1] < others[3][1]


def test_the_figure_refuses_what_is_not_there(real_runs):
    for seed, reference in ((7, "test_000000"), (0, "test_000009")):
        run = str(real_runs / "bicubic" / f"seed-{seed}")
        with pytest.raises(SystemExit, match=f"comparison: .*{reference} is not a finished reference"):
            comparison.main([run, "--references", reference, "--out", "unused.png"])


# --- runs written by hand ----------------------------------------------------------------------------------------


def test_samples_and_seeds_of_a_reference_are_averaged_before_the_interval(tmp_path):
    generator = np.random.default_rng(0)
    psnr = generator.normal(20, 2, size=(3, 5, 4))  # [seeds, references, samples]
    for seed in range(3):
        write_run(tmp_path, "explore", seed, [[sample(psnr=value) for value in row] for row in psnr[seed]])
    main = runs.main_table(runs.read_runs(tmp_path))
    found = columns.COLUMNS["psnr"].cell(main["explore"])
    expected = estimate([fmean(psnr[:, reference].flatten()) for reference in range(5)])
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))
    cells = [cell for row in rows_of(table.markdown(main)) for cell in row]
    assert f"{expected.mean:.2f} ± {(expected.high - expected.low) / 2:.2f}" in cells


def test_what_one_sample_or_reference_does_not_have_is_left_out(tmp_path):
    write_run(tmp_path, "explore", 0, [[sample(psnr=None), sample(psnr=22.0)], [sample(psnr=None)] * 2])
    [run] = runs.read_runs(tmp_path)["explore"]
    assert columns.COLUMNS["psnr"].of_references([run]).tolist() == pytest.approx([22.0, np.nan], nan_ok=True)
    assert columns.COLUMNS["psnr"].cell([run]).mean == 22
    assert columns.COLUMNS["psnr"].cell([run, run]).mean == 22
    assert table.shown(columns.COLUMNS["psnr"].cell([run.first(0)]), 2) == "-"


def test_a_failed_sample_was_not_found(tmp_path):
    found = [sample(lr_psnr=None, lr_psnr_found=None), sample(lr_psnr_found=26.9), sample(lr_psnr_found=27.0), sample()]
    write_run(tmp_path, "explore", 0, [found, [sample()] * 4])
    of_row = runs.read_runs(tmp_path)["explore"]
    assert columns.COLUMNS["not_found"].cell(of_row).mean == 25  # two of four, none of four
    assert columns.COLUMNS["lr_psnr_found_worst"].cell(of_row) == -np.inf


def test_a_larger_run_gives_its_first_portraits_at_its_first_seed_to_the_second_table(tmp_path):
    for seed in (0, 1):
        run = write_run(tmp_path, "explore", seed, [[sample(psnr=20.0 + index + seed)] for index in range(18)])
    shutil.rmtree(run / "references" / "r17")
    read = runs.read_runs(tmp_path)
    [few] = runs.few_table(read)["explore"]
    assert (few.seed, [entry["reference"] for entry in few.entries]) == (0, [f"r{index}" for index in range(16)])
    assert columns.COLUMNS["psnr"].cell([few]).mean == pytest.approx(20 + 7.5)
    assert [run.seed for run in runs.main_table(read)["explore"]] == [0]  # seed 1 lacks one
    shutil.rmtree(tmp_path / "explore" / "seed-0" / "references" / "r16")
    read = runs.read_runs(tmp_path)
    assert runs.main_table(read) == {} and len(runs.few_table(read)["explore"][0].entries) == 16


def test_rows_on_other_portraits_are_named(tmp_path):
    for row, count in (("pulse", 3), ("rls", 3), ("csgm", 2)):
        write_run(tmp_path, row, 0, [[sample()]] * count)
    said = table.amounts(runs.few_table(runs.read_runs(tmp_path)))
    assert said == "3 references (r0 to r2), seed 0; `csgm`: 2 references (r0 to r1), seed 0"


def test_no_table_is_wider_than_a_page(tmp_path):
    write_run(tmp_path, "synthesis_noise_std_1", 0, [[sample(psnr=20.0 + index)] * 4 for index in range(3)])
    [run] = runs.read_runs(tmp_path).values()
    [*of_sections] = rows_of(table.markdown({"synthesis_noise_std_1": run}))
    assert len(of_sections) == len(columns.SECTIONS)
    assert max(sum(len(cell) + 2 for cell in cells) for cells in of_sections) <= 100


def test_aims_are_met_on_one_side_of_their_bounds_and_missed_on_the_other(tmp_path):
    good = sample(psnr=24.21, ssim=0.636, lpips=0.094, lr_psnr_found=27.0)
    write_run(tmp_path, "explore", 0, [[dict(good) for _ in range(4)]] * 3, mean_image_psnr=26.01, gain=1.61,
              lpips_score=12.1, calibration=0.91)  # fmt: skip
    found = verdicts(tmp_path)
    of_explore = {sentence: said for sentence, said in found.items() if sentence.startswith("`explore`")}
    assert len(of_explore) == 11
    assert all(said.startswith("HOLDS: ") for said in of_explore.values()), of_explore
    assert found["`explore`: PSNR, dB: at least 24.2"].endswith(": 24.210 (24.210 to 24.210)")
    assert found["`combined`: realism: at least 0.5"].startswith("NOT MEASURED")

    shutil.rmtree(tmp_path / "explore")
    bad = sample(psnr=24.1, ssim=0.634, lpips=0.096, lr_psnr_found=26.9, realistic=False, steps=21)
    run = write_run(tmp_path, "explore", 0, [[dict(bad) for _ in range(4)]] * 3, mean_image_psnr=25.9, gain=1.5,
                    lpips_score=11.9, calibration=1.11)  # fmt: skip
    save_png(torch.full((3, 16, 16), 0.5), run / "references" / "r1" / "sr_02.png")
    of_explore = [said for sentence, said in verdicts(tmp_path).items() if sentence.startswith("`explore`")]
    assert all(said.startswith("DOES NOT HOLD: ") for said in of_explore), of_explore


@pytest.mark.parametrize("content", [None, "row,seconds\nfaithful,1.7\n"])
def test_a_processor_time_that_was_not_measured_is_said_in_the_verdict(tmp_path, content):
    write_run(tmp_path, "explore", 0, [[sample()]])
    file = tmp_path / "processor_time.csv"
    if content:
        file.write_text(content)
    claim = claims.TimeAim("explore", most=3, file=file)
    said = claims.verdict(claim, runs.main_table(runs.read_runs(tmp_path)))
    assert said.startswith("NOT MEASURED: `explore`: processor seconds") and "processor_time.py" in said
    file.write_text("row,seconds\nexplore,2.5\n")
    assert claims.verdict(claim, runs.main_table(runs.read_runs(tmp_path))).startswith("HOLDS: ")


def test_the_processor_time_is_that_of_more_references_minus_that_of_fewer(tmp_path, monkeypatch, capsys):
    asked = []

    def run(run_dir, overrides):
        [limit] = [int(each.partition("=")[2]) for each in overrides if each.startswith("references.limit=")]
        asked.append((limit, [each for each in overrides if each.startswith("method=")]))
        return processes.Cost(seconds=6 + 2.5 * limit, megabytes=900)

    monkeypatch.setattr(processor_time, "run", run)
    processor_time.main(["--rows", "explore", "--out", str(tmp_path / "time.csv")])
    assert asked == [(4, ["method=explore"]), (12, ["method=explore"])]
    assert processor_time.read(tmp_path / "time.csv") == {"explore": 2.5}
    for most, holds in ((2.5, True), (2.4, False)):
        assert claims.TimeAim("explore", most, tmp_path / "time.csv").check({}) == (holds, "2.50")


def test_a_process_is_measured_and_its_failure_is_an_error(tmp_path):
    cost = processes.run(tmp_path / "run", ["method=bicubic", *OVERRIDES])
    assert (tmp_path / "run" / "metrics.json").is_file()
    assert cost.seconds > 0 and cost.megabytes > 50
    with pytest.raises(subprocess.CalledProcessError):
        processes.run(tmp_path / "other", ["method=bicubics"])


def test_the_costs_of_a_checkpoint_are_those_of_its_runs(monkeypatch, tmp_path):
    def run(run_dir, overrides, cache):
        assert f"generator.path={tmp_path / 'a.pkl'}" in overrides and cache == tmp_path / "cache"
        run_dir.mkdir()
        found = {"bank": 10.0, "starts": 10.0, "search": 30.0}[run_dir.name]
        (run_dir / "records.jsonl").write_text(2 * (json.dumps({"lr_psnr_found": found, "lr_psnr": 78.0}) + "\n"))
        seconds, megabytes = {"bank": (9.0, 700), "starts": (6.0, 600), "search": (7.5, 800)}[run_dir.name]
        return processes.Cost(seconds, megabytes)

    monkeypatch.setattr(checkpoints, "run", run)
    written = checkpoints.table({"`a`": checkpoints.measure(tmp_path / "a.pkl", tmp_path)})
    [cells] = [line for line in written.splitlines() if "`a`" in line]
    assert cells == "| `a` | 3.0 | 6.0 | 1.5 | 800 | 10.0, 10.0 | 30.0, 30.0 | 78.0, 78.0 |"


def test_a_comparison_holds_if_its_whole_interval_does(tmp_path):
    claim = next(claim for claim in claims.MAIN_CLAIMS if claim.rows == ["faithful", "bicubic"])
    write_run(tmp_path, "bicubic", 0, [[sample(psnr=value)] for value in (20.0, 22.0, 24.0, 26.0)])
    for gains, expected in (([0.25, 0.5, 0.75, 1.0], "HOLDS"), ([-1.0, 0.5, 0.75, 1.0], "DOES NOT HOLD")):
        shutil.rmtree(tmp_path / "faithful", ignore_errors=True)
        psnr = [20 + 2 * index + gain for index, gain in enumerate(gains)]
        write_run(tmp_path, "faithful", 0, [[sample(psnr=value)] * 4 for value in psnr])
        said = claims.verdict(claim, runs.main_table(runs.read_runs(tmp_path)))
        assert said.startswith(f"{expected}: ") and said.endswith(f": {estimate(gains):2}")


def test_a_comparison_is_of_the_same_seeds(tmp_path):
    claim = claims.Comparison("", "faithful", "bicubic", "psnr", np.subtract, above=0)
    write_run(tmp_path, "bicubic", 0, [[sample(psnr=20.0)]] * 3)
    for seed, psnr in ((0, 21.0), (1, 10.0)):
        write_run(tmp_path, "faithful", seed, [[sample(psnr=psnr)]] * 3)
    assert claim.check(runs.main_table(runs.read_runs(tmp_path))) == (True, "1.00 (1.00 to 1.00)")


# --- rows and configuration --------------------------------------------------------------------------------------


def composed(row: str):
    """The checked configuration of a row."""
    of_row = ROWS[row]
    overrides = ["experiment=methods", f"references.limit={of_row.limit}", *of_row.overrides]
    cfg, job = compose_job(overrides, Path("unused"))
    check_config(cfg, job.choices, job.overrides)
    return cfg


@pytest.mark.parametrize("row", ROWS)
def test_rows_are_test_portraits_with_the_samples_that_they_find(row):
    cfg = composed(row)
    assert (cfg.references.limit, cfg.references.split.value) == (ROWS[row].limit, "test")
    assert cfg.num_samples == (1 if row in ("bicubic", "mean_portrait", "pulse", "pulse_20") else 4)


def passes(cfg) -> int:
    return cfg.steps * cfg.stages.get("restarts", 1) + sum(stage.steps for stage in cfg.stages.before)


@pytest.mark.parametrize("row", [row for row in ROWS if row.endswith("_20")])
def test_rows_of_20_passes_are_the_same_search_but_for_the_steps(row):
    short, whole = composed(row), composed(row.removesuffix("_20"))
    assert passes(short) == 20 < passes(whole)
    for cfg in (short, whole):
        cfg.steps = 1
        for stage in cfg.stages.before:
            stage.steps = 1
    assert short == whole


def test_the_first_latent_alone_has_as_many_passes_as_ilo():
    assert passes(composed("ilo_first_latent")) == passes(composed("ilo"))
    assert composed("ilo_first_latent").objective == composed("ilo").objective


def test_the_main_rows_are_those_of_the_default_method_and_its_rivals():
    main = [row for row in ROWS if ROWS[row].is_main]
    assert main == ["bicubic", "combined", "explore", "faithful"]
    assert {(ROWS[row].limit, ROWS[row].seeds) for row in main} == {(64, (0, 1, 2))}
    assert compose_config([]).method in main
    assert method_rows.run_dir(method_rows.RUNS, "pulse", 1) == Path("outputs/methods/pulse/seed-1")


def test_an_unknown_row_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        run_methods.main(["--rows", "resample"])
    assert "resampling_exact" in capsys.readouterr().err


def test_an_override_that_does_not_suit_ends_with_one_line(tmp_path):
    with pytest.raises(SystemExit, match="Did you mean steps"):
        run_methods.main(["--runs", str(tmp_path), "--rows", "bicubic", "stepz=3"])
