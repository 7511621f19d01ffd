"""What the worker's process does: look at a picture, check a configuration, search. The only module with PyTorch here.

Each function gets a `Line` first, on which it reports and is told to stop.
"""

import base64
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from PIL import Image

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.domains.faces import Frame
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.interface.hydra_errors import composed
from multimodal_pulse.references.picture_files import readable, size_of
from multimodal_pulse.references.pixels import load_rgb, save_png, to_pil
from multimodal_pulse.run.build import build_parts
from multimodal_pulse.search.latent_optimization import LatentOptimization
from multimodal_pulse.studio.limits import UPLOAD_PIXELS, TooMuchError

if TYPE_CHECKING:
    from multimodal_pulse.studio.worker import Line

PREVIEW_SIDE = 1024
"""The longest side, in pixels, of the picture that the page shows of an upload."""
SECONDS_BETWEEN_PICTURES = 0.4


def warm_up() -> None:
    """Imports what a search needs and runs a tiny one, so that the first visitor does not wait for it."""
    with tempfile.TemporaryDirectory() as folder:
        run_overrides(["method=explore", "num_samples=1", "steps=1", "tracking=none"], folder)


def look(line: "Line", overrides: Sequence[str], folder: str, upload: str | None = None) -> dict[str, Any]:
    """Makes the references of a picture and saves them: `lr_<i>.png`, `hr_<i>.png` where there is an original.

    Args:
        line: unused, since it is quick.
        overrides: those that name the picture, the generator and the degradation.
        folder: where the pictures are saved, with `preview.jpg` of an upload.
        upload: its file.

    Returns: what the page shows.

    Raises:
        UserError: the picture cannot be used.
    """
    place = Path(folder)
    facts: dict[str, Any] = {"size": None, "preview": None}
    if upload is not None:
        width, height = size_of(upload)
        if width * height > UPLOAD_PIXELS:
            raise TooMuchError(
                f"The picture has {width * height / 1e6:.0f} million pixels, and the studio takes up to"
                f" {UPLOAD_PIXELS // 10**6}: reduce it, or search it on the command line."
            )
        whole = to_pil(load_rgb(upload))
        facts["size"] = whole.size
        whole.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        whole.save(place / "preview.jpg", quality=88)
        facts["preview"] = "preview.jpg"
    cfg, job = composed([*overrides, "tracking=none"], place / "run")
    check_config(cfg, job.choices, job.overrides)
    parts = build_parts(cfg, None)
    references = parts.references
    references.check(range(len(references.names)))  # which says what is done to the picture
    shown = []
    for index, name in enumerate(references.names):
        reference = references[index]
        save_png(reference.lr, place / f"lr_{index}.png")
        if reference.hr is not None:
            save_png(reference.hr, place / f"hr_{index}.png")
        shown.append(
            {
                "name": name,
                "lr": f"lr_{index}.png",
                "hr": None if reference.hr is None else f"hr_{index}.png",
                "lr_size": [reference.lr.shape[-1], reference.lr.shape[-2]],
                "frame": _frame(reference.aligned.frame) if reference.aligned else None,
            }
        )
    return facts | {
        "references": shown,
        "resolution": parts.generator.resolution,
        "generator": job.choices["generator"],
        "factor": getattr(parts.degradation, "factor", None),
        "notices": list(filter(None, map(_in_the_page, references.notices))),
    }


def _in_the_page(notice: str) -> str:
    """Returns what a notice says to somebody who has no command line before him; "" for what the page shows anyway."""
    return "" if notice.startswith("degradation.factor=auto") else notice.split("; references.align=none")[0]


def _frame(frame: Frame) -> list[float]:
    return [round(value, 1) for value in (frame.x, frame.y, frame.side, frame.roll)]


def check(line: "Line", overrides: Sequence[str]) -> None:
    """Composes a configuration, which is refused here if it would be refused later.

    Raises:
        UserError: it cannot run.
    """
    cfg, job = composed([*overrides, "tracking=none"], Path())
    check_config(cfg, job.choices, job.overrides)


def scribble(line: "Line", data: bytes, path: str, side: int) -> None:
    """Saves a scribble as a mask: white where it was drawn, `side` x `side` pixels.

    Raises:
        UserError: the data are no picture of this size.
    """
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(data)
        file.flush()
        with readable(file.name) as picture:
            if picture.size != (side, side):
                raise UserError(f"The scribble must be {side} x {side} pixels.")
            picture.convert("L").save(path)


def search(line: "Line", overrides: Sequence[str], run_dir: str) -> dict[str, Any]:
    """Does a run, and reports its pictures as they become better.

    Args:
        line: gets `step`, `steps`, `seconds_left` and, every so often, `pictures`: the number of each sample that is
            still searched, with its picture as a data: address.
        overrides: of the run.
        run_dir: its run directory.

    Raises:
        UserError: the run cannot be done.
    """
    finished = run_overrides(overrides, run_dir, callbacks=[Watch(line)])
    return {"references": [entry["reference"] for entry in finished.entries], "failure": finished.failure}


class Watch(pl.Callback):
    """Reports a search on a line, and stops it when the line says so."""

    def __init__(self, line: "Line") -> None:
        self.line = line
        self.shown_at = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes the time."""
        self.started = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Reports the step, and the pictures unless they were reported a moment ago."""
        assert isinstance(pl_module, LatentOptimization)
        done = pl_module.position * pl_module.steps + batch_idx + 1
        steps = len(pl_module.groups) * pl_module.steps
        now = time.monotonic()
        news: dict[str, Any] = {
            "step": done,
            "steps": steps,
            "seconds_left": (now - self.started) / done * (steps - done),
            "reference": pl_module.group[0].name,
        }
        if now - self.shown_at >= SECONDS_BETWEEN_PICTURES and pl_module.images is not None:
            self.shown_at = now
            pictures = (to_pil(image.float().clamp(0, 1).cpu()) for image in pl_module.images)
            news["pictures"] = list(zip(pl_module.rows, map(_data_address, pictures), strict=True))
        self.line.report(news)
        if self.line.stopped:
            pl_module.stop()


def _data_address(picture: Image.Image) -> str:
    picture.thumbnail((256, 256))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
