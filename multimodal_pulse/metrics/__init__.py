"""How good, how faithful and how different the samples are: PSNR, SSIM, LPIPS, LR-PSNR, pairwise distances."""

from multimodal_pulse.metrics.evaluation import Diversity, SampleRecord, Scores, evaluate
from multimodal_pulse.metrics.lpips import Lpips, NullLpips, build_lpips

__all__ = ["Diversity", "Lpips", "NullLpips", "SampleRecord", "Scores", "build_lpips", "evaluate"]
