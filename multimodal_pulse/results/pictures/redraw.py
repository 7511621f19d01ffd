"""Draw the pictures of a finished reference again, from its latents."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import PARTIAL, atomic_file
from multimodal_pulse.generator import Generator
from multimodal_pulse.metrics.functional import lr_psnr
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.pixels import load_rgb, quantise, save_png
from multimodal_pulse.results.pictures.grid import caption, grid, load_if_there


@dataclass(frozen=True)
class Renderer:
    """What turns latents into samples, as the search did.

    Attributes:
        generator: the same as in the search.
        redraw: of the search's latent space: (generator, latents, noise maps) -> images [K, 3, R, R].
        degradation: A.
        consistency: (samples [K, 3, R, R], lr [3, h, w], degradation) -> samples in [0, 1].
    """

    generator: Generator
    redraw: Callable[[Generator, Mapping[str, Tensor], Sequence[Tensor] | None], Tensor]
    degradation: Callable[[Tensor], Tensor]
    consistency: Callable[[Tensor, Tensor, Any], Tensor]


def reference_folders(folder: str | Path) -> list[Path]:
    """The folders of all finished references of a run directory, by name; any other folder is taken for one itself.

    Raises:
        UserError: nothing is finished in the run directory.
    """
    inside = Path(folder) / "references"
    if not inside.is_dir():
        return [Path(folder)]
    finished = sorted(path.parent for path in inside.glob("*/record.json") if not path.parent.name.startswith(PARTIAL))
    if not finished:
        raise UserError(f"{folder} has no finished reference.")
    return finished


@torch.no_grad()
def render_folder(
    folder: str | Path, load: Callable[[Mapping[str, Any]], Renderer], output: str | Path | None = None
) -> list[Path]:
    """Draws the samples of a finished reference again, from latents.safetensors: sr_*.png, sr_*_lr.png and grid.png.

    Args:
        folder: the reference's, as `records.Records.write` left it.
        load: makes the renderer from the `settings` in record.json.
        output: folder to write to, made if missing; None: the reference's own, whose pictures are replaced.
    Returns: the files written.
    Raises:
        UserError: the folder is not a finished reference, its record is damaged, or it was made without a generator or
            by another one.
    """
    folder = Path(folder)
    output = folder if output is None else Path(output)
    if not (folder / "record.json").is_file():
        raise UserError(f"{folder} is not the folder of a finished reference: it has no record.json.")
    if not (folder / "latents.safetensors").is_file():
        raise UserError(f"{folder} has no latents.safetensors: its method draws without a generator; see its sr_*.png.")
    record = _read_record(folder)
    reference = Reference(record["reference"], load_rgb(folder / "lr.png"), load_if_there(folder / "hr.png"))
    mask = load_if_there(folder / "mask.png")

    renderer = load(record["settings"])
    if record["weights_sha256"] not in (None, renderer.generator.sha256):
        raise UserError(
            f"{folder} was made by a generator with the sha256 {record['weights_sha256']}, not by this one"
            f" ({renderer.generator.sha256}); give the weights of the run."
        )
    # A search in double precision leaves doubles; the generator that is loaded has single precision.
    latents = {name: tensor.float() for name, tensor in load_file(folder / "latents.safetensors").items()}
    generated = renderer.redraw(renderer.generator, latents, _noise_maps(latents))
    samples = quantise(renderer.consistency(generated, reference.lr, renderer.degradation))
    downsampled = renderer.degradation(samples)
    faithful = lr_psnr(samples, reference.lr, renderer.degradation).tolist()
    noisy = [load_if_there(folder / f"lr_noisy_{k:02d}.png") for k in range(len(samples))]
    picture = grid(
        reference,
        torch.stack([reference.lr if target is None else target for target in noisy]),
        None if mask is None else mask[:1],
        samples,
        downsampled,
        [None if math.isnan(decibels) else decibels for decibels in faithful],
        caption(record["settings"], record["records"][0]["steps"]),
    )

    output.mkdir(parents=True, exist_ok=True)
    images = {f"sr_{k:02d}.png": image for k, image in enumerate(samples)}
    images |= {f"sr_{k:02d}_lr.png": image for k, image in enumerate(downsampled)}
    for name, image in images.items():
        save_png(image.nan_to_num(0.0, 0.0, 0.0), output / name)
    with atomic_file(output / "grid.png") as partial:
        picture.save(partial)
    return [output / name for name in (*images, "grid.png")]


def _read_record(folder: Path) -> dict[str, Any]:
    """record.json, as far as drawing needs it: its keys and their kinds are there, whoever wrote it."""
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        kinds = (record["reference"], record["settings"], record["records"][0]["steps"])
        intact = [type(value) for value in kinds] == [str, dict, int] and "weights_sha256" in record
    except (ValueError, KeyError, IndexError, TypeError):
        intact = False
    if not intact:
        raise UserError(f"{folder / 'record.json'} is damaged, or not this program's.")
    return record


def _noise_maps(latents: Mapping[str, Tensor]) -> list[Tensor] | None:
    """The tensors noise.0, noise.1, ... in order; None, for the generator's own, when there are none."""
    layers = sorted(int(name.removeprefix("noise.")) for name in latents if name.startswith("noise."))
    return [latents[f"noise.{layer}"] for layer in layers] or None
