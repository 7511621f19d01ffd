"""torchmetrics classes over the pure functions, with the project's aggregation.

A method is judged on references, not on samples: the K samples of one reference are averaged first, then mean and
standard deviation (of the population, dividing by n) are taken over the references. One `update` is one reference.
"""

from collections.abc import Callable

from torch import Tensor
from torchmetrics import Metric

from multimodal_pulse.metrics import functional
from multimodal_pulse.metrics.functional import PerceptualDistance


class OverReferences(Metric):
    """Base: collects the K scores of each reference; `compute` is `functional.over_references` of them."""

    full_state_update = False
    scores: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("scores", default=[], dist_reduce_fx=None)

    def _add(self, scores: Tensor) -> None:
        """Adds one reference's scores [K]; NaN where there is none."""
        self.scores.append(scores)

    def compute(self) -> dict[str, float]:
        """{"mean", "std", "min"}."""
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
    """LPIPS to the original; NaN throughout where LPIPS cannot be had."""

    def __init__(self, lpips: PerceptualDistance) -> None:
        super().__init__()
        self._lpips = lpips

    def update(self, samples: Tensor, hr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], its original [3, R, R]."""
        distances = self._lpips(samples, hr)
        if distances is not None:
            self._add(distances)


class LowResolutionPsnr(OverReferences):
    """LR-PSNR in dB against the LR reference; see `functional.lr_psnr`. `min` is the least faithful sample."""

    def __init__(self, degradation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._degradation = degradation

    def update(self, samples: Tensor, lr: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R], the LR reference [3, h, w]."""
        self._add(functional.lr_psnr(samples, lr, self._degradation))


class PairwiseRms(OverReferences):
    """Spread of a reference's samples in grey levels; see `functional.pairwise_rms`."""

    def update(self, samples: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R]."""
        self._add(functional.pairwise_rms(samples)[None])


class PairwiseLpips(OverReferences):
    """Perceptual spread of a reference's samples; NaN throughout where LPIPS cannot be had."""

    def __init__(self, lpips: PerceptualDistance) -> None:
        super().__init__()
        self._lpips = lpips

    def update(self, samples: Tensor) -> None:
        """Adds one reference: samples [K, 3, R, R]."""
        distance = functional.pairwise_lpips(samples, self._lpips)
        if distance is not None:
            self._add(distance[None])
