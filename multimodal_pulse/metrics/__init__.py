"""How good, how faithful and how different the samples are: PSNR, SSIM, LPIPS, LR-PSNR, distances between samples.

Begin with `evaluate`, which scores the samples of one reference with an LPIPS from `build_lpips` and returns `Scores`.
Each score is also a torchmetrics class for other programs: `PeakSignalNoiseRatio` and the others below, one `update`
per reference. The functions behind both are in `functional`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from multimodal_pulse.metrics.evaluation import Diversity, SampleRecord, Scores, evaluate
from multimodal_pulse.metrics.lpips import Lpips, NullLpips, build_lpips
from multimodal_pulse.metrics.realism import NullRealism, Realism, build_realism

if TYPE_CHECKING:
    from multimodal_pulse.metrics.classes import BestPsnr as BestPsnr
    from multimodal_pulse.metrics.classes import Calibration as Calibration
    from multimodal_pulse.metrics.classes import FailureShare as FailureShare
    from multimodal_pulse.metrics.classes import LowResolutionPsnr as LowResolutionPsnr
    from multimodal_pulse.metrics.classes import LpipsDiversityScore as LpipsDiversityScore
    from multimodal_pulse.metrics.classes import MeanImageGain as MeanImageGain
    from multimodal_pulse.metrics.classes import MeanImagePsnr as MeanImagePsnr
    from multimodal_pulse.metrics.classes import MseDiversityScore as MseDiversityScore
    from multimodal_pulse.metrics.classes import NtireLowResolutionPsnr as NtireLowResolutionPsnr
    from multimodal_pulse.metrics.classes import PairwiseLpips as PairwiseLpips
    from multimodal_pulse.metrics.classes import PairwiseRms as PairwiseRms
    from multimodal_pulse.metrics.classes import PeakSignalNoiseRatio as PeakSignalNoiseRatio
    from multimodal_pulse.metrics.classes import PerceptualSimilarity as PerceptualSimilarity
    from multimodal_pulse.metrics.classes import PixelStd as PixelStd
    from multimodal_pulse.metrics.classes import StructuralSimilarity as StructuralSimilarity

_CLASSES = [
    "BestPsnr",
    "Calibration",
    "FailureShare",
    "LowResolutionPsnr",
    "LpipsDiversityScore",
    "MeanImageGain",
    "MeanImagePsnr",
    "MseDiversityScore",
    "NtireLowResolutionPsnr",
    "PairwiseLpips",
    "PairwiseRms",
    "PeakSignalNoiseRatio",
    "PerceptualSimilarity",
    "PixelStd",
    "StructuralSimilarity",
]

__all__ = [
    "Diversity",
    "Lpips",
    "NullLpips",
    "NullRealism",
    "Realism",
    "SampleRecord",
    "Scores",
    "build_lpips",
    "build_realism",
    "evaluate",
    *_CLASSES,
]


def __getattr__(name: str) -> Any:
    # PEP 562: importing torchmetrics takes seconds, and a program that only reads results does not need it.
    if name in _CLASSES:
        return getattr(import_module(f"{__name__}.classes"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # So that pydoc and completion find the names above.
    return [*globals(), *_CLASSES]
