"""The table of the photographs: its numbers against independent ones, from records made by hand."""

import numpy as np
import pytest
from scripts import scripts

from multimodal_pulse.base.errors import UserError

(measure,) = scripts("photographs", "measure")


def entry(psnr: list[float], lpips: list[float], lr_psnr: list[float | None]) -> dict:
    records = [
        {"psnr": p, "lpips": d, "lr_psnr": c, "lr_psnr_found": 20.0, "ssim": 0.5, "realistic": None}
        for p, d, c in zip(psnr, lpips, lr_psnr, strict=True)
    ]
    return {"records": records, "mean_image_psnr": None, "diversity": {"rms": psnr[0] / 2}}


RUNS = {
    "bicubic": [entry([20.0], [0.4], [31.0]), entry([22.0], [0.5], [30.0])],
    "explore": [entry([21.0, 23.0], [0.1, 0.2], [78.0, 77.0]), entry([22.0, 20.0], [0.2, 0.1], [79.0, 80.0])],
}


def test_the_table_has_the_worst_file_and_means_over_references_of_means_over_samples() -> None:
    header, _, bicubic, explore = measure.table(RUNS).splitlines()
    cells = dict(zip(header.split(" | "), explore.split(" | "), strict=True))
    assert cells["worst saved file, dB"] == "77.0" and bicubic.split(" | ")[1] == "30.0"
    assert cells["PSNR, dB"].startswith("21.50 ± ") and cells["LPIPS"].startswith("0.150 ± ")
    assert cells["realism"] == cells["mean of 4, dB"] == "-"
    assert cells["distance |"].startswith("10.8 ± ")


def test_a_failed_sample_is_the_worst_file() -> None:
    failed = measure.table({"explore": [entry([21.0, 23.0], [0.1, 0.2], [78.0, None])]})
    assert "| `explore` | -inf |" in failed


def test_methods_are_compared_with_bicubic_reference_by_reference() -> None:
    (said,) = measure.against_bicubic(RUNS).splitlines()
    differences, ratios = np.array([22.0 - 20.0, 21.0 - 22.0]), np.array([0.15 / 0.4, 0.15 / 0.5])
    assert f"PSNR {differences.mean():.1f}" in said and f"LPIPS {ratios.mean():.2f}" in said


def test_unknown_rows_and_sets_are_refused(tmp_path) -> None:
    for name, rows in (("kept_out", ["nothing"]), ("nothing", ["explore"])):
        with pytest.raises(UserError, match="nothing is unknown"):
            measure.measured(name, rows, tmp_path, [])
