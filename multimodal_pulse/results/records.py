"""What a run leaves on the disk: the plan, one folder per finished reference, and the tables derived from the folders.

The folders are the truth. Each appears whole, by a rename, with a record.json in it; records.jsonl and metrics.json
can be derived again from them at any time, so that a run that was killed loses its unfinished references only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from multimodal_pulse.base.files import PARTIAL, atomic_folder, remove_partial, write_atomic
from multimodal_pulse.metrics.evaluation import SampleRecord, Scores
from multimodal_pulse.metrics.summary import summary
from multimodal_pulse.references.pixels import save_png
from multimodal_pulse.results.json_files import _plain, write_json
from multimodal_pulse.search.outcome import Outcome


class Records:
    """The finished references of one run directory, which no other process writes to.

    Args:
        run_dir: the run directory; made if missing. What a killed run left unfinished in it is removed.
        settings: what draws a reference's pictures again (its generator, degradation and consistency, and for the
            title its method and seed), copied into each record.json for `pictures.render_folder`.
        lpips_state: the `state` of the LPIPS that the scores were made with.
        weights_sha256: hash of the generator's weights, which `render_folder` then asks for; None: any may draw again.
    """

    def __init__(
        self,
        run_dir: str | Path,
        settings: Mapping[str, Any],
        lpips_state: Mapping[str, Any],
        weights_sha256: str | None = None,
    ) -> None:
        self.run_dir = Path(run_dir)
        self.folder = self.run_dir / "references"
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_partial(self.folder)
        remove_partial(self.run_dir)
        self.settings = dict(settings)
        self._lpips_state = dict(lpips_state)
        self._weights_sha256 = weights_sha256

    def write(self, outcome: Outcome, scores: Scores, downsampled: Tensor, pictures: Mapping[str, Image.Image]) -> Path:
        """Writes the folder of one reference, whole or not at all; one that is there already stays as it is.

        Args:
            outcome: what the search found.
            scores: from `metrics.evaluate`.
            downsampled: [K, 3, h, w], the samples, rounded to 8 bits, degraded.
            pictures: further pictures by file name, such as grid.png.
        Returns: the folder.
        Raises:
            ValueError: the reference's name cannot be a folder's.
        """
        reference = outcome.reference
        if Path(reference.name).name != reference.name or not reference.name or reference.name.startswith("."):
            raise ValueError(f"{reference.name!r} cannot be the name of a folder.")
        folder = self.folder / reference.name
        if folder.exists():
            return folder
        with atomic_folder(folder) as partial:
            for name, image in _tensors_to_save(outcome, downsampled).items():
                save_png(image, partial / name)
            for name, picture in pictures.items():
                picture.save(partial / name)
            if outcome.latents:
                latents = {name: tensor.detach().cpu().contiguous() for name, tensor in outcome.latents.items()}
                (partial / "latents.safetensors").write_bytes(save(latents))
            record = {
                "reference": reference.name,
                "records": [asdict(sample) for sample in scores.records],
                "diversity": asdict(scores.diversity),
                "mean_image_psnr": scores.mean_image_psnr,
                "seconds": outcome.seconds,
                "group": outcome.group,
                "halved": outcome.halved,
                "lpips_backbone": self._lpips_state,
                "settings": self.settings,
                "weights_sha256": self._weights_sha256,
            }
            write_json(partial / "record.json", record)
        return folder

    def derive(self, names: Sequence[str], unusable: Mapping[str, str] | None = None) -> dict[str, Any]:
        """`derive` of this run directory."""
        return derive(self.run_dir, names, unusable)


def derive(run_dir: str | Path, names: Sequence[str], unusable: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Writes records.jsonl and metrics.json from the folders that are there, in the order of `names`.

    Args:
        run_dir: the run directory.
        names: of all references.
        unusable: why a reference could not be searched, by name.

    Returns: the content of metrics.json.
    """
    entries = read_records(run_dir, names)
    lines = [json.dumps(_plain(record), allow_nan=False) for entry in entries for record in entry["records"]]
    write_atomic(Path(run_dir) / "records.jsonl", "".join(line + "\n" for line in lines))
    metrics = metrics_of(entries, unusable or {})
    write_json(Path(run_dir) / "metrics.json", metrics)
    return metrics


def metrics_of(entries: Sequence[Mapping[str, Any]], unusable: Mapping[str, str]) -> dict[str, Any]:
    """The content of metrics.json: `summary` of the finished references, and why others could not be searched."""
    return _plain({**summary(entries), "unusable": unusable})


def _tensors_to_save(outcome: Outcome, downsampled: Tensor) -> dict[str, Tensor]:
    """File names and pictures [3, H, W] (a mask: [1, h, w] as gray RGB); failed samples are black where not finite."""
    reference = outcome.reference
    images = {"lr.png": reference.lr}
    if reference.hr is not None:
        images["hr.png"] = reference.hr
    if outcome.mask is not None:
        images["mask.png"] = outcome.mask.expand(3, -1, -1)
    for sample, (high, low, target) in enumerate(zip(outcome.samples, downsampled, outcome.targets, strict=True)):
        images[f"sr_{sample:02d}.png"] = high.nan_to_num(0.0, 0.0, 0.0)
        images[f"sr_{sample:02d}_lr.png"] = low.nan_to_num(0.0, 0.0, 0.0)
        if not torch.equal(target.cpu(), reference.lr.cpu()):
            images[f"lr_noisy_{sample:02d}.png"] = target
    return images


def finished(run_dir: str | Path) -> set[str]:
    """Names of the references whose folder is in the run directory."""
    records = (Path(run_dir) / "references").glob("*/record.json")
    return {record.parent.name for record in records if not record.parent.name.startswith(PARTIAL)}


def read_records(run_dir: str | Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The record.json of every finished reference among `names`, in their order.

    A score of a sample that an earlier version did not measure is None.
    """
    done = finished(run_dir)
    folder = Path(run_dir) / "references"
    entries = [
        json.loads((folder / name / "record.json").read_text(encoding="utf-8")) for name in names if name in done
    ]
    for entry in entries:
        entry["records"] = [dict.fromkeys(SampleRecord.__annotations__) | record for record in entry["records"]]
    return entries
