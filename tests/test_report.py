from pathlib import Path
from typing import Any

import pytest

from multimodal_pulse.records import summary
from multimodal_pulse.report import Report


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


def test_faithful_samples_are_counted():
    lines = table(3)
    assert "faithful: 3 of 6 samples (LR-PSNR of at least 27 dB)" in lines
    assert any("a sample counts as faithful from 27 dB of LR-PSNR upwards" in line for line in lines)
