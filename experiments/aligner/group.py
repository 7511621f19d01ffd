"""A group picture of three people, each searched and pasted back: is there a seam at the border of the frame?

    python experiments/aligner/group.py

The words go to the program. Prints the mean and the 99 % quantile of the steps between neighbouring pixels across
squares about each face, in grey levels: the border of the frame, before and after, and squares inside it; and how
well the samples in the photograph match the reference, the worst. Leaves the picture and the run in `outputs/aligner`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from collages import with_face
from evaluate import SEED, errors, kept_out
from scenes import uniform
from torch import Tensor
from torchvision.utils import save_image

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.domains.faces import Frame, cut_out
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.metrics.functional import lr_psnr
from multimodal_pulse.references.pixels import load_rgb, quantise
from multimodal_pulse.results.json_files import read_json
from multimodal_pulse.results.pictures.photograph import enlarged

HEIGHT, WIDTH = 200, 320
FRAMES = [Frame(60, 90, 84, -18), Frame(160, 118, 60, 8), Frame(255, 85, 96, 27)]
PEOPLE = (30, 100, 250)  # numbers of kept-out portraits
RESOLUTION = 128  # of the generator
INSIDE = (0.35, 0.5, 0.65, 0.8, 0.9)  # squares inside the frame, in its side


def steps(picture: Tensor, frame: Frame, at: float) -> Tensor:
    """Differences, in grey levels, of a picture [3, H, W] over one pixel across the square of `at` sides."""
    rows = []
    for scale in (at - 1 / frame.side, at + 1 / frame.side):
        corners = frame.grown(scale).corners()
        t = (torch.arange(round(at * frame.side)) + 0.5)[:, None] / round(at * frame.side)
        sides = [
            torch.tensor(a) * (1 - t) + torch.tensor(b) * t
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True)
        ]
        grid = torch.cat(sides) / torch.tensor([picture.shape[2], picture.shape[1]]) * 2 - 1
        rows.append(F.grid_sample(picture[None], grid[None, None], align_corners=False)[0, :, 0])
    return 255 * (rows[0] - rows[1]).abs()


def shown(pictures: Sequence[Tensor], frame: Frame, at: float) -> str:
    """Mean and 99 % quantile of the steps across a square in pictures."""
    every = torch.cat([steps(picture, frame, at).flatten() for picture in pictures])
    return f"{every.mean():.1f} ({every.quantile(0.99):.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("outputs/aligner"))
    parser.add_argument("words", nargs="*", help="overrides of the program")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    portraits, rng = kept_out(), torch.Generator().manual_seed(SEED)
    wall = uniform(rng, 1, 3, 2, 3, low=0.25, high=0.55)
    picture = F.interpolate(wall, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0]
    for frame, which in zip(FRAMES, PEOPLE, strict=True):
        picture = with_face(portraits, which, picture, frame, rng)
    file, run_dir = args.folder / "group.png", args.folder / "group"
    save_image(quantise(picture), file)
    given = ["references=image", f"references.path={file}", "references.align=ffhq", "tracking=none"]
    report = run_overrides([*given, *args.words], run_dir)

    print(
        "| face | centre, side (%), roll (degrees) off | border before | border |",
        *(f"{at} |" for at in INSIDE),
        "dB |",
    )
    print("|---" * (5 + len(INSIDE)) + "|")
    for entry in report.entries:
        folder = run_dir / "references" / entry["reference"]
        aligned = read_json(folder / "record.json")["aligned"]
        x, y = (sum(values) / 4 for values in zip(*aligned["corners"], strict=True))
        frame = Frame(x, y, aligned["side"], aligned["roll_degrees"])
        pages = [load_rgb(path) for path in sorted(folder.glob("photo_*.png"))]
        factor = pages[0].shape[2] // WIDTH
        cells = [shown([enlarged(load_rgb(file), factor)], frame.scaled(factor), 1.0)]
        cells += [shown(pages, frame.scaled(factor), at) for at in (1.0, *INSIDE)]
        lr = load_rgb(folder / "lr.png")
        seen = torch.stack([cut_out(page, frame.scaled(factor), RESOLUTION) for page in pages])
        cells.append(
            f"{lr_psnr(seen, lr.expand(len(pages), -1, -1, -1), Bicubic(RESOLUTION // lr.shape[-1])).min():.1f}"
        )
        off = next((found for true in FRAMES if (found := errors([frame], true))), None)
        how_far = "no face" if off is None else ", ".join(f"{value:.1f}" for value in off)
        print("| " + " | ".join([entry["reference"], how_far, *cells]) + " |")


if __name__ == "__main__":
    main()
