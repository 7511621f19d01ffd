"""The scores of a whole run: the content of metrics.json, from the record.json of each reference."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from multimodal_pulse.base.faithfulness import NTIRE_LR_PSNR_DB, OK_LR_PSNR_DB
from multimodal_pulse.metrics.functional import PSNR_CAP_DB, best, over_references, share_below

Entry = Mapping[str, Any]
"""The content of a record.json; the missing keys of an earlier version count as None."""


def summary(entries: Sequence[Entry]) -> dict[str, Any]:
    """Returns the content of metrics.json.

    Each score is averaged over the K samples of a reference; `mean` and `std` (of the population: divides by n) are
    those over references. Samples and references without the score (a failed sample, no original, too few samples) are
    left out. A score that nothing has is NaN here, and null in the file.

        num_references      finished references
        num_samples         K
        num_records         samples of all references
        num_scored          references with a PSNR: they have an original, and a sample that did not fail
        psnr, ssim, lpips   {mean, std} to the original; PSNR in dB, at most `psnr_cap.db`
        lr_psnr             {mean, std, min} in dB to the LR reference, of the saved 8-bit file; min: of all samples
        lr_psnr_float       the same of the samples before they were rounded to 8 bits
        lr_psnr_found       the same of what the search found, before the consistency step
        lr_psnr_ntire       the same as the NTIRE challenges measure it (`functional.lr_psnr_ntire`), and
                            mean_of_min, their "worst": of each reference its worst sample, averaged
        psnr_best           {mean, std} in dB: of each reference its sample with the highest PSNR
        psnr_mean_image     {mean, std} in dB: the PSNR of the mean of its samples
        gain                {mean, std} in dB: by how much that exceeds the mean PSNR of the samples; for an ideal
                            posterior 10 log10(2 K / (K + 1)), which is 2.04 for K = 4 (`functional.mean_image_gain`)
        calibration         {mean, std}: RMS distance between samples divided by the RMS error of a sample; 1 for an
                            ideal posterior, below 1 for samples that differ too little (`functional.calibration`)
        realism             {mean, std}: share of the samples, 0 to 1, that lie where real pictures of the domain lie
                            (`realism.Realism`)
        diversity           means over references, and <name>_std their standard deviations, of
            rms             RMS distance between two samples, grey levels; mean over pairs
            lpips           LPIPS between two samples; mean over pairs
            pixel_std       standard deviation of a pixel over the samples (K - 1), grey levels; mean over the picture
            lpips_score     NTIRE's diversity score, 0 to 100, of LPIPS maps; theirs where lpips_backbone.net is "alex"
            mse_score       its variant of box-filtered squared error, 0 to 100
        failures            shares of all samples, 0 to 1, those that failed included; NaN unless all were measured
            lr_psnr_below_27        below PULSE's tolerance, of `lr_psnr`
            lr_psnr_ntire_below_45  below NTIRE's goal, of `lr_psnr_ntire`
        seconds             spent on the search, sum
        status              {ok, loose, failed}: numbers of samples
        psnr_cap            {db, records}: the highest PSNR there is, and how many samples have it
        lpips_backbone      which LPIPS it was; of several, the least trusted
        realism_backbone    likewise what realism was measured with

    `results.records.derive` adds `unusable`.

    Args:
        entries: the entries of the finished references.
    """
    records = [record for entry in entries for record in entry["records"]]
    status = Counter(record["status"] for record in records)
    psnr = _samples_of(entries, "psnr")
    lr_psnr_ntire = _samples_of(entries, "lr_psnr_ntire")
    return {
        "num_references": len(entries),
        "num_samples": max((len(entry["records"]) for entry in entries), default=0),
        "num_records": len(records),
        "num_scored": sum(not scores.isnan().all() for scores in psnr),
        "psnr": _mean_std(psnr),
        "ssim": _mean_std(_samples_of(entries, "ssim")),
        "lpips": _mean_std(_samples_of(entries, "lpips")),
        "lr_psnr": over_references(_samples_of(entries, "lr_psnr")),
        "lr_psnr_float": over_references(_samples_of(entries, "lr_psnr_float")),
        "lr_psnr_found": over_references(_samples_of(entries, "lr_psnr_found")),
        "lr_psnr_ntire": {
            **over_references(lr_psnr_ntire),
            "mean_of_min": over_references(-best(-scores)[None] for scores in lr_psnr_ntire)["mean"],
        },
        "psnr_best": _mean_std([best(scores)[None] for scores in psnr]),
        "psnr_mean_image": _mean_std([_scores([entry.get("mean_image_psnr")]) for entry in entries]),
        "gain": _mean_std([_scores([entry.get("gain")]) for entry in entries]),
        "calibration": _mean_std([_scores([entry.get("calibration")]) for entry in entries]),
        "realism": _mean_std(_samples_of(entries, "realistic")),
        "diversity": _diversity(entries, ("rms", "lpips", "pixel_std", "lpips_score", "mse_score")),
        "failures": {
            f"lr_psnr_below_{OK_LR_PSNR_DB:.0f}": _share_below(records, "lr_psnr", OK_LR_PSNR_DB),
            f"lr_psnr_ntire_below_{NTIRE_LR_PSNR_DB:.0f}": _share_below(records, "lr_psnr_ntire", NTIRE_LR_PSNR_DB),
        },
        "seconds": sum(record["seconds"] for record in records),
        "status": {name: status[name] for name in ("ok", "loose", "failed")},
        "psnr_cap": {"db": PSNR_CAP_DB, "records": sum(record["psnr"] == PSNR_CAP_DB for record in records)},
        "lpips_backbone": _least_trusted([entry["lpips_backbone"] for entry in entries]),
        "realism_backbone": _least_trusted(
            [entry["realism_backbone"] for entry in entries if "realism_backbone" in entry]
        ),
    }


def _samples_of(entries: Sequence[Entry], name: str) -> list[Tensor]:
    """Returns a score of each reference's samples: [K] for each reference, NaN for a missing score."""
    return [_scores([record.get(name) for record in entry["records"]]) for entry in entries]


def _scores(numbers: Sequence[float | None]) -> Tensor:
    return torch.tensor([math.nan if number is None else number for number in numbers], dtype=torch.float64)


def _mean_std(scores: Sequence[Tensor]) -> dict[str, float]:
    found = over_references(scores)
    return {"mean": found["mean"], "std": found["std"]}


def _diversity(entries: Sequence[Entry], names: Sequence[str]) -> dict[str, float]:
    """Returns the mean of each measure under its name, then the standard deviations under <name>_std."""
    found = {name: over_references(_scores([entry["diversity"].get(name)]) for entry in entries) for name in names}
    return {name: found[name]["mean"] for name in names} | {f"{name}_std": found[name]["std"] for name in names}


def _share_below(records: Sequence[Mapping[str, Any]], name: str, bound: float) -> float:
    """Returns `share_below` of a score of all samples; NaN if an earlier version did not measure it."""
    if any(record.get(name) is None and record["status"] != "failed" for record in records):
        return math.nan
    return share_below(_scores([record.get(name) for record in records]), bound)


def _least_trusted(states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Returns the least trusted backbone of a run, which may have several if it was resumed."""
    order = ("verified", "unverified", "absent")
    return max(states, key=lambda state: order.index(state["weights"]), default=None)
