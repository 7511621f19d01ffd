"""The results of a run on the disk: a folder for each finished reference, and the tables derived from the folders.

A record is the result of one sample. The record.json of a reference, called its entry here, has the records of its
samples and what they share; records.jsonl has the records of the whole run, one per line.

The folders are the primary data. Each appears whole, by a rename; records.jsonl and metrics.json can be derived from
them again at any time, so a run that was killed loses its unfinished references only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import PARTIAL, atomic_folder, remove_partial, short, write_atomic
from multimodal_pulse.metrics.evaluation import SampleRecord, Scores
from multimodal_pulse.metrics.realism import NullRealism
from multimodal_pulse.metrics.summary import summary
from multimodal_pulse.references.held import Held
from multimodal_pulse.references.pixels import png_info, to_pil
from multimodal_pulse.results.json_files import plain, read_json, to_json, write_json
from multimodal_pulse.search.outcome import Outcome

PARENT_FILE, MAY_CHANGE_FILE = "parent.png", "may_change.png"
"""The picture that the samples of a reference were varied from, and the mask inside of which they were."""


class ReferenceFolders:
    """Writes the folders of finished references into one run directory, to which no other process writes.

    Args:
        run_dir: the run directory; made if missing. Unfinished files of a killed run in it are removed.
        settings: what draws the pictures again (generator, degradation, consistency) and names them (method, seed);
            copied into each record.json for `redraw.render_folder`.
        lpips_state, realism_state: the `state` of the LPIPS and of the realism that make the scores.
        weights_sha256: the sha256 of the generator's weights, without which `render_folder` refuses to draw; None: any
            weights may draw.
        files: by reference, the fingerprint of its file, for those that have one.
        varied: the fingerprints of the sample and of the mask of `method=vary`, by what they are.
    """

    def __init__(
        self,
        run_dir: str | Path,
        settings: Mapping[str, Any],
        lpips_state: Mapping[str, Any],
        weights_sha256: str | None = None,
        realism_state: Mapping[str, Any] | None = None,
        files: Mapping[str, Mapping[str, str | None]] = MappingProxyType({}),
        varied: Mapping[str, Mapping[str, str | None]] = MappingProxyType({}),
    ) -> None:
        self.run_dir = Path(run_dir)
        self.folder = self.run_dir / "references"
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_partial(self.folder)
        remove_partial(self.run_dir)
        self.settings = dict(settings)
        self._lpips_state = dict(lpips_state)
        self._weights_sha256 = weights_sha256
        self._realism_state = dict(realism_state or NullRealism().state)
        self._files, self._varied = files, varied

    def write(
        self,
        outcome: Outcome,
        scores: Scores,
        downsampled: Tensor,
        pages: Mapping[str, Image.Image],
        remarks: Sequence[str] = (),
    ) -> Path:
        """Writes the folder of one reference, whole or not at all; an existing one is left as it is.

        Nothing is flushed to the disk before the folder is complete, and then every file once.

        Args:
            outcome: the result of the search.
            scores: from `metrics.evaluate`.
            downsampled: [K, 3, h, w], the samples downsampled.
            pages: the pictures for people by file name, such as grid.png.
            remarks: from `results.remarks`.

        Returns: the folder.

        Raises:
            ValueError: the reference's name cannot be the name of a folder.
        """
        name = outcome.reference.name
        if Path(name).name != name or not name or name.startswith("."):
            raise ValueError(f"{name!r} cannot be the name of a folder.")
        folder = self.folder / name
        if folder.exists():
            return folder
        pictures = {file: to_pil(image) for file, image in _images(outcome, downsampled).items()}
        texts = {
            file: texts
            for record in scores.records
            for file, texts in sample_texts(name, record.sample, record.lr_psnr, self.settings).items()
        }
        with atomic_folder(folder) as partial:
            for file, picture in {**pictures, **pages}.items():
                picture.save(partial / file, pnginfo=png_info(texts.get(file, {})))
            if outcome.latents:
                latents = {key: tensor.detach().cpu().contiguous() for key, tensor in outcome.latents.items()}
                (partial / "latents.safetensors").write_bytes(save(latents))
            (partial / "record.json").write_text(to_json(self._entry(outcome, scores, remarks)), encoding="utf-8")
        return folder

    def _entry(self, outcome: Outcome, scores: Scores, remarks: Sequence[str]) -> dict[str, Any]:
        """Returns the content of record.json."""
        prepared, aligned = outcome.reference.prepared, outcome.reference.aligned
        return {
            "reference": outcome.reference.name,
            "file": self._files.get(outcome.reference.name),
            "prepared": prepared and prepared.as_dict(),
            "aligned": aligned and aligned.as_dict(),
            "noise": outcome.reference.noise.as_dict(),
            "vary": scores.varied and {**self._varied, **asdict(scores.varied)},
            "records": [asdict(record) for record in scores.records],
            "diversity": asdict(scores.diversity),
            "mean_image_psnr": scores.mean_image_psnr,
            "gain": scores.gain,
            "calibration": scores.calibration,
            "lr_psnr_bound": scores.lr_psnr_bound,
            "remarks": list(remarks),
            "seconds": outcome.seconds,
            "group": outcome.group,
            "halved": outcome.halved,
            "stopped": outcome.stopped,
            "selected": outcome.selected,
            "lpips_backbone": self._lpips_state,
            "realism_backbone": self._realism_state,
            "settings": self.settings,
            "weights_sha256": self._weights_sha256,
        }


def sample_texts(
    reference: str, sample: int, lr_psnr_db: float | None, settings: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Returns what the files of one sample say about themselves, by file name, as keywords and texts of a PNG.

    Args:
        reference: the name of the reference.
        sample: the number of the sample.
        lr_psnr_db: its LR-PSNR in dB; None for a failed one.
        settings: the settings in record.json, without some keys in one of an earlier version.
    """
    texts = {
        "reference": reference,
        "sample": str(sample),
        "LR-PSNR": "failed" if lr_psnr_db is None else f"{lr_psnr_db:.2f} dB",
    }
    texts |= {key: str(settings[key]) for key in ("method", "seed") if key in settings}
    return dict.fromkeys((f"sr_{sample:02d}.png", f"sr_{sample:02d}_lr.png"), texts)


