"""Draws the pictures of a finished reference again from its latents, and further samples from its distributions."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import atomic_file, short
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.generator import Generator, Space
from multimodal_pulse.metrics.functional import lr_psnr
from multimodal_pulse.references.alignment import Aligned
from multimodal_pulse.references.base import Reference, in_words
from multimodal_pulse.references.held import NOTHING, Held, NothingHeld
from multimodal_pulse.references.noise import Noise
from multimodal_pulse.references.pixels import load_rgb, save_png
from multimodal_pulse.results.json_files import read_json
from multimodal_pulse.results.pictures.grid import Words, caption, load_if_there, made_exact, pages
from multimodal_pulse.results.pictures.photograph import photographs
from multimodal_pulse.results.pictures.verdict import Verdict
from multimodal_pulse.results.plan import fingerprint
from multimodal_pulse.results.records import MAY_CHANGE_FILE, PARENT_FILE, finished, sample_texts
from multimodal_pulse.search.outcome import round_samples

MOST_OF_REASON = 200
"""The most characters of a library's own words in a message."""


@dataclass(frozen=True)
class Renderer:
    """What turns latents into samples, as the search did.

    Attributes:
        generator: the generator of the search.
        space: the class of the latent space, which knows how to draw a finished search again.
        degradation: A.
        consistency: the function from (images [K, 3, R, R], lr [3, h, w], degradation, standard deviation of the noise
            of lr, what is held) to images in [0, 1].
    """

    generator: Generator
    space: type[Space]
    degradation: Degradation
    consistency: Callable[[Tensor, Tensor, Any, float, Held | NothingHeld], Tensor]

    def images(self, latents: Mapping[str, Tensor]) -> Tensor:
        """Draws the images [K, 3, R, R] of the latents of a finished search, before the consistency step."""
        return self.space.redraw(self.generator, latents, noise_maps(latents))


def reference_folders(folder: str | Path) -> list[Path]:
    """Returns the folders of the finished references in a run directory, by name; any other folder is returned itself.

    Raises:
        UserError: the run directory has no finished reference.
    """
    inside = Path(folder) / "references"
    if not inside.is_dir():
        return [Path(folder)]
    found = sorted(inside / name for name in finished(folder))
    if not found:
        raise UserError(f"{folder} has no finished reference.")
    return found


@torch.no_grad()
def render_folder(
    folder: str | Path, load: Callable[[Mapping[str, Any]], Renderer], output: str | Path | None = None
) -> list[Path]:
    """Draws the pictures of a reference again from its latents.safetensors: sr_*.png, sr_*_lr.png, grid.png, ...

    The photographs of an aligned reference are drawn only if the file that it was cut out of is still the same.

    Args:
        folder: the folder of the reference.
        load: makes the renderer from the `settings` in record.json.
        output: the folder to write to, made if missing; None: replaces the pictures in `folder`.

    Returns: the written files.

    Raises:
        UserError: the folder is not a finished reference, one of its files is damaged, or it was made without a
            generator or by another one.
    """
    folder = Path(folder)
    output = folder if output is None else Path(output)
    entry, renderer, latents = _opened(folder, load)
    reference = read_reference(folder, entry)
    noise = reference.noise
    mask = load_if_there(folder / "mask.png")
    with _said_to_be_of(folder / "latents.safetensors"):
        images = renderer.images(latents)
        if len(images) != len(entry["records"]):
            raise ValueError(f"it has {len(images)} samples, record.json {len(entry['records'])}")
    with _said_to_be_of(folder / "lr.png"):
        found = renderer.consistency(images, reference.lr, renderer.degradation, noise.std, reference.held)
        samples, _ = round_samples(found, renderer.degradation)
        downsampled = renderer.degradation(samples)
        decibels = lr_psnr(samples, reference.lr, renderer.degradation).tolist()
    with _said_to_be_of(folder):
        noisy = [load_if_there(folder / f"lr_noisy_{k:02d}.png") for k in range(len(samples))]
        verdicts = [
            Verdict(None if math.isnan(value) else value, record.get("realistic"), reference.ok_lr_psnr_db)
            for value, record in zip(decibels, entry["records"], strict=True)
        ]
        domain = entry.get("realism_backbone", {}).get("domain") or ""
        exact = made_exact(entry["settings"], noise.std)
        drawn = pages(
            reference,
            torch.stack([reference.lr if target is None else target for target in noisy]),
            None if mask is None else mask[:1],
            samples,
            renderer.degradation,
            verdicts,
            Words(
                caption(entry["settings"], max(record["steps"] for record in entry["records"]), noise.std),
                entry.get("remarks", ()),
                in_words(domain),
                exact,
            ),
        )
        drawn |= photographs(reference, samples, renderer.degradation)

    output.mkdir(parents=True, exist_ok=True)
    pictures = {f"sr_{k:02d}.png": image for k, image in enumerate(samples)}
    pictures |= {f"sr_{k:02d}_lr.png": image for k, image in enumerate(downsampled)}
    texts: dict[str, dict[str, str]] = {}
    for k, verdict in enumerate(verdicts):
        texts |= sample_texts(entry["reference"], k, verdict.lr_psnr, entry["settings"])
    for name, image in pictures.items():
        save_png(image, output / name, texts[name])
    for name, page in drawn.items():
        with atomic_file(output / name) as partial:
            page.save(partial)
    return [output / name for name in (*pictures, *drawn)]


