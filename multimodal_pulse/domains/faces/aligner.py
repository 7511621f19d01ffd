"""Finds the frames of the faces in a picture: a detector over a pyramid of sizes, then a refiner on each frame.

Both networks are trained by `experiments/aligner`, on faces from 16 pixels of frame upwards and with a roll of up to
55 degrees. Like the classical detectors (Rowley et al. 1998) the detector sees one size only, and the picture is shown
to it in many; its output is a map of scores with a frame at each place (CenterNet, Zhou et al. 2019).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from multimodal_pulse.domains.faces.frame import Frame, cut_out
from multimodal_pulse.domains.faces.networks import MARGIN, STRIDE, UNIT, VIEW, Aligner, places

WEIGHTS = Path(__file__).with_name("aligner.safetensors")
MOST_PIXELS = 4_000_000  # of the picture as the detector sees it; larger ones are reduced, and lose their small faces
ENLARGED = 2.0  # the most by which a small picture is enlarged for the detector
LARGEST = 1.4  # side of the largest frame that is looked for, in shorter sides of the picture
CANDIDATE = 0.25  # score of the detector from which a frame is refined
MOST_CANDIDATES = 200
ALIKE, ALIKE_SCALE = 0.15, 1.2  # of candidates whose centres and sides are as near as this, one is refined
SAME = 0.4  # two refined frames whose centres are nearer than this part of the larger side are of one face
LEAST = 13.0  # side in pixels below which no frame counts: letters look like faces there
ROUNDS = 3  # of refinement
SURE = 0.85  # score from which a face counts, the geometric mean of both networks' (experiments/aligner/threshold.py)
_LEVEL = math.sqrt(0.5)  # each size of the pyramid in the one before it
_EDGE = 2 * STRIDE  # pixels by which the picture is drawn on, so that a face at its border has surroundings


@lru_cache(maxsize=1)
def _networks() -> Aligner:
    aligner = Aligner()
    aligner.load_state_dict({key: value.float() for key, value in load_file(WEIGHTS).items()}, strict=False)
    return aligner.eval().requires_grad_(False)


def find_faces(picture: Tensor) -> list[Frame]:
    """Returns the frames of the faces in a picture, from left to right; [] if there are none.

    Args:
        picture: [3, H, W] in [0, 1], on the CPU; at least 8 x 8 pixels.
    """
    with torch.inference_mode():
        candidates = distinct(_candidates(picture), ALIKE, ALIKE_SCALE)
        refined = distinct(_refined(picture, candidates[:MOST_CANDIDATES]))
    height, width = picture.shape[-2:]
    sure = [frame for frame in refined if frame.score >= SURE and frame.side >= LEAST]
    found = [frame for frame in sure if 0 <= frame.x <= width and 0 <= frame.y <= height]
    return sorted(found, key=lambda frame: (frame.x, frame.y))


def distinct(frames: Sequence[Frame], same: float = SAME, scale: float = math.inf) -> list[Frame]:
    """Keeps of frames of one face the one with the highest score; the highest scores come first.

    Args:
        frames: any frames.
        same: frames of one face have centres nearer than this part of the larger side,
        scale: and the larger one is at most so many times as large as the other.
    """
    kept: list[Frame] = []
    for frame in sorted(frames, key=lambda frame: -frame.score):
        if not any(_is_same(frame, other, same, scale) for other in kept):
            kept.append(frame)
    return kept


def _is_same(a: Frame, b: Frame, same: float, scale: float) -> bool:
    larger, smaller = max(a.side, b.side), min(a.side, b.side)
    return math.dist((a.x, a.y), (b.x, b.y)) < same * larger and larger <= scale * smaller


def _candidates(picture: Tensor) -> list[Frame]:
    """What the detector takes for faces, at all sizes, several times each."""
    detector, (height, width) = _networks().detector, picture.shape[-2:]
    scale = min(ENLARGED, math.sqrt(MOST_PIXELS / (height * width)))
    found = []
    while scale * LARGEST * min(height, width) > UNIT * _LEVEL:
        size = [max(1, round(length * scale)) for length in (height, width)]
        level = F.interpolate(picture[None], size=size, mode="bilinear", antialias=True)
        # Drawn on to whole squares of the detector.
        right, below = (_EDGE + -length % STRIDE for length in (size[1], size[0]))
        shown = F.pad(level, (_EDGE, right, _EDGE, below), mode="replicate")
        for frame in _decoded(detector(shown)[0]):
            x, y = (frame.x - _EDGE) * width / size[1], (frame.y - _EDGE) * height / size[0]
            found.append(replace(frame, x=x, y=y, side=frame.side / scale))
        scale *= _LEVEL
    return found


def _decoded(out: Tensor) -> list[Frame]:
    """Frames, in the detector's pixels, from its output [6, h, w]."""
    scores = out[0].sigmoid()
    i, j = (scores > CANDIDATE).nonzero(as_tuple=True)
    right, down, log_side, cosine, sine = out[1:, i, j]
    centre = places(*out.shape[1:])[i, j] + STRIDE * torch.stack([right, down], dim=1)
    side, roll = UNIT * log_side.clamp(-1, 1).exp(), torch.atan2(sine, cosine).rad2deg()
    rows = torch.stack([centre[:, 0], centre[:, 1], side, roll, scores[i, j]], dim=1)
    return [Frame(*row) for row in rows.tolist()]


def _refined(picture: Tensor, frames: Sequence[Frame]) -> list[Frame]:
    """Frames after `ROUNDS` moves of the refiner, each the mean over the view and its mirror image."""
    if not frames:
        return []
    refiner, refined, faces = _networks().refiner, list(frames), torch.ones(len(frames))
    mirror = torch.tensor([-1.0, 1.0, 1.0, -1.0, 1.0])
    for _ in range(ROUNDS):
        views = torch.stack([cut_out(picture, frame.grown(MARGIN), VIEW) for frame in refined])
        moves = (refiner(views) + mirror * refiner(views.flip(3))) / 2
        faces = moves[:, 4].sigmoid()
        refined = [
            frame.moved(right, down, log_scale, math.degrees(roll))
            for frame, (right, down, log_scale, roll, _) in zip(refined, moves.tolist(), strict=True)
        ]
    scores = [math.sqrt(frame.score * face) for frame, face in zip(frames, faces.tolist(), strict=True)]
    return [replace(frame, score=score) for frame, score in zip(refined, scores, strict=True)]
