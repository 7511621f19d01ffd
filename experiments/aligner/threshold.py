"""From which score on is a found frame a face? On people of the training, so that the evaluation stays clean.

    python experiments/aligner/threshold.py

Prints, for thresholds of the score, the share of faces that are found and the number of false frames per picture.
"""

import math

import torch
from collages import background, collage, photographed
from evaluate import LARGEST, SMALLEST, Photographs, errors
from scenes import Portraits, uniform
from tqdm import tqdm

from multimodal_pulse.domains.faces import aligner, find_faces

COUNT = 60  # pictures with a face, and as many without
SEED = 2
SCORES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


def trained_on() -> Portraits:
    """The portraits that the aligner was trained on."""
    return Portraits(Photographs(128).trained_on())


def main() -> None:
    portraits, rng = trained_on(), torch.Generator().manual_seed(SEED)
    aligner.SURE = 0.0
    sides = torch.exp(uniform(rng, COUNT, low=math.log(SMALLEST * 2 / 3), high=math.log(LARGEST))).tolist()
    faces, false = [], []
    for side in tqdm(sides):
        which = int(torch.randint(portraits.count, (1,), generator=rng))
        picture, true = collage(portraits, which, side, rng)
        found = find_faces(picture)
        hits = [frame.score for frame in found if errors([frame], true) is not None]
        faces.append(max(hits, default=0.0))
        false += [frame.score for frame in found if errors([frame], true) is None]
        false += [frame.score for frame in find_faces(photographed(background(portraits, 240, 320, rng), rng))]
    print("| score | found | false frames per picture |\n|---|---|---|")
    for score in SCORES:
        found = sum(face >= score for face in faces) / COUNT
        print(f"| {score} | {found:.0%} | {sum(f >= score for f in false) / (2 * COUNT):.2f} |")


if __name__ == "__main__":
    main()
