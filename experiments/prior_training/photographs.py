"""The aligned portraits of `../shared/photographs`, decoded once; some people are kept out of the training.

Members of the US Congress are kept out by the first letter of their surname, which the tables of all three sources
give, so that no photograph of another year shows the same person. UK members have no common names across the sources:
some are kept out by a hash, and for each of them the most similar portrait of either other source is not used at all.
"""

import csv
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from backbones import SHARED, frozen_features
from pictures import Pictures
from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded

SIDE = 128  # of the portraits, in pixels
KEPT_OUT_LETTERS = "DLV"
KEPT_OUT_STAFF, KEPT_OUT_UK = 0.1, 0.075  # shares
COLOURFUL = 5.0  # portraits below are grey
TWICE = ("us-18f", "gpo-118")  # sources with more women and younger people


class Photographs(Pictures):
    """All colour portraits, of which some are kept out of the training and some are not used.

    Args:
        resolution: R, a power of two, at most 128.
        path: the folder `photographs`; None: the one beside this checkout, in `shared`.

    Raises:
        UserError: the folder, or SqueezeNet's weights, are missing, or R is too large.
    """

    def __init__(self, resolution: int, path: str | None = None):
        folder = SHARED / "photographs" if path is None else expanded(path)
        if not (folder / "faces128.tar").exists():
            raise UserError(f"{folder} has no faces128.tar: give the folder of the aligned portraits as path=...")
        if resolution > SIDE:
            raise UserError(f"resolution={resolution}: the portraits have {SIDE} x {SIDE} pixels, choose at most that.")
        rows, pictures = _read(folder)
        pixels = torch.from_numpy(np.stack(pictures))
        kept_out = torch.tensor([_is_kept_out(row) for row in rows])
        left = _alike(rows, pixels, kept_out, frozen_features("squeezenet")[:9])
        trained_on = ~kept_out & ~left
        factor = SIDE // resolution
        reduced = pixels if factor == 1 else F.avg_pool2d(pixels.float(), factor).round().byte()
        weights = torch.tensor([2.0 if row["file"].startswith(TWICE) else 1.0 for row in rows])
        self.pixels, self.weights, self.held = reduced[trained_on], weights[trained_on], reduced[kept_out]


def _read(folder: Path) -> tuple[list[dict[str, str]], list[np.ndarray]]:
    """Table rows and pixels of the colour portraits; of a photograph that is there twice, the sharper file."""
    rows, pictures, doubles = [], [], set()
    for name in ("gpo128", "faces128"):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            table = {row["file"]: row for row in csv.DictReader(file)}
        doubles |= {row["same_photograph_as"] for row in table.values() if row.get("same_photograph_as")}
        with tarfile.open(folder / f"{name}.tar") as archive:
            for member in archive:
                row = table.get(Path(member.name).name)
                if row is None or row["file"] in doubles or _source(row) == "gpo-113" and _is_grey(row):
                    continue
                picture = Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB")
                rows.append(row)
                pictures.append(np.asarray(picture).transpose(2, 0, 1))
    return rows, pictures


def _source(row: dict[str, str]) -> str:
    return row["file"].rsplit("-", 1)[0]


def _is_grey(row: dict[str, str]) -> bool:
    return float(row["colourfulness"]) < COLOURFUL


def _is_kept_out(row: dict[str, str]) -> bool:
    source = _source(row)
    if source == "us-congress":
        return row["name"].strip()[0].upper() in KEPT_OUT_LETTERS
    if source.startswith("gpo"):
        return row["original"][0].upper() in KEPT_OUT_LETTERS  # a number of the Biographical Directory: D000096
    share = int(hashlib.sha256(row["file"].encode()).hexdigest()[:8], 16) / 2**32
    return share < (KEPT_OUT_STAFF if source == "us-18f" else KEPT_OUT_UK)


@torch.no_grad()
def _alike(rows: list[dict[str, str]], pixels: Tensor, kept_out: Tensor, backbone: torch.nn.Module) -> Tensor:
    """UK portraits that may show a person who is kept out, bool [N]."""
    british = torch.tensor([i for i, row in enumerate(rows) if row["file"].startswith("uk")])
    features = []
    for indices in british.split(64):
        grey = (pixels[indices, :, 28:118, 24:104].float() / 255).mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        inner_face = F.interpolate(grey, size=(144, 128), mode="bilinear")
        features.append(F.adaptive_avg_pool2d(backbone((inner_face - 0.45) / 0.225), (5, 4)).flatten(1))
    whole = torch.cat(features)
    whole = F.normalize((whole - whole.mean(dim=0)) / whole.std(dim=0).clamp(min=1e-3), dim=1)
    sources = [_source(rows[i]) for i in british.tolist()]
    left = torch.zeros_like(kept_out)
    for place, index in enumerate(british.tolist()):
        if not kept_out[index]:
            continue
        similarity = whole @ whole[place]
        for source in {"uk-a", "uk-b", "uk-c"} - {sources[place]}:
            others = torch.tensor([other == source for other in sources])
            left[british[similarity.masked_fill(~others, -2.0).argmax()]] = True
    return left & ~kept_out
