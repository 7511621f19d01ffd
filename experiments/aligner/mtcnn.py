"""What the aligner is compared with: MTCNN (Zhang et al. 2016), whose landmarks give FFHQ's frame.

Needs `pip install --no-deps facenet-pytorch`, which carries the weights.
"""

import math

import numpy as np
from facenet_pytorch import MTCNN
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from multimodal_pulse.domains.faces import Frame

SMALLEST = 16  # pixels of face; the package's default is 20
ENLARGED = 2  # its first network sees faces of 12 pixels or more, and so our aligner enlarges pictures as well


class MtcnnFrames:
    """Finds frames in a picture [3, H, W] in [0, 1], as `find_faces` does."""

    def __init__(self) -> None:
        self._network = MTCNN(keep_all=True, min_face_size=SMALLEST)

    def __call__(self, picture: Tensor) -> list[Frame]:
        height, width = picture.shape[-2:]
        large = to_pil_image(picture.clamp(0, 1)).resize((ENLARGED * width, ENLARGED * height))
        _, scores, landmarks = self._network.detect(large, landmarks=True)
        if landmarks is None:
            return []
        faces = zip(landmarks, scores, strict=True)
        return [ffhq_frame(points, float(score)).scaled(1 / ENLARGED) for points, score in faces]


def ffhq_frame(points: np.ndarray, score: float) -> Frame:
    """The frame by the landmarks [5, 2]: eyes, nose, corners of the mouth (Karras et al. 2019, appendix A)."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across, down = points[1] - points[0], mouth - eyes
    direction = across - np.array([-down[1], down[0]])
    side = 2 * max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down))
    x, y = eyes + 0.1 * down
    return Frame(float(x), float(y), float(side), math.degrees(math.atan2(direction[1], direction[0])), score)
