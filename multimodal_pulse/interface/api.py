"""The Python interface: `upsample` for one picture, and `run_overrides` for any run of the command line."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.configuration.overrides import literal, quoted
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.interface.hydra_errors import composed
from multimodal_pulse.interface.result_html import result_html
from multimodal_pulse.interface.streams import usable_streams
from multimodal_pulse.references.in_memory import Picture, as_rgb
from multimodal_pulse.references.pixels import load_rgb, to_uint8
from multimodal_pulse.results.report import Report
from multimodal_pulse.run.run import run

if TYPE_CHECKING:
    import pytorch_lightning as pl


@dataclass(frozen=True)
class Result:
    """The samples of one picture; `folder` holds everything else.

    Attributes:
        images: the saved samples, float32 RGB [K, 3, R, R] in [0, 1], every value n / 255.
        lr: the reference that they must match, float32 RGB [3, h, w] in [0, 1].
        lr_psnr: how well each matches it, in dB; None for a sample that is not a picture.
        diversity: the RMS distance between two samples, in grey levels; None for a single sample.
        records: the lines of records.jsonl, one per sample.
        folder: the absolute path of the reference's folder, with grid.png and all other files.
        others: the results of the other faces in the picture, from left to right.
    """

    images: Tensor
    lr: Tensor
    lr_psnr: list[float | None]
    diversity: float | None
    records: Sequence[Mapping[str, Any]]
    folder: Path
    others: Sequence["Result"] = ()

    @property
    def photographs(self) -> list[Tensor | None]:
        """The whole picture with each sample pasted into the place of the face, float32 RGB [3, H, W] in [0, 1].

        None for a failed sample; empty if no face was cut out. They are read from the folder each time, since those of
        all faces of a group, of 16 million pixels each, would fill the memory.
        """
        paths = [self.folder / f"photo_{record['sample']:02d}.png" for record in self.records]
        there = [path.exists() for path in paths]
        return [load_rgb(path) if exists else None for path, exists in zip(paths, there, strict=True) if any(there)]

    def __repr__(self) -> str:
        """Returns one line, with shapes instead of pictures."""
        images, lr = tuple(self.images.shape), tuple(self.lr.shape)
        return f"Result(images={images}, lr={lr}, folder={str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: see `result_html`; the results of other faces follow."""
        own = result_html(self.folder.name, self.images, self.lr, self.records, self.diversity)
        return own + "".join(other._repr_html_() for other in self.others)


@contextmanager
def own_torch() -> Iterator[None]:
    """Gives the search gradients, single precision and the processor for what is made without naming a device, whatever
    the caller has chosen for its own calculations.
    """
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad(), ExitStack() as stack:
            for device in ("cpu", "cuda", "mps"):
                if torch.is_autocast_enabled(device):
                    stack.enter_context(torch.autocast(device, enabled=False))
            if torch.get_default_device() != torch.device("cpu"):  # else it would cost time in each call of PyTorch
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        torch.set_default_dtype(dtype)


@usable_streams()
@own_torch()
def upsample(
    image: Picture,
    method: str = "explore",
    num_samples: int = 4,
    seed: int = 0,
    run_dir: str | Path | None = None,
    align: str = "auto",
    **overrides: Any,
) -> Result:
    """Searches several high-resolution pictures for one low-resolution picture.

    With a generator of faces, which is what pictures are searched with unless another is chosen, the faces in the
    picture are found and each is searched by itself, framed as in FFHQ, under the name of the picture and `-face0`,
    `-face1`, ... from left to right. The result is that of the first; it has the results of the `others` and, as
    `photographs`, the whole picture with each sample in it. A picture that is framed already, or in which no face is
    found, is searched as it is.

    Args:
        image: a path, a Pillow picture, an array [H, W, C] or a tensor [C, H, W]: uint8, or float in [0, 1]. A picture
            of at least the generator's resolution is an original, which is degraded first; a smaller one, from 8 x 8
            upwards, is an LR reference.
        method: a method of the command line.
        num_samples: the number of samples, K.
        seed: fixes all random draws, together with the name of the reference: that of the file that was given or that
            Pillow opened, and "image" for any other picture. A renamed file therefore has other samples; with
            `**{"references.name": "ada"}` any picture has those of a file `ada.png` of the same pixels.
        run_dir: the run directory, where `~` stands for the home folder; None: a new one under outputs/. An existing
            run of the same picture and settings is resumed.
        align: "auto" as above; "ffhq": faces are cut out of a framed picture too, and for a generator of anything;
            "none": the picture is taken as it is.
        overrides: any other overrides, such as `steps=50`, `lr_noise="none"` or `**{"noise.lr_std": 0.05}`.

    Raises:
        UserError: the picture or an override cannot be used.
    """
    if overrides.get("dry_run"):
        raise UserError("upsample makes pictures; run_overrides([..., 'dry_run=true'], run_dir) makes a trial.")
    if run_dir is None:
        run_dir = datetime.now().strftime(f"outputs/%Y-%m-%d/%H-%M-%S-{method}-%f")
    settings = {"method": method, "num_samples": num_samples, "seed": seed, "tracking": "none"}
    settings |= {"references.align": align} | overrides
    # The fingerprint replaces a path, so that a run directory with another picture's run is refused.
    fixed = ["references=image", f"references.path=given-{_fingerprint(image)}"]
    arguments = fixed + [f"{key}={as_override(value)}" for key, value in settings.items()]
    finished = run_overrides(arguments, run_dir, picture=image)
    first, *others = (_result(finished.run_dir, entry) for entry in finished.entries)
    return replace(first, others=tuple(others))


def _result(run_dir: Path, entry: Mapping[str, Any]) -> Result:
    """Reads the result of one reference, which has this record.json, from its folder."""
    folder = (run_dir / "references" / entry["reference"]).absolute()
    records = entry["records"]
    return Result(
        images=torch.stack([load_rgb(folder / f"sr_{record['sample']:02d}.png") for record in records]),
        lr=load_rgb(folder / "lr.png"),
        lr_psnr=[record["lr_psnr"] for record in records],
        diversity=entry["diversity"]["rms"],
        records=records,
        folder=folder,
    )


@usable_streams()
@own_torch()
def run_overrides(
    overrides: Sequence[str],
    run_dir: str | Path,
    picture: Picture | None = None,
    callbacks: Sequence["pl.Callback"] = (),
) -> Report:
    """Does the run of `python run.py <overrides>`; in an existing run directory, only what is missing.

    If some references could not be used, `failure` of the report says so. With `dry_run=true` it is a `Forecast`.

    Args:
        overrides: as on the command line.
        run_dir: the run directory.
        picture: replaces the file of `references=image`.
        callbacks: Lightning's, which watch the search: after each pass `pl_module.images` has the pictures, and
            `pl_module.stop()` ends the search with the best iterates so far. A method that does not search calls none.

    Raises:
        UserError: an override cannot be used, or the run directory holds another run.
    """
    cfg, job = composed(overrides, expanded(run_dir))
    check_config(cfg, job.choices, job.overrides)
    return run(cfg, job, picture, callbacks)


def _fingerprint(image: Picture) -> str:
    """Returns hex digits that two pictures share only if their pixels are the same."""
    pixels = to_uint8(as_rgb(image))
    return hashlib.sha256(str(list(pixels.shape)).encode() + pixels.numpy().tobytes()).hexdigest()[:16]


def as_override(value: Any) -> str:
    """Writes a Python value as on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_override, value))}]"
    if isinstance(value, Path):
        return literal(str(value))
    return quoted(value) if isinstance(value, str) else str(value)