@torch.no_grad()
def draw_folder(folder: Path, load: Callable[[Mapping[str, Any]], Renderer], count: int) -> Iterator[Path]:
    """Draws further samples from the distributions that a search has fitted: draws/draw_0000.png, ...

    A draw costs one forward pass and depends on the seed of the run, the reference's name and its number alone.

    Args:
        folder: the folder of a finished reference.
        load: as for `render_folder`.
        count: the number of draws, at least 1.

    Yields: the written files.

    Raises:
        UserError: as for `render_folder`, or the search has fitted no distribution.
    """
    entry, renderer, latents = _opened(folder, load)
    reference, settings = read_reference(folder, entry), entry["settings"]
    lr, std = reference.lr, reference.noise.std
    for number in range(count):
        with _said_to_be_of(folder / "latents.safetensors"):
            rng = stream(settings.get("seed", 0), entry["reference"], number, "draw")
            images = renderer.images(renderer.space.draw(renderer.generator, latents, number, rng))
            found = renderer.consistency(images, lr, renderer.degradation, std, reference.held)
            samples, _ = round_samples(found, renderer.degradation)
        decibels = lr_psnr(samples, lr, renderer.degradation).item()
        path = folder / "draws" / f"draw_{number:04d}.png"
        path.parent.mkdir(exist_ok=True)
        texts = sample_texts(entry["reference"], number, decibels, settings)
        save_png(samples[0], path, texts[f"sr_{number:02d}.png"])
        yield path


def _opened(
    folder: Path, load: Callable[[Mapping[str, Any]], Renderer]
) -> tuple[dict[str, Any], Renderer, dict[str, Tensor]]:
    """Returns the record of a finished reference, what draws it, and its latents."""
    entry = read_entry(folder)
    _refuse_without_latents(folder)
    with _said_to_be_of(folder / "record.json"):
        renderer = load(entry["settings"])
    if entry["weights_sha256"] not in (None, renderer.generator.sha256):
        raise UserError(
            f"{folder} was made by a generator with the sha256 {entry['weights_sha256']}, not by this one"
            f" ({renderer.generator.sha256}); give the weights of the run."
        )
    return entry, renderer, read_latents(folder)


def read_latents(folder: Path) -> dict[str, Tensor]:
    """Reads latents.safetensors of a finished reference.

    Raises:
        UserError: there is none, or it is damaged.
    """
    _refuse_without_latents(folder)
    with _said_to_be_of(folder / "latents.safetensors"):
        # A search in double precision saves doubles, but the loaded generator has single precision.
        return {name: value.float() for name, value in load_file(folder / "latents.safetensors").items()}


def _refuse_without_latents(folder: Path) -> None:
    if not (folder / "latents.safetensors").is_file():
        raise UserError(
            f"{folder} has no latents.safetensors: its method draws without a generator, or the file was removed; see"
            " its sr_*.png."
        )


def read_reference(folder: Path, entry: Mapping[str, Any]) -> Reference:
    """Returns the reference of a finished folder, from its pictures and its record.json, `entry`.

    Raises:
        UserError: one of the files is damaged.
    """
    lr, hr = load_rgb(folder / "lr.png"), load_if_there(folder / "hr.png")
    parent, mask = load_if_there(folder / PARENT_FILE), load_if_there(folder / MAY_CHANGE_FILE)
    with _said_to_be_of(folder / "record.json"):
        noise, aligned = Noise(**entry.get("noise", {})), _aligned(entry)
    with _said_to_be_of(folder / MAY_CHANGE_FILE):
        held = NOTHING if parent is None or mask is None else Held(parent, mask[:1])
    return Reference(entry["reference"], lr, hr, noise=noise, aligned=aligned, held=held)


def read_entry(folder: Path) -> dict[str, Any]:
    """Reads record.json and checks the keys that drawing needs and their types, whoever wrote the file."""
    path = folder / "record.json"
    entry = read_json(path)
    if entry is None:
        inside = sorted(path.parent for path in (folder / "references").glob("*/record.json"))
        instead = f"; did you mean {inside[0]}?" if inside else "."
        raise UserError(f"{folder} is not the folder of a finished reference: it has no record.json{instead}")
    try:
        values = (entry["reference"], entry["settings"], max(record["steps"] for record in entry["records"]))
        intact = [type(value) for value in values] == [str, dict, int] and "weights_sha256" in entry
    except (KeyError, ValueError, TypeError):
        intact = False
    if not intact:
        raise UserError(f"{path} is damaged, or not this program's.")
    return entry


def _aligned(entry: Mapping[str, Any]) -> Aligned | None:
    """Returns how a reference was aligned; None if it was not, or its photograph was never a file or is another now."""
    recorded, file = entry.get("aligned"), entry.get("file")
    if not recorded or not file or file["sha256"] is None or fingerprint(Path(file["path"])) != file:
        return None
    return Aligned.recorded(recorded, partial(load_rgb, file["path"]))


@contextmanager
def _said_to_be_of(path: Path) -> Iterator[None]:
    """Makes an error that the content of a file causes, whoever changed it, one sentence that names the file.

    Raises:
        UserError: something in the block failed, but not for want of memory.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except UserError as error:
        raise UserError(f"{short(path)}: {error}") from error
    except Exception as error:  # libraries raise various ones for data that does not fit
        reason = " ".join(str(error).split())[:MOST_OF_REASON]
        raise UserError(f"{short(path)} is damaged, or does not belong to this reference ({reason}).") from error


def noise_maps(latents: Mapping[str, Tensor]) -> list[Tensor] | None:
    """Returns the tensors noise.0, noise.1, ... in order; None, for the generator's own, if there are none."""
    layers = sorted(int(name.removeprefix("noise.")) for name in latents if name.startswith("noise."))
    return [latents[f"noise.{layer}"] for layer in layers] or None
