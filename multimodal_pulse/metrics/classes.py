"""torchmetrics classes over the pure functions, with the project's aggregation.

A method is judged on references, not on samples: the K samples of one reference are averaged first, then mean and
standard deviation (of the population, dividing by n) are taken over the references. One `update` is one reference.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

from multimodal_pulse.metrics import functional
from multimodal_pulse.metrics.deep_features import PerceptualDistance
from multimodal_pulse.metrics.diversity_score import diversity_score, squared_error_maps


class OverReferences(Metric):
    """The base of the classes below: it collects the K scores of each reference and aggregates them."""

    full_state_update = False
    scores: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("scores", default=[], dist_reduce_fx=None)

    def _add(self, scores: Tensor) -> None:
        """Adds one reference's scores [K]; NaN where there is none."""
        self.scores.append(scores)

    def compute(self) -> dict[str, float]:
        """Returns {"mean", "std", "min"}; see `functional.over_references`."""
        return functional.over_references(self.scores)


class PeakSignalNoiseRatio(OverReferences):
    """PSNR in dB against the original; see `functional.psnr`."""

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(functional.psnr(samples, hr))


class StructuralSimilarity(OverReferences):
    """SSIM against the original; see `functional.ssim`."""

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(functional.ssim(samples, hr))


class PerceptualSimilarity(OverReferences):
    """LPIPS to the original; always NaN if LPIPS is not available."""

    def __init__(self, lpips: PerceptualDistance) -> None:
        super().__init__()
        self._lpips = lpips

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(self._lpips.features(samples).distance(self._lpips.features(hr[None])))


class BestPsnr(OverReferences):
    """PSNR in dB of each reference's best sample."""

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(functional.best(functional.psnr(samples, hr))[None])


class MeanImagePsnr(OverReferences):
    """PSNR in dB of the mean of each reference's samples; see `functional.mean_image_psnr`."""

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(functional.mean_image_psnr(samples, hr)[None])


class MeanImageGain(OverReferences):
    """PSNR of the mean of each reference's samples above theirs, in dB; see `functional.mean_image_gain`."""

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(functional.mean_image_gain(samples, hr)[None])


class Calibration(OverReferences):
    """Distance between samples in units of their error, 1 for an ideal posterior; see `functional.calibration`."""

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(functional.calibration(samples, hr)[None])


class LowResolutionPsnr(OverReferences):
    """LR-PSNR in dB against the LR reference; see `functional.lr_psnr`. `min` is that of the least faithful sample."""

    def __init__(self, degradation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._degradation = degradation

    def update(self, samples: Tensor, lr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], the LR reference [3, h, w]."""
        self._add(functional.lr_psnr(samples, lr, self._degradation))


class NtireLowResolutionPsnr(OverReferences):
    """LR-PSNR in dB as the NTIRE challenges measure it; see `functional.lr_psnr_ntire`."""

    def update(self, samples: Tensor, lr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], the LR reference [3, h, w]."""
        self._add(functional.lr_psnr_ntire(samples, lr))


class FailureShare(Metric):
    """Share (0 to 1) of all samples of all references whose score is below a bound or NaN.

    Args:
        bound: such as `base.faithfulness.OK_LR_PSNR_DB` for scores of `functional.lr_psnr`.
    """

    full_state_update = False
    scores: list[Tensor]

    def __init__(self, bound: float) -> None:
        super().__init__()
        self._bound = bound
        self.add_state("scores", default=[], dist_reduce_fx=None)

    def update(self, scores: Tensor) -> None:
        """Adds the scores of samples, [N]."""
        self.scores.append(scores)

    def compute(self) -> float:
        """Returns the share; NaN before the first sample."""
        return functional.share_below(torch.cat(self.scores), self._bound) if self.scores else torch.nan


class PairwiseRms(OverReferences):
    """Spread of a reference's samples in grey levels; see `functional.pairwise_rms`."""

    def update(self, samples: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R]."""
        self._add(functional.pairwise_rms(samples)[None])


class PairwiseLpips(OverReferences):
    """Perceptual spread of a reference's samples; always NaN if LPIPS is not available."""

    def __init__(self, lpips: PerceptualDistance) -> None:
        super().__init__()
        self._lpips = lpips

    def update(self, samples: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R]."""
        self._add(functional.pairwise_lpips(self._lpips.features(samples))[None])


class PixelStd(OverReferences):
    """Standard deviation of a pixel over a reference's samples, in grey levels; see `functional.pixel_std`."""

    def update(self, samples: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R]."""
        self._add(functional.pixel_std(samples)[None])


class LpipsDiversityScore(OverReferences):
    """NTIRE's diversity score of LPIPS maps, 0 to 100; see `diversity_score`. Always NaN without LPIPS.

    Args:
        lpips: LPIPS; the challenge uses AlexNet.
    """

    def __init__(self, lpips: PerceptualDistance) -> None:
        super().__init__()
        self._lpips = lpips

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        maps = self._lpips.features(samples).maps(self._lpips.features(hr[None]))
        self._add(diversity_score(maps)[None])


class MseDiversityScore(OverReferences):
    """NTIRE's diversity score of box-filtered squared error, 0 to 100; see `diversity_score`."""

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        self._add(diversity_score(squared_error_maps(samples, hr))[None])
