"""The pictures that a person looks at: the grid of one reference, the film strip of its search; redrawing."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from multimodal_pulse.consistency import ExactConsistency
from multimodal_pulse.errors import UserError
from multimodal_pulse.files import PARTIAL, atomic_file
from multimodal_pulse.metrics.evaluation import OK_LR_PSNR_DB, status_of
from multimodal_pulse.metrics.functional import lr_psnr, pairwise_rms
from multimodal_pulse.outcome import Outcome
from multimodal_pulse.page import Ink, Page, Tile, tile_side
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.images import load_rgb, quantise, save_png

_STATUS_INK: dict[str, Ink] = {"ok": (22, 110, 58), "loose": (176, 88, 0), "failed": (184, 28, 28)}
_EXACT_CONSISTENCY = f"{ExactConsistency.__module__}.{ExactConsistency.__qualname__}"
_SAMPLES_IN_A_ROW = 6
_LEGEND = (
    "LR-PSNR compares a sample, downsampled, with the reference."
    f' From {OK_LR_PSNR_DB:.0f} dB a sample counts as faithful; "loose" means below that, "failed" no finite picture.'
)
_NOISE_LEGEND = " The search fitted each sample to the reference + noise shown below it, not to the reference itself."
_FILM_LEGEND = "Each row is one sample at some steps of its search, and last as it was saved, from its best step."


def caption(settings: Mapping[str, Any], steps: int) -> str:
    """How a reference's samples were found, such as "combined, seed 0, 200 steps, exact consistency".

    Args:
        settings: those in record.json; what an older record lacks is left out.
        steps: searched; 0 for a method that does not search, to which a seed means nothing.
    """
    words = []
    if "method" in settings:
        words.append(str(settings["method"]))
    if "seed" in settings and steps > 0:
        words.append(f"seed {settings['seed']}")
    if steps > 0:
        words.append("1 step" if steps == 1 else f"{steps} steps")
    if made_exact(settings):
        words.append("exact consistency")
    return ", ".join(words)


def made_exact(settings: Mapping[str, Any]) -> bool:
    """Whether the samples of a record with these settings went through the exact consistency step."""
    return settings.get("consistency", {}).get("_target_") == _EXACT_CONSISTENCY


def grid(
    reference: Reference,
    targets: Tensor,
    mask: Tensor | None,
    samples: Tensor,
    downsampled: Tensor,
    lr_psnr_db: Sequence[float | None],
    caption: str,
) -> Image.Image:
    """One picture that tells what was given, what was found and how faithful it is.

    Left the original where there is one, the reference, and the mask where there is one. Right of them each sample
    with its LR-PSNR, under it the same sample downsampled, which has to look like the reference, and under that, where
    there was LR noise, the picture that the search fitted it to. More samples than fit a row go on below.

    Args:
        reference: what was given.
        targets: [K, 3, h, w], what each sample was fitted to; may leave [0, 1].
        mask: [1, h, w], white where LR noise was allowed; None for no such tile.
        samples: [K, 3, R, R] in [0, 1].
        downsampled: [K, 3, h, w], the samples degraded.
        lr_psnr_db: LR-PSNR of each sample in dB; None for a failed one.
        caption: how the samples were found.
    Returns: an RGB picture on white.
    """
    # As the saved files have them, so that a page drawn from those is the same.
    targets = quantise(targets.float())
    noisy = not torch.equal(targets, quantise(reference.lr.to(targets)).expand_as(targets))
    found = [
        [
            Tile(f"Sample {k}", samples[k], *faithfulness(lr_psnr_db[k])),
            Tile(f"Sample {k}, downsampled", downsampled[k]),
            *([Tile("Reference + noise", targets[k])] if noisy else []),
        ]
        for k in range(len(samples))
    ]
    given = _given(reference)
    if mask is not None:
        given.append(Tile("Mask: noise where white", mask.expand(3, -1, -1)))

    rows = len(found[0])
    bands = math.ceil(len(found) / _SAMPLES_IN_A_ROW)
    in_a_row = math.ceil(len(found) / bands)
    given_columns = math.ceil(len(given) / rows)
    page = Page(
        tile_side(samples.shape[-1], wanted=256, most=512),
        columns=given_columns + in_a_row,
        rows=rows * bands,
        gutters=[given_columns],
        title=_title(reference, caption),
        note=_spread(samples) + _LEGEND + noisy * _NOISE_LEGEND,
    )
    for band in range(bands):
        for place, tile in enumerate(given):
            page.put(tile, column=place // rows, row=rows * band + place % rows)
    for k, tiles in enumerate(found):
        for row, tile in enumerate(tiles):
            page.put(tile, column=given_columns + k % in_a_row, row=rows * (k // in_a_row) + row)
    return page.image


def film_strip(outcome: Outcome, lr_psnr_db: Sequence[float | None], caption: str, exact: bool = False) -> Image.Image:
    """How the samples of one reference came about: a row for each, a column for each step shown.

    Left what was given, as in the grid; the last column is the sample as it was kept and saved, after the consistency
    step, with its LR-PSNR.

    Args:
        outcome: what the search found, with a film.
        lr_psnr_db: LR-PSNR of each sample in dB; None for a failed one.
        caption: how the samples were found.
        exact: whether the saved samples are no longer what the search kept, but made exact.
    Returns: an RGB picture on white.
    """
    film = outcome.film
    assert film is not None
    given, samples = _given(outcome.reference), len(outcome.samples)
    given_columns = math.ceil(len(given) / samples)
    kept_column = given_columns + len(film)
    page = Page(
        tile_side(film.shape[-1], wanted=128, most=128),
        columns=kept_column + 1,
        rows=samples,
        gutters=[given_columns, kept_column],
        title=_title(outcome.reference, caption),
        note=_FILM_LEGEND,
    )
    for place, tile in enumerate(given):
        page.put(tile, column=place // samples, row=place % samples)
    for k in range(samples):
        for frame, step in enumerate(outcome.film_steps):
            page.put(Tile(f"Sample {k}, step {step}", film[frame, k]), given_columns + frame, row=k)
        label = f"Kept: step {outcome.best_step[k]}" + exact * ", made exact"
        kept = Tile(label, outcome.samples[k], *faithfulness(lr_psnr_db[k]))
        page.put(kept, kept_column, row=k)
    return page.image


class Synthesis(Protocol):
    """The part of a generator that drawing again needs."""

    sha256: str

    def synthesis(self, w_plus: Tensor, noise_maps: Sequence[Tensor] | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Renderer:
    """What turns latents into samples, as the search did.

    Attributes:
        generator: the same as in the search.
        degradation: A.
        consistency: (samples [K, 3, R, R], lr [3, h, w], degradation) -> samples in [0, 1].
    """

    generator: Synthesis
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
    generated = renderer.generator.synthesis(latents["w_plus"], _noise_maps(latents))
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


def load_if_there(path: Path) -> Tensor | None:
    """[3, H, W] in [0, 1]; None where there is no such file."""
    return load_rgb(path) if path.is_file() else None


def _noise_maps(latents: Mapping[str, Tensor]) -> list[Tensor] | None:
    """The tensors noise.0, noise.1, ... in order; None, for the generator's own, when there are none."""
    layers = sorted(int(name.removeprefix("noise.")) for name in latents if name.startswith("noise."))
    return [latents[f"noise.{layer}"] for layer in layers] or None


