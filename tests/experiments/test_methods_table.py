"""The README's table: from run directories, real ones of a random 32 x 32 generator and ones written by hand."""

import csv
import json
import shutil
from pathlib import Path
from statistics import fmean, median

import pytest
import yaml
from page_pixels import enlarged, places
from PIL import Image
from places import CONF
from scripts import scripts
from tiny_run import OVERRIDES

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.references.pixels import load_rgb, save_png

TINY = [*OVERRIDES, "references.limit=2", "steps=2"]


method_rows, run_methods, table = scripts("methods", "method_rows", "run_methods", "table")
[comparison] = scripts("figures", "comparison")
REAL_ROWS = ("bicubic", "resampling", "resampling_exact")


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory) -> Path:
    """Some rows at two seeds, made by the driver."""
    runs = tmp_path_factory.mktemp("methods")
    run_methods.main(["--runs", str(runs), "--rows", ",".join(REAL_ROWS), *TINY])
    return runs


@pytest.fixture
def copied_runs(real_runs, tmp_path) -> Path:
    """The same, for a test that changes them."""
    return Path(shutil.copytree(real_runs, tmp_path / "runs"))


def write_run(
    runs: Path, row: str, seed: int, psnr: float, lr_psnr: list[float | None], distance: float | None, seconds: float
) -> None:
    """A run directory of one reference, as far as the table reads it."""
    folder = runs / row / f"seed-{seed}"
    pictures = folder / "references" / "r"
    pictures.mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(pictures / "hr.png")
    records = [
        {"reference": "r", "sample": k, "lr_psnr": value, "steps": 200, "seconds": seconds / len(lr_psnr)}
        for k, value in enumerate(lr_psnr)
    ]
    known = [value for value in lr_psnr if value is not None]
    metrics = {
        "num_references": 1,
        "psnr": {"mean": psnr},
        "ssim": {"mean": 0.5},
        "lpips": {"mean": None},
        "lr_psnr": {"mean": fmean(known), "min": min(known)},
        "diversity": {"rms": distance},
        "seconds": seconds,
        "lpips_backbone": {"net": None, "weights": "absent"},
    }
    (folder / "plan.json").write_text(json.dumps({"references": ["r"]}))
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed, "num_samples": len(lr_psnr)}))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "provenance.json").write_text(json.dumps({"device": "cpu", "commit": None}))
    (pictures / "record.json").write_text(json.dumps({"reference": "r", "weights_sha256": "w", "records": records}))


def verdicts(runs: Path) -> list[str]:
    read = table.read_runs(runs)
    return [claim.verdict(read) for claim in table.CLAIMS]


# --- real runs ---------------------------------------------------------------------------------------------------


def test_the_table_of_real_runs_has_their_scores(real_runs, tmp_path, capsys):
    table.main(["--runs", str(real_runs), "--out", str(tmp_path)])
    with (tmp_path / "table.csv").open(encoding="utf-8") as lines:
        rows = {line["row"]: line for line in csv.DictReader(lines)}
    assert list(rows) == list(REAL_ROWS)  # in the order of the table
    assert [line["samples"] for line in rows.values()] == ["1", "4", "4"]
    for row, line in rows.items():
        of_seeds = []
        for seed in (0, 1):
            text = (real_runs / row / f"seed-{seed}" / "records.jsonl").read_text(encoding="utf-8")
            of_seeds.append([json.loads(record) for record in text.splitlines()])
        assert {len(records) for records in of_seeds} == {2 * int(line["samples"])}
        means = [fmean(record["psnr"] for record in records) for records in of_seeds]
        assert float(line["psnr"]) == pytest.approx(fmean(means), abs=1e-4)
        assert float(line["psnr_spread"]) == pytest.approx(abs(means[0] - means[1]), abs=1e-4)
        assert float(line["lr_psnr_worst"]) == min(r["lr_psnr"] for records in of_seeds for r in records)
        assert float(line["seconds"]) == pytest.approx(fmean(sum(r["seconds"] for r in rs) / 2 for rs in of_seeds))
        assert line["lpips"] == ""
        assert (line["distance"] == "") == (line["samples"] == "1")
    assert float(rows["bicubic"]["psnr_spread"]) == 0 < float(rows["resampling"]["psnr_spread"])
    written = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "2 references (test_000000 to test_000001), 32 pixels wide; seeds 0, 1" in written
    said = capsys.readouterr()
    assert said.out == written
    assert "no runs yet: mean_portrait, untrained_generator, pulse, lr_noise" in said.err


