"""The Python interface: `multimodal_pulse.upsample`, and any run by its overrides, the same as on the command line."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from hydra.errors import HydraException
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.interface.hydra_errors import explain
from multimodal_pulse.references.in_memory import Picture, as_rgb
from multimodal_pulse.references.pixels import load_rgb, to_uint8
from multimodal_pulse.results.report import Report
from multimodal_pulse.run.run import run


@dataclass(frozen=True)
class Result:
    """What was found for one picture; everything else is in `folder`.

    Attributes:
        images: float32 RGB [K, 3, R, R] in [0, 1], the samples as they are saved, every value n / 255.
        lr: float32 RGB [3, h, w], the reference that they must match.
        lr_psnr: how well each does, in dB; None for a sample that is no picture.
        diversity: RMS distance between two samples in grey levels; None for a single sample.
        records: the lines of records.jsonl, one for each sample.
        folder: of the reference, absolute, with grid.png and all other files.
    """

    images: Tensor
    lr: Tensor
    lr_psnr: list[float | None]
    diversity: float | None
    records: Sequence[Mapping[str, Any]]
    folder: Path

    def __repr__(self) -> str:
        """One line: shapes in place of pictures."""
        images, lr = tuple(self.images.shape), tuple(self.lr.shape)
        return f"Result(images={images}, lr={lr}, folder={str(self.folder)!r})"


def upsample(
    image: Picture,
    method: str = "combined",
    num_samples: int = 4,
    seed: int = 0,
    run_dir: str | Path | None = None,
    **overrides: Any,
) -> Result:
    """Searches several high-resolution pictures for one.

    Args:
        image: a path, a Pillow picture, an array [H, W, C] or a tensor [C, H, W]: uint8, or float in [0, 1]. With at
            least the generator's resolution it is an original, which is degraded first; with the LR size a reference.
        method: as on the command line.
        num_samples: K.
        seed: of all random draws.
        run_dir: the run directory; None: a new one under outputs/. An existing one of the same picture and
            settings is finished, not begun again.
        overrides: any other of the command line, such as `steps=50`, `lr_noise="none"` or `**{"noise.lr_std": 0.05}`.

    Raises:
        UserError: the picture or an override cannot be used.
    """
    if overrides.get("dry_run"):
        raise UserError("upsample makes pictures; run_overrides([..., 'dry_run=true'], run_dir) makes a trial.")
    if run_dir is None:
        run_dir = datetime.now().strftime(f"outputs/%Y-%m-%d/%H-%M-%S-{method}-%f")
    settings = {"method": method, "num_samples": num_samples, "seed": seed, "tracking": "none"} | overrides
    # In place of a path, so that a run directory that holds another picture's run is refused.
    fixed = ["references=image", f"references.path=given-{_fingerprint(image)}"]
    arguments = fixed + [f"{key}={_as_override(value)}" for key, value in settings.items()]
    finished = run_overrides(arguments, run_dir, picture=image)
    (entry,) = finished.entries
    folder = (finished.run_dir / "references" / entry["reference"]).absolute()
    records = entry["records"]
    return Result(
        images=torch.stack([load_rgb(folder / f"sr_{record['sample']:02d}.png") for record in records]),
        lr=load_rgb(folder / "lr.png"),
        lr_psnr=[record["lr_psnr"] for record in records],
        diversity=entry["diversity"]["rms"],
        records=records,
        folder=folder,
    )


def run_overrides(overrides: Sequence[str], run_dir: str | Path, picture: Picture | None = None) -> Report:
    """The run that `python run.py <overrides>` would do, or what is missing of it in a run directory that has begun.

    Where references could not be used, `failure` of the report says so. With `dry_run=true` it is a `report.Forecast`.

    Args:
        overrides: as on the command line.
        run_dir: the run directory.
        picture: stands in for the file of `references=image`.

    Raises:
        UserError: an override cannot be used, or the run directory holds another run.
    """
    try:
        cfg, job = compose_job(overrides, run_dir)
    except (HydraException, ValueError) as error:
        raise UserError(explain(error)) from error
    check_config(cfg, job.choices, job.overrides)
    return run(cfg, job, picture)


def _fingerprint(image: Picture) -> str:
    """Hex digits that two pictures share only when their pixels are the same."""
    pixels = to_uint8(as_rgb(image))
    return hashlib.sha256(str(list(pixels.shape)).encode() + pixels.numpy().tobytes()).hexdigest()[:16]


def _as_override(value: Any) -> str:
    """A Python value in the words of the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_as_override, value))}]"
    if isinstance(value, str | Path):
        escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'" if not escaped.isidentifier() else escaped
    return str(value)
