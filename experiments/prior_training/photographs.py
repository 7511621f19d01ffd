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
from PIL import Image
from torch import Tensor

KEPT_OUT_LETTERS = "DLV"
KEPT_OUT_STAFF, KEPT_OUT_UK = 0.1, 0.075  # shares
COLOURFUL = 5.0  # portraits below are grey
TWICE = ("us-18f", "gpo-118")  # sources with more women and younger people


class Photographs:
    """Pixels of all colour portraits, uint8 [N, 3, R, R], and which of them are trained on.

    Args:
        folder: `shared/photographs`.
        resolution: R, at most 128.
        backbone: convolutions that tell UK portraits apart, [N, 3, H, W] normalised -> features.
    """

    def __init__(self, folder: Path, resolution: int, backbone: torch.nn.Module):
        rows, pictures = _read(folder)
        pixels = torch.from_numpy(np.stack(pictures))
        self.kept_out = torch.tensor([_is_kept_out(row) for row in rows])
        left = _alike(rows, pixels, self.kept_out, backbone)
        self.trained_on = ~self.kept_out & ~left
        self.weights = torch.tensor([2.0 if row["file"].startswith(TWICE) else 1.0 for row in rows]) * self.trained_on
        factor = 128 // resolution
        self.pixels = pixels if factor == 1 else F.avg_pool2d(pixels.float(), factor).round().byte()

    def batch(self, size: int, rng: torch.Generator) -> Tensor:
        """Random training portraits, half of them mirrored: [size, 3, R, R] in [-1, 1]."""
        chosen = self.pixels[torch.multinomial(self.weights, size, replacement=True, generator=rng)].float() / 127.5 - 1
        mirrored = torch.rand(size, 1, 1, 1, generator=rng) < 0.5
        return torch.where(mirrored, chosen.flip(3), chosen)

    def kept_out_pictures(self) -> Tensor:
        """[n, 3, R, R] in [0, 1]."""
        return self.pixels[self.kept_out].float() / 255


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