def test_the_configuration_agrees_with_what_was_found(real_runs):
    for path in real_runs.glob("*/seed-*/config.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert json.loads((path.parent / "metrics.json").read_text())["num_samples"] == config["num_samples"], path


def test_started_again_it_does_only_what_is_missing(copied_runs, monkeypatch, tmp_path):
    kept = copied_runs / "bicubic" / "seed-0" / "references" / "test_000000" / "record.json"
    before = kept.stat().st_mtime_ns
    shutil.rmtree(copied_runs / "bicubic" / "seed-1" / "references" / "test_000001")
    run_methods.main(["--runs", str(copied_runs), "--rows", "bicubic", *TINY])
    assert kept.stat().st_mtime_ns == before
    assert (copied_runs / "bicubic" / "seed-1" / "references" / "test_000001" / "record.json").is_file()


def test_exactness_is_measured_on_the_files(copied_runs):
    claim = next(claim for claim in table.CLAIMS if claim.rows == ("resampling_exact",))
    assert claim.verdict(table.read_runs(copied_runs)).startswith("HOLDS")
    sample = copied_runs / "resampling_exact" / "seed-1" / "references" / "test_000001" / "sr_03.png"
    save_png((load_rgb(sample) - 0.1).abs(), sample)
    assert claim.verdict(table.read_runs(copied_runs)).startswith("DOES NOT HOLD")


def test_unfinished_runs_and_other_weights_and_references_are_refused_by_name(copied_runs):
    metrics = copied_runs / "bicubic" / "seed-0" / "metrics.json"
    content = metrics.read_text(encoding="utf-8")
    metrics.write_text(json.dumps(json.loads(content) | {"num_references": 1}), encoding="utf-8")
    with pytest.raises(UserError, match="bicubic/seed-0 has 1 of 2 references"):
        table.read_runs(copied_runs)
    metrics.unlink()
    with pytest.raises(UserError, match="metrics.json is missing"):
        table.read_runs(copied_runs)
    metrics.write_text(content, encoding="utf-8")

    record = copied_runs / "resampling" / "seed-1" / "references" / "test_000001" / "record.json"
    content = record.read_text(encoding="utf-8")
    record.write_text(json.dumps(json.loads(content) | {"weights_sha256": "other"}), encoding="utf-8")
    with pytest.raises(UserError, match="resampling/seed-1 were made with different generator weights"):
        table.read_runs(copied_runs)
    record.write_text(content, encoding="utf-8")

    original = copied_runs / "resampling" / "seed-0" / "references" / "test_000000" / "hr.png"
    Image.new("RGB", (16, 16)).save(original)
    with pytest.raises(UserError, match="resampling/seed-0 and .* different references"):
        table.read_runs(copied_runs)


def test_no_runs_end_with_one_line(tmp_path):
    with pytest.raises(SystemExit, match="has no runs"):
        table.main(["--runs", str(tmp_path), "--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_the_figure_shows_the_files(real_runs, tmp_path):
    path = tmp_path / "figure.png"
    runs = [str(real_runs / row / "seed-0") for row in REAL_ROWS]
    comparison.main([*runs, "--references", "test_000000,test_000001", "--title", "All", "--out", str(path)])
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


def test_means_and_spreads_over_seeds(tmp_path):
    for seed, (psnr, worst, seconds) in enumerate([(20.0, 31.0, 4.0), (21.0, 29.0, 8.0), (25.0, 33.0, 6.0)]):
        write_run(tmp_path, "resampling", seed, psnr, [worst, 40.0], 7.5 + seed, seconds)
    read = table.read_runs(tmp_path)
    row = table.markdown(read).splitlines()[2]
    assert row == (
        "| `resampling` | 2 | 200 | 22.00 (5.00) | 0.500 (0.000) | - | 35.5 (2.0) | 29.0 (4.0) | 8.5 (2.0) |"
        " 6.00 (4.00) |"
    )
    one = {"resampling": read["resampling"][:1]}
    assert "| 20.00 | 0.500 | - | 35.5 | 31.0 | 7.5 | 4.00 |" in table.markdown(one)


def test_claims_are_computed_at_every_seed(tmp_path):
    good = [31.0] * 19 + [29.0]
    for seed in (0, 1):
        write_run(tmp_path, "bicubic", seed, 21.0, [36.0], None, 0.1)
        write_run(tmp_path, "resampling", seed, 21.5, good, 8.0, 10)
        write_run(tmp_path, "batch_diversity", seed, 20.0, [24.0, 25.0, 26.0], 9.0, 10)
        write_run(tmp_path, "synthesis_noise_std_1", seed, 20.0, [20.0, 25.5, 40.0], 3.0, 10)
    share, gain, ratio, apart, noisy, exact = verdicts(tmp_path)
    assert share.startswith("HOLDS") and share.endswith("95.0 % (seed 0), 95.0 % (seed 1)")
    assert gain.startswith("HOLDS") and gain.endswith("+0.50 dB (seed 0), +0.50 dB (seed 1)")
    assert ratio.startswith("HOLDS") and "3.00 times" in ratio
    assert apart.startswith("HOLDS") and f"{median([24.0, 25.0, 26.0])} dB" in apart
    assert noisy.startswith("HOLDS") and "25.5 dB" in noisy
    assert exact.startswith("NOT MEASURED") and "resampling_exact" in exact


def test_a_claim_that_one_seed_breaks_does_not_hold(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, "bicubic", seed, 21.0, [36.0], None, 0.1)
        write_run(tmp_path, "resampling", seed, 21.5 - seed, [31.0] * 18 + [29.0 + 2 * (1 - seed), None], 8.0, 10)
        write_run(tmp_path, "batch_diversity", seed, 20.0, [None, 25.0 - seed, 26.0], 9.0 - seed, 10)
        write_run(tmp_path, "synthesis_noise_std_1", seed, 20.0, [24.9, None, 40.0], 3.0, 10)
    share, gain, ratio, apart, noisy, _ = verdicts(tmp_path)
    assert share.startswith("DOES NOT HOLD") and share.endswith("95.0 % (seed 0), 90.0 % (seed 1)")
    assert gain.startswith("DOES NOT HOLD") and gain.endswith("+0.50 dB (seed 0), -0.50 dB (seed 1)")
    assert ratio.startswith("DOES NOT HOLD") and ratio.endswith("3.00 times (seed 0), 2.67 times (seed 1)")
    assert apart.startswith("DOES NOT HOLD") and apart.endswith("25.0 dB (seed 0), 24.0 dB (seed 1)")
    assert noisy.startswith("DOES NOT HOLD") and "24.9 dB" in noisy


# --- rows and configuration --------------------------------------------------------------------------------------


def test_the_sweep_and_the_driver_put_the_same_runs_in_the_same_place():
    path = CONF / "experiment" / "methods.yaml"
    hydra = yaml.safe_load(path.read_text(encoding="utf-8"))["hydra"]
    assert hydra["sweep"] == {"dir": str(method_rows.RUNS), "subdir": "${method}/seed-${seed}"}
    assert hydra["sweeper"]["params"]["seed"] == ",".join(map(str, method_rows.SEEDS))
    swept = hydra["sweeper"]["params"]["method"].split(",")
    assert {row for row, overrides in method_rows.ROWS.items() if overrides == [f"method={row}"]} == set(swept)
    assert method_rows.run_dir(method_rows.RUNS, "pulse", 1) == Path("outputs/methods/pulse/seed-1")


@pytest.mark.parametrize("row", method_rows.ROWS)
def test_rows_are_16_test_portraits_with_the_samples_that_they_find(row):
    cfg = compose_config(["experiment=methods", *method_rows.ROWS[row]])
    assert (cfg.references.limit, cfg.references.split.value) == (16, "test")
    assert cfg.num_samples == (1 if row in ("bicubic", "mean_portrait", "pulse") else 4)


def test_an_unknown_row_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        run_methods.main(["--rows", "resample"])
    assert "resampling_exact" in capsys.readouterr().err


def test_an_override_that_does_not_suit_ends_with_one_line(tmp_path):
    with pytest.raises(SystemExit, match="Did you mean steps"):
        run_methods.main(["--runs", str(tmp_path), "--rows", "bicubic", "stepz=3"])
