"""The tables at the end of a run and of a sweep."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.interface.sweep_table import EndedJob, SweepReport
from multimodal_pulse.results.json_files import write_json
from multimodal_pulse.results.records import metrics_of, summary
from multimodal_pulse.results.report import Forecast, Report, duration, say_resumed, say_unusable
from multimodal_pulse.search.timing import Timing


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
    assert any("a sample counts as faithful from 27 dB of LR-PSNR upwards, whatever" in line for line in lines)
    assert not any(line.startswith(("realistic:", "note:", "Table I")) for line in lines)


MEASURED = {"domain": "photographs/faces", "weights": "verified"}


def report_of(*entries: dict[str, Any]) -> list[str]:
    return str(Report(Path("run"), "combined", entries, summary(entries))).splitlines()


def test_realistic_samples_are_counted_beside_the_faithful_ones():
    measured = [entry(number, 40.0) | {"realism_backbone": MEASURED} for number in range(2)]
    for one, looks in zip(measured, ((True, False), (None, True)), strict=True):
        for record, realistic in zip(one["records"], looks, strict=True):
            record["realistic"] = realistic
    lines = report_of(*measured)
    faithful = lines.index("faithful: 2 of 4 samples (LR-PSNR of at least 27 dB)")
    assert lines[faithful + 1] == "realistic: 2 of 4 samples (they look like photographs of faces)"
    column = lines[0].split().index("realism") - len(lines[0].split())
    assert [line.split()[column] for line in lines[1:4]] == ["0.50", "1.00", "0.75"]


def test_remarks_are_said_once_with_the_references_that_they_are_about():
    everywhere, somewhere = "The noise.", "No picture."
    several = [entry(number, 40.0) | {"remarks": [everywhere]} for number in range(5)]
    for one in several[:4]:
        one["remarks"] = [everywhere, somewhere]
    notes = [line for line in report_of(*several) if line.startswith("note:")]
    assert notes == ["note: The noise.", "note: face_0, face_1, face_2 and 1 more: No picture."]
    different = [entry(number, 40.0) | {"remarks": [f"At most {number} dB."]} for number in range(5)]
    notes = [line for line in report_of(*different) if line.startswith("note:")]
    assert notes[2:] == ["note: face_2: At most 2 dB.", "note: 2 more in the record.json of each reference"]


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


def test_a_run_without_some_of_its_references_has_failed_and_says_which(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def failure(unusable: dict[str, str]) -> str:
        return Report(tmp_path / "run", "combined", [], summary([]) | {"unusable": unusable}).failure

    assert failure({}) == ""
    assert failure({"a": "why"}).startswith("1 reference could not be used (a): run/metrics.json says why. Once they")
    assert failure(dict.fromkeys("abcd", "why")).startswith("4 references could not be used (a, b, c and 1 more): ")


def test_references_that_are_left_out_are_named_first(capsys):
    say_unusable({})
    say_unusable({"a": "a.jpg is cut short."})
    say_unusable({name: f"{name}.jpg is missing." for name in "abcde"})
    assert capsys.readouterr() == (
        "",
        "note: 1 reference cannot be used and is left out:\n  a.jpg is cut short.\n"
        "note: 5 references cannot be used and are left out:\n  a.jpg is missing.\n  b.jpg is missing.\n"
        "  c.jpg is missing.\n  and 2 more\n",
    )


@pytest.mark.parametrize(("finished", "unusable", "said"), [
    (0, 0, None),
    (2, 0, "2 of 5 references were finished already"),
    (5, 0, "everything was finished already; nothing to do"),
    (4, 1, "everything else was finished already; nothing to do"),
    (0, 5, None),
])  # fmt: skip
def test_a_resumed_run_says_how_far_it_was(finished, unusable, said, capsys):
    say_resumed(finished, 5, unusable)
    assert capsys.readouterr().err == (f"note: {said}\n" if said else "")


FORECAST = Forecast(
    run_dir=Path("out/run"),
    title="combined",
    entries=(),
    metrics=metrics_of([], {}),
    num_samples=4,
    steps=200,
    groups=[[0, 1, 2], [3, 4, 5], [6]],
    shard="",
    timing=Timing(once=50.0, step=0.5, reference=10.0),
    memory=1_234_000_000,
    device="cpu",
    price_per_hour=None,
)


def test_a_forecast_tells_time_memory_and_cost():
    assert FORECAST.seconds == 50 + 7 * 110
    lines = str(FORECAST).splitlines()
    assert lines == [
        "dry run: combined, 7 references in 3 groups of 3, 4 samples of each, 200 steps",
        "time:    14 min: 50 s once and 110.00 s for each reference, without tracking",
        "memory:  1.23 GB at the most",
        "cost:    0.23 hours of cpu",
        "plan:    out/run/plan.json; the same command without dry_run=true and with hydra.run.dir=out/run goes by it",
    ]
    of_a_shard = str(dataclasses.replace(FORECAST, shard="shard 1 of 8", price_per_hour=3.0)).splitlines()
    assert "7 references (shard 1 of 8) in 3 groups of 3" in of_a_shard[0]
    assert of_a_shard[3] == "cost:    0.23 hours of cpu, 0.68 at 3 an hour"
    assert "0 references in 0 groups of 0" in str(dataclasses.replace(FORECAST, groups=[]))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3569, "59 min"), (3590, "1 h 00 min"), (90_061, "25 h 01 min")],
)
def test_a_duration_has_the_units_that_matter(seconds, words):
    assert duration(seconds) == words


def test_a_sweep_is_a_table_with_a_row_for_each_job(tmp_path):
    lines = str(sweep(tmp_path, ["seed=0"], ["seed=1", "noise.lr_std=0.2"], failed=1)).splitlines()
    header, first, second = lines[:3]
    assert header.split() == ["job", "PSNR", "SSIM", "LPIPS", "realism", "LR-PSNR", "worst", "distance", "seconds"]
    assert first.split() == ["0", "seed=0", "20.00", "0.500", "-", "-", "30.0", "20.0", "5.0", "2.0"]
    assert second.split() == ["1", "seed=1", "noise.lr_std=0.2", "failed"]
    assert len(first) == len(header) and str(tmp_path) in lines[-1]


def test_a_job_without_overrides_of_its_own_goes_by_its_method(tmp_path):
    assert str(sweep(tmp_path, [])).splitlines()[1].startswith("0 method=pulse ")


def test_the_csv_of_a_sweep_has_a_column_for_each_key_that_differs(tmp_path):
    sweep(tmp_path, ["seed=0"], ["seed=1", "references.path='a=b,c'"], failed=1).write()
    with (tmp_path / "sweep.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert list(first) == [
        "job", "folder", "seed", "references.path", "psnr", "ssim", "lpips", "realism", "lr_psnr", "lr_psnr_worst",
        "distance", "seconds", "error",
    ]  # fmt: skip
    assert list(first.values()) == ["0", "0-pulse", "0", "", "20.0", "0.5", "", "", "30.0", "20.0", "5.0", "2.0", ""]
    assert second["references.path"] == "'a=b,c'" and second["error"] == 'no,"such" file'
    assert second["psnr"] == second["seconds"] == ""


def test_what_a_killed_writer_of_the_csv_left_is_removed(tmp_path):
    (tmp_path / ".partial-1-sweep.csv").write_text("job,fold")
    sweep(tmp_path, ["seed=0"]).write()
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.csv", "metrics.json"}


def test_a_run_without_references_is_a_row_of_nothing(tmp_path):
    job = Job(tmp_path / "0", {"method": "pulse"}, [], tmp_path)
    table = str(SweepReport(tmp_path, [EndedJob(job, ["shard.index=1"], metrics_json(tmp_path, []))]))
    assert table.splitlines()[1].split() == ["0", "shard.index=1", *["-"] * 8]


def test_the_spread_inside_and_outside_of_a_mask_has_a_line_of_its_own():
    varied = [entry(0, 40.0) | {"vary": {"inside": 12.34, "outside": outside}} for outside in (0.02, None)]
    for found, outside in zip(varied, ("0.0", "-"), strict=True):
        lines = str(Report(Path("run"), "vary", [found], summary([found]))).splitlines()
        assert f"spread: 12.3 inside of the mask, {outside} outside" in next(
            line for line in lines if line.startswith("spread: ")
        )
    assert not any(line.startswith("spread") for line in table(1))
