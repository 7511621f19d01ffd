"""The tables at the end of a run and of a sweep."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from multimodal_pulse.job import EndedJob, Job
from multimodal_pulse.records import summary, write_json
from multimodal_pulse.report import Report
from multimodal_pulse.tables import SweepReport


def entry(number: int, lr_psnr: float) -> dict[str, Any]:
    """The content of a record.json with two samples, the second of which fits badly."""
    scores = {"psnr": 20.0, "ssim": 0.5, "lpips": None, "seconds": 1.0}
    records = [
        {"reference": f"face_{number}", "sample": 0, "lr_psnr": lr_psnr, "status": "ok", **scores},
        {"reference": f"face_{number}", "sample": 1, "lr_psnr": 20.0, "status": "loose", **scores},
    ]
    return {
        "reference": f"face_{number}",
        "records": records,
        "diversity": {"rms": 5.0, "lpips": None},
        "lpips_backbone": {"weights": "absent"},
    }


def table(references: int) -> list[str]:
    entries = [entry(number, lr_psnr=40.0) for number in range(references)]
    return str(Report(Path("run"), "combined", entries, summary(entries))).splitlines()


@pytest.mark.parametrize(("references", "more"), [(10, None), (11, "... and 1 more"), (25, "... and 15 more")])
def test_references_without_a_row_are_counted(references, more):
    lines = table(references)
    assert sum(line.startswith("face_") for line in lines) == 10
    at = [line.partition(" in records.jsonl")[0] for line in lines if line.startswith("... ")]
    assert at == ([more] if more else [])
    assert lines[11 + len(at)].startswith(f"mean of {references}")


def test_the_end_names_the_pictures_and_the_run_as_short_as_it_can(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = [entry(number, lr_psnr=40.0) for number in range(2)]
    one, two = (
        str(Report(tmp_path / "out" / "run", "combined", some, summary(some))).splitlines()[-2:]
        for some in (entries[:1], entries)
    )
    assert one == ["picture: out/run/references/face_0/grid.png", "run:     out/run"]
    assert two[0] == "picture: out/run/references/face_0/grid.png, the others: out/run/references/*/grid.png"


def test_faithful_samples_are_counted():
    lines = table(3)
    assert "faithful: 3 of 6 samples (LR-PSNR of at least 27 dB)" in lines
    assert any("a sample counts as faithful from 27 dB of LR-PSNR upwards" in line for line in lines)


def metrics_json(folder: Path, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of metrics.json, as a run that ends has it: null for what there is not."""
    write_json(folder / "metrics.json", summary(entries))
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def sweep(folder: Path, *own: list[str], failed: int | None = None) -> SweepReport:
    """Of jobs with two references each, one of which may have failed."""
    metrics = metrics_json(folder, [entry(number, lr_psnr=40.0) for number in range(2)])
    jobs = [Job(folder / f"{number}-pulse", {"method": "pulse"}, [], folder) for number in range(len(own))]
    return SweepReport(
        folder,
        [
            EndedJob(job, of_job, error='no,"such" file') if number == failed else EndedJob(job, of_job, metrics)
            for number, (job, of_job) in enumerate(zip(jobs, own, strict=True))
        ],
    )


def test_a_sweep_is_a_table_with_a_row_for_each_job(tmp_path):
    lines = str(sweep(tmp_path, ["seed=0"], ["seed=1", "noise.lr_std=0.2"], failed=1)).splitlines()
    header, first, second = lines[:3]
    assert header.split() == ["job", "PSNR", "SSIM", "LPIPS", "LR-PSNR", "worst", "distance", "seconds"]
    assert first.split() == ["0", "seed=0", "20.00", "0.500", "-", "30.0", "20.0", "5.0", "2.0"]
    assert second.split() == ["1", "seed=1", "noise.lr_std=0.2", "failed"]
    assert len(first) == len(header) and str(tmp_path) in lines[-1]


def test_a_job_without_overrides_of_its_own_goes_by_its_method(tmp_path):
    assert str(sweep(tmp_path, [])).splitlines()[1].startswith("0 method=pulse ")


def test_the_csv_of_a_sweep_has_a_column_for_each_key_that_differs(tmp_path):
    sweep(tmp_path, ["seed=0"], ["seed=1", "references.path='a=b,c'"], failed=1).write()
    with (tmp_path / "sweep.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert list(first) == [
        "job", "folder", "seed", "references.path", "psnr", "ssim", "lpips", "lr_psnr", "lr_psnr_worst", "distance",
        "seconds", "error",
    ]  # fmt: skip
    assert list(first.values()) == ["0", "0-pulse", "0", "", "20.0", "0.5", "", "30.0", "20.0", "5.0", "2.0", ""]
    assert second["references.path"] == "'a=b,c'" and second["error"] == 'no,"such" file'
    assert second["psnr"] == second["seconds"] == ""


def test_a_run_without_references_is_a_row_of_nothing(tmp_path):
    job = Job(tmp_path / "0", {"method": "pulse"}, [], tmp_path)
    table = str(SweepReport(tmp_path, [EndedJob(job, ["shard.index=1"], metrics_json(tmp_path, []))]))
    assert table.splitlines()[1].split() == ["0", "shard.index=1", *["-"] * 7]
