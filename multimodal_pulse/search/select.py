"""Selection: a search may find more samples than are kept."""

from typing import Protocol

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.search.objective import squared_error


class Selection(Protocol):
    """Chooses which of the samples of a reference are kept."""

    def __call__(self, images: Tensor, lr: Tensor, degradation: Degradation, fits_db: float = OK_LR_PSNR_DB) -> Tensor:
        """Returns the numbers of the samples that are kept, [k], in the order in which they are kept.

        Args:
            images: the K samples as the search found them, before the consistency step, [K, 3, R, R].
            lr: the reference, [3, h, w] in [0, 1].
            degradation: A.
            fits_db: the LR-PSNR in dB from which a sample fits.
        """
        ...


class AllSamples:
    """Keeps all samples."""

    def __call__(self, images: Tensor, lr: Tensor, degradation: Degradation, fits_db: float = OK_LR_PSNR_DB) -> Tensor:
        """Returns 0 to K - 1."""
        return torch.arange(len(images))


class MostDifferent:
    """Keeps the samples that differ most, among those that fit the reference.

    The first is the one that fits best; each next one is the farthest from those chosen before it (the largest smallest
    distance), in what the degradation cannot see, (I - A+ A) x. Samples that do not fit, those below 27 dB of LR-PSNR
    before the consistency step (less for a reference with noise), are chosen only when no others are left, the best of
    them first: what a search could not explain, such as glasses that the sample leaves out, the consistency step puts
    back as a smudge.

    Args:
        count: the number of samples that are kept, k.
    Raises:
        UserError: `count` is less than 1.
    """

    def __init__(self, count: int):
        if count < 1:
            raise UserError(f"select={count} must be at least 1, or null to keep all samples.")
        self.count = count

    @torch.no_grad()
    def __call__(self, images: Tensor, lr: Tensor, degradation: Degradation, fits_db: float = OK_LR_PSNR_DB) -> Tensor:
        """Returns k numbers, or all K if there are no more."""
        error = squared_error(degradation(images.clamp(0, 1)), lr.expand(len(images), -1, -1, -1)).nan_to_num(nan=1.0)
        by_fit = error.argsort(stable=True).tolist()
        fitting = [number for number in by_fit if error[number] <= 10 ** (-fits_db / 10)]
        hidden = (images - degradation.pseudo_inverse(degradation(images))).flatten(1).float()
        distance = torch.cdist(hidden, hidden).cpu()
        chosen = fitting[:1]
        while len(chosen) < min(self.count, len(fitting)):
            left = [number for number in fitting if number not in chosen]
            chosen.append(max(left, key=lambda number: distance[number, chosen].min().item()))
        not_fitting = [number for number in by_fit if number not in fitting]
        return torch.tensor((chosen + not_fitting)[: self.count])