def _given(reference: Reference) -> list[Tile]:
    """The original, if there is one, goes first: so it stands beside the samples, the reference beside their copies."""
    height, width = reference.lr.shape[-2:]
    original = [] if reference.hr is None else [Tile("Original", reference.hr)]
    return [*original, Tile(f"Reference, {width} x {height}", reference.lr)]


def _title(reference: Reference, caption: str) -> str:
    return f"{reference.name} · {caption}" if caption else reference.name


def faithfulness(decibels: float | None) -> tuple[str, Ink]:
    """A sample's LR-PSNR and status in words, and their colour; None in place of dB stands for a failed sample."""
    status = status_of(decibels)
    # Rounded down: what is just below the bound does not read as if it were on it.
    measured = "no picture" if decibels is None else f"LR-PSNR {math.floor(10 * decibels) / 10:.1f} dB"
    return f"{measured}, {status}", _STATUS_INK[status]


def _spread(samples: Tensor) -> str:
    """A sentence on how different the samples are; nothing where no two of them can be compared."""
    finite = samples.isfinite().flatten(1).all(dim=1)
    if finite.sum() < 2:
        return ""
    rms = float(pairwise_rms(quantise(samples[finite].float())))
    return f"{int(finite.sum())} samples; on average two of them differ by {rms:.1f} grey levels (RMS). "