def _images(outcome: Outcome, downsampled: Tensor) -> dict[str, Tensor]:
    """Returns the pictures to save by file name, [3, H, W] each; a mask becomes gray RGB."""
    reference = outcome.reference
    images = {"lr.png": reference.lr}
    if reference.hr is not None:
        images["hr.png"] = reference.hr
    if isinstance(reference.held, Held):
        images |= {PARENT_FILE: reference.held.parent, MAY_CHANGE_FILE: reference.held.mask}
    if outcome.mask is not None:
        images["mask.png"] = outcome.mask.expand(3, -1, -1)
    for k, (high, low, target) in enumerate(zip(outcome.samples, downsampled, outcome.targets, strict=True)):
        images[f"sr_{k:02d}.png"] = high
        images[f"sr_{k:02d}_lr.png"] = low
        if not torch.equal(target.cpu(), reference.lr.cpu()):
            images[f"lr_noisy_{k:02d}.png"] = target
    return images


def derive(run_dir: str | Path, names: Sequence[str], unusable: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Writes records.jsonl and metrics.json from the folders in a run directory.

    Args:
        run_dir: the run directory.
        names: all references, in the order of the tables.
        unusable: by name, why a reference could not be searched.

    Returns: the content of metrics.json.
    """
    entries = read_entries(run_dir, names)
    lines = [json.dumps(plain(record), allow_nan=False) for entry in entries for record in entry["records"]]
    write_atomic(Path(run_dir) / "records.jsonl", "".join(line + "\n" for line in lines))
    metrics = metrics_of(entries, unusable or {})
    write_json(Path(run_dir) / "metrics.json", metrics)
    return metrics


def metrics_of(entries: Sequence[Mapping[str, Any]], unusable: Mapping[str, str]) -> dict[str, Any]:
    """Returns the content of metrics.json: the `summary` of the entries, and why other references are missing."""
    return plain({**summary(entries), "unusable": unusable})


def finished(run_dir: str | Path) -> set[str]:
    """Returns the names of the references that are finished in the run directory."""
    files = (Path(run_dir) / "references").glob("*/record.json")
    return {file.parent.name for file in files if not file.parent.name.startswith(PARTIAL)}


def read_entries(run_dir: str | Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Reads the record.json of every finished reference among `names`, in their order.

    A score that an earlier version did not measure is None in the records.

    Raises:
        UserError: a record.json is damaged; it is named.
    """
    done = finished(run_dir)
    paths = [Path(run_dir) / "references" / name / "record.json" for name in names if name in done]
    return [_read_entry(path) for path in paths]


def check_entries(run_dir: str | Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Reads as `read_entries` does, and checks that the tables can be made of each entry, before a search.

    Raises:
        UserError: a record.json is damaged; it is named.
    """
    entries = read_entries(run_dir, names)
    for entry in entries:
        try:
            summary([entry])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            raise _damaged(Path(run_dir) / "references" / entry["reference"] / "record.json") from error
    return entries


def _read_entry(path: Path) -> dict[str, Any]:
    try:
        entry = read_json(path) or {}
        entry["records"] = [dict.fromkeys(SampleRecord.__annotations__) | record for record in entry["records"]]
        intact = entry.get("reference", path.parent.name) == path.parent.name and bool(entry["records"])
    except (UserError, KeyError, TypeError) as error:
        raise _damaged(path) from error
    if not intact:
        raise _damaged(path)
    return entry


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{short(path)} is damaged, or not this program's: remove its folder, and the same command searches this"
        " reference again."
    )
