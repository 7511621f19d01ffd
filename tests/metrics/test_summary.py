"""The content of metrics.json against plain Python over the same records."""

import math
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal_pulse.metrics.summary import summary

SCORE = st.floats(0, 90)
MAYBE = st.one_of(st.none(), SCORE)
REALISTIC = st.sampled_from([None, False, True])


LR_SCORES = ("lr_psnr", "lr_psnr_float", "lr_psnr_found", "lr_psnr_ntire")


def sample(status: str = "ok", **scores: float | None) -> dict[str, Any]:
    absent = dict.fromkeys(("psnr", "ssim", "lpips", *LR_SCORES, "realistic"))
    return {**absent, "seconds": 1.0, "status": status, **scores}


def entry(*samples: dict[str, Any], weights: str = "verified", **more: Any) -> dict[str, Any]:
    return {
        "records": list(samples),
        "diversity": {"rms": None, "lpips": None},
        "lpips_backbone": {"net": "alex", "weights": weights},
        **more,
    }


OF_THE_SET = ("mean_image_psnr", "gain", "calibration")


@st.composite
def samples(draw: st.DrawFn) -> dict[str, Any]:
    failed = draw(st.integers(0, 4)) == 0
    faithful = {name: None if failed else draw(SCORE) for name in LR_SCORES}
    others = {name: None if failed else draw(some) for name, some in (("psnr", MAYBE), ("realistic", REALISTIC))}
    return sample("failed" if failed else "ok", **others, **faithful)


@st.composite
def entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    k = draw(st.integers(1, 3))
    spread = st.fixed_dictionaries(dict.fromkeys(("rms", "lpips", "pixel_std", "lpips_score", "mse_score"), MAYBE))
    one = st.lists(samples(), min_size=k, max_size=k).map(lambda some: entry(*some))
    several = draw(st.lists(one, max_size=4))
    return [one | {"diversity": draw(spread), **{name: draw(MAYBE) for name in OF_THE_SET}} for one in several]


def same(found: float, expected: float | None) -> bool:
    return math.isnan(found) if expected is None else found == pytest.approx(expected, abs=1e-9)


def mean_std(numbers: list[float | None]) -> tuple[float | None, float | None]:
    known = [number for number in numbers if number is not None]
    return (fmean(known), pstdev(known)) if known else (None, None)


@settings(deadline=None, max_examples=40)
@given(entries())
def test_the_summary_is_what_plain_python_makes_of_the_records(several: list[dict[str, Any]]):
    content = summary(several)

    def of_references(name: str, reduce) -> list[float | None]:
        known = [[record[name] for record in one["records"] if record[name] is not None] for one in several]
        return [reduce(scores) if scores else None for scores in known]

    for name in ("psnr", *LR_SCORES, "realism"):
        mean, std = mean_std(of_references("realistic" if name == "realism" else name, fmean))
        assert same(content[name]["mean"], mean) and same(content[name]["std"], std)
    for name in LR_SCORES:
        assert same(content[name]["min"], min((x for x in of_references(name, min) if x is not None), default=None))
    assert same(content["lr_psnr_ntire"]["mean_of_min"], mean_std(of_references("lr_psnr_ntire", min))[0])
    assert same(content["psnr_best"]["mean"], mean_std(of_references("psnr", max))[0])
    assert same(content["psnr_best"]["std"], mean_std(of_references("psnr", max))[1])
    assert same(content["psnr_mean_image"]["mean"], mean_std([one["mean_image_psnr"] for one in several])[0])
    for name in ("gain", "calibration"):
        mean, std = mean_std([one[name] for one in several])
        assert same(content[name]["mean"], mean) and same(content[name]["std"], std)
    for name in ("rms", "lpips", "pixel_std", "lpips_score", "mse_score"):
        mean, std = mean_std([one["diversity"][name] for one in several])
        assert same(content["diversity"][name], mean) and same(content["diversity"][f"{name}_std"], std)
    records = [record for one in several for record in one["records"]]
    for key, name, bound in (("lr_psnr_below_27", "lr_psnr", 27), ("lr_psnr_ntire_below_45", "lr_psnr_ntire", 45)):
        below = [record["status"] == "failed" or record[name] < bound for record in records]
        assert same(content["failures"][key], fmean(below) if below else None)
    assert content["num_scored"] == sum(score is not None for score in of_references("psnr", max))
    assert content["num_records"] == len(records)


def test_a_share_is_unknown_where_one_sample_was_not_measured():
    measured, older = sample(lr_psnr=30.0, lr_psnr_ntire=44.0), sample(lr_psnr=20.0)
    failures = summary([entry(measured), entry(older)])["failures"]
    assert failures["lr_psnr_below_27"] == 0.5 and math.isnan(failures["lr_psnr_ntire_below_45"])
    assert summary([entry(measured), entry(sample("failed"))])["failures"]["lr_psnr_ntire_below_45"] == 1.0


def test_the_cap_and_the_least_trusted_backbone_are_told():
    verified, unverified = entry(sample(psnr=100.0)), entry(sample(psnr=31.0), weights="unverified")
    content = summary([verified, unverified, verified])
    assert content["lpips_backbone"]["weights"] == "unverified"
    assert content["psnr_cap"] == {"db": 100.0, "records": 2}
    assert summary([])["lpips_backbone"] is None


def test_realism_was_measured_with_the_least_trusted_backbone_that_is_known():
    older, newer = entry(sample()), entry(sample(), realism_backbone={"weights": "verified"})
    assert summary([older])["realism_backbone"] is None
    assert summary([older, newer])["realism_backbone"] == {"weights": "verified"}
