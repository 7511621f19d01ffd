"""How many faces the aligner finds and how far its frames are from the true ones, on people it was not trained on.

    python experiments/aligner/evaluate.py
    python experiments/aligner/evaluate.py --mtcnn    # the same pictures, seen by MTCNN

Prints the tables of the README and writes `outputs/aligner/found.png` (or `mtcnn.png`): the true frames in white, the
found ones in green.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from collages import background, collage, photographed
from PIL import Image, ImageDraw
from scenes import Portraits, uniform
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid
from tqdm import tqdm

from multimodal_pulse.domains.faces import Frame, find_faces

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "experiments" / "prior_training"))
from photographs import Photographs  # noqa: E402

COUNT = 30
SIZES = (16, 24, 32, 48, 96)  # sides of frames in pixels
SMALLEST, LARGEST = 24, 160  # of the pictures with faces of any size
HIT_PLACE, HIT_SCALE = 0.25, 1.5  # a found frame belongs to a face whose centre and side are so near
SEED = 1

Finder = Callable[[Tensor], list[Frame]]


def kept_out() -> Portraits:
    """The portraits of people that no training has seen."""
    return Portraits(Photographs(128).held)


def errors(found: Sequence[Frame], true: Frame) -> tuple[float, float, float] | None:
    """Centre and side in percent of the true side, roll in degrees, of the frame found nearest; None: not found."""
    near = [f for f in found if math.dist((f.x, f.y), (true.x, true.y)) < HIT_PLACE * true.side]
    near = [f for f in near if 1 / HIT_SCALE < f.side / true.side < HIT_SCALE]
    if not near:
        return None
    best = max(near, key=lambda frame: frame.score)
    centre = 100 * math.dist((best.x, best.y), (true.x, true.y)) / true.side
    return centre, 100 * abs(best.side / true.side - 1), abs((best.roll - true.roll + 180) % 360 - 180)


def row(title: str, measured: Sequence[tuple[float, float, float] | None], false: int) -> str:
    """One line of the table: found, medians and 90 % quantiles of the errors, frames where no face is."""
    hits = torch.tensor([m for m in measured if m is not None], dtype=torch.float64).reshape(-1, 3)
    cells = [title, f"{len(hits)} of {len(measured)}"]
    for column in hits.T:
        cells.append(f"{column.quantile(0.5):.1f} ({column.quantile(0.9):.1f})" if len(column) else "-")
    return "| " + " | ".join([*cells, str(false)]) + " |"


def drawn(picture: Tensor, frames: Sequence[tuple[Frame, str]]) -> Image.Image:
    """A picture [3, H, W], twice as large, with frames in colours."""
    large = to_pil_image(picture.clamp(0, 1)).resize((2 * picture.shape[2], 2 * picture.shape[1]))
    lines = ImageDraw.Draw(large)
    for frame, colour in frames:
        points = frame.scaled(2).corners()
        lines.line([*points, points[0]], fill=colour, width=2)
    return large


def measure(
    title: str, find: Finder, portraits: Portraits, sides: Sequence[float], rng: torch.Generator
) -> list[Image.Image]:
    """Prints the line of collages with faces of these sides, and returns the pictures with their frames."""
    measured, false, pages = [], 0, []
    for side in tqdm(sides, desc=title, leave=False):
        which = int(torch.randint(portraits.count, (1,), generator=rng))
        picture, true = collage(portraits, which, side, rng)
        found = find(picture)
        measured.append(errors(found, true))
        false += len(found) - (measured[-1] is not None)
        pages.append(drawn(picture, [(true, "white"), *((frame, "lime") for frame in found)]))
    print(row(title, measured, false))
    return pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("outputs/aligner"), help="where the picture goes")
    parser.add_argument("--mtcnn", action="store_true", help="evaluate MTCNN instead")
    args = parser.parse_args()
    find: Finder = find_faces
    if args.mtcnn:
        from mtcnn import MtcnnFrames

        find = MtcnnFrames()
    args.folder.mkdir(parents=True, exist_ok=True)
    portraits, rng = kept_out(), torch.Generator().manual_seed(SEED)

    print("| side of the frame | found | centre, % of the side | side, % | roll, degrees | false |")
    print("|---|---|---|---|---|---|")
    sides = torch.exp(uniform(rng, COUNT, low=math.log(SMALLEST), high=math.log(LARGEST))).tolist()
    pages = measure(f"{SMALLEST} to {LARGEST} px", find, portraits, sides, rng)
    for side in SIZES:
        pages += measure(f"{side} px", find, portraits, [float(side)] * COUNT, rng)[:6]

    # The portraits themselves: their frame is the whole picture.
    whole = [find(portraits.levels[128][i].float() / 255) for i in tqdm(range(COUNT), leave=False)]
    results = [errors(found, Frame(64, 64, 128)) for found in whole]
    print(row("the aligned portrait, 128 px", results, sum(map(len, whole)) - sum(r is not None for r in results)))

    empty = [photographed(background(portraits, 240, 320, rng), rng) for _ in range(COUNT)]
    found = [find(picture) for picture in tqdm(empty, leave=False)]
    print(f"\n{sum(map(len, found))} frames in {COUNT} pictures without a face.")
    pages += [drawn(picture, [(f, "lime") for f in frames]) for picture, frames in zip(empty[:6], found, strict=False)]
    tensors = [torch.frombuffer(bytearray(page.tobytes()), dtype=torch.uint8) for page in pages]
    sheet = make_grid([t.view(480, 640, 3).permute(2, 0, 1).float() / 255 for t in tensors], nrow=6)
    small = to_pil_image(sheet).resize((sheet.shape[2] // 2, sheet.shape[1] // 2))
    small.save(args.folder / ("mtcnn.png" if args.mtcnn else "found.png"))


if __name__ == "__main__":
    main()
