"""The scores of super-resolution as pure functions of pictures: float RGB [N, 3, H, W] in, one score per picture out.

Every function clamps its pictures to [0, 1] (what a file can hold) and takes 1 as the data range, computes in float32
or better whatever autocast says, and gives NaN for a picture with a non-finite value. A second picture without the
batch axis, [3, H, W], is compared with every one of the first.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from multimodal_pulse.degradation.bicubic import bicubic_resize
from multimodal_pulse.metrics.deep_features import Features

PSNR_CAP_DB = 100.0
"""What identical pictures score, whose PSNR is infinite by definition; nothing scores more."""

SSIM_SMALLEST = 11
"""Pixels that the shorter side must have: the width of SSIM's Gaussian window."""


def psnr(x: Tensor, hr: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture in dB, at most `PSNR_CAP_DB`.

    The squared error is averaged within a picture and never pooled over several: the mean of this over a set is not
    the PSNR of the set's pooled error.

    Args:
        x: [N, 3, H, W].
        hr: [N, 3, H, W] or [3, H, W].
    Returns: [N].
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    x, hr = as_pictures(x, hr)
    decibels = peak_signal_noise_ratio(x, hr, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return decibels.clamp(max=PSNR_CAP_DB)


def ssim(x: Tensor, hr: Tensor) -> Tensor:
    """Structural similarity of each picture, at most 1: mean over pixels and the three channels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, with its constants
    (Gaussian window of 11 pixels and standard deviation 1.5, K1 = 0.01, K2 = 0.03), in colour, borders mirrored.

    Args:
        x: [N, 3, H, W], sides of at least `SSIM_SMALLEST` pixels.
        hr: [N, 3, H, W] or [3, H, W].
    Returns: [N].
    Raises:
        ValueError: the pictures are smaller than the window.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    x, hr = as_pictures(x, hr)
    if min(x.shape[-2:]) < SSIM_SMALLEST:
        raise ValueError(f"SSIM needs {SSIM_SMALLEST} pixels a side; got {x.shape[-2]} x {x.shape[-1]}.")
    with torch.autocast(x.device.type, enabled=False):
        similarity = structural_similarity_index_measure(x, hr, data_range=1.0, reduction="none")
    assert isinstance(similarity, Tensor)
    return similarity


def lr_psnr(x: Tensor, lr: Tensor, degradation: Callable[[Tensor], Tensor]) -> Tensor:
    """PSNR in dB between the LR reference and each picture downsampled: how faithful a sample is to what was given.

    The downsampled picture is clamped as every picture is, and not rounded. For the figure of a saved file, give the
    picture as it was saved (rounded to 8 bits).

    Args:
        x: [N, 3, H, W].
        lr: [3, h, w] or [N, 3, h, w], the reference (not its noisy version).
        degradation: [N, 3, H, W] -> [N, 3, h, w].
    Returns: [N], at most `PSNR_CAP_DB`.
    """
    return psnr(degradation(_picture(x)), lr)


def lr_psnr_ntire(x: Tensor, lr: Tensor) -> Tensor:
    """LR-PSNR in dB as the challenges on learning the super-resolution space measure it (NTIRE 2021 and 2022).

    Their program reads the sample from its 8-bit file, takes it through a port of MATLAB's `imresize` (bicubic,
    antialiased), which rounds 8-bit pictures to 8 bits after the rows and again after the columns, and compares the
    result with the original that went the same way. Their goal is 45 dB on average. Where this here differs: it
    compares with the LR reference, which was rounded once, at the end, and not on the way (at most one grey level
    apart, in few pixels: the original itself has 56 to 60 dB); it gives identical pictures `PSNR_CAP_DB` instead of
    infinity; it crops nothing; and K is the run's, not 10.

    Args:
        x: [N, 3, H, W]; rounded to 8 bits first, as a file does.
        lr: [3, h, w], the reference.
    Returns: [N], at most `PSNR_CAP_DB`.
    """
    height, width = lr.shape[-2:]
    # Whole grey levels in float64, where the sums are exact: what is halfway between two levels is rounded as theirs.
    levels = (255 * _picture(x).double()).round()
    for size in ((height, x.shape[-1]), (height, width)):
        levels = bicubic_resize(levels, *size).clamp(0, 255).round()
    return psnr(levels / 255, lr)


def mean_image_psnr(samples: Tensor, hr: Tensor) -> Tensor:
    """PSNR in dB of the mean of a reference's samples, which is not rounded to 8 bits.

    The mean of many draws from all pictures that are possible has the least squared error of any answer, so this
    exceeds the samples' own PSNR by what they differ.

    Args:
        samples: [K, 3, H, W].
        hr: [3, H, W].
    Returns: scalar, at most `PSNR_CAP_DB`; NaN for K = 0.
    """
    return psnr(_picture(samples).mean(dim=0, keepdim=True), hr)[0]


def best(scores: Tensor) -> Tensor:
    """The highest of a reference's scores [K], such as the PSNR of the best of K samples; NaN where there is none.

    A NaN among them takes no part.
    """
    present = scores[~scores.isnan()]
    return present.max() if len(present) else scores.new_tensor(torch.nan)


def share_below(scores: Tensor, bound: float) -> float:
    """Which share (0 to 1) of scores [N] is below `bound`. NaN, of a sample that failed, is; NaN for N = 0."""
    return float((~(scores >= bound)).double().mean())


def pairwise_rms(samples: Tensor) -> Tensor:
    """How far apart the samples of one reference are: mean over pairs of their root-mean-square difference.

    Args:
        samples: [K, 3, H, W].
    Returns: scalar in grey levels, 0 to 255; NaN for K = 1, which has no pair.
    """
    samples = _picture(samples).flatten(1)
    return 255 * torch.pdist(samples).mean() / samples.shape[1] ** 0.5


def pixel_std(samples: Tensor) -> Tensor:
    """The standard deviation of each pixel and colour over the samples of one reference, averaged over the picture.

    SRFlow's measure of diversity (Lugmayr et al., ECCV 2020). The variance is the unbiased one (divides by K - 1), so
    that twice its mean is the mean over pairs of samples of their mean squared difference.

    Args:
        samples: [K, 3, H, W].
    Returns: scalar in grey levels, 0 to 255; NaN for K < 2.
    """
    samples = _picture(samples).double()
    squares = (samples - samples.mean(dim=0)).square().sum(dim=0)
    return 255 * (squares / max(len(samples) - 1, 0)).sqrt().mean()


def pairwise_lpips(samples: Features) -> Tensor:
    """Mean over the pairs of samples of one reference of their LPIPS.

    Args:
        samples: features of K pictures.
    Returns: scalar; NaN for K < 2, where there is no pair.
    """
    return samples.pairwise().mean()


def over_references(scores: Iterable[Tensor]) -> dict[str, float]:
    """Mean and standard deviation over references of the mean over each reference's samples, and the lowest score.

    NaN stands for a score that does not exist (a sample that failed, no original): it takes no part, and a reference
    without any score does not count.

    Args:
        scores: one [K] for each reference.
    Returns: {"mean", "std" (of the population: divides by n), "min" (over all samples)}, all NaN when nothing counts.
    """
    present = [values[~values.isnan()].double() for values in scores]
    present = [values for values in present if len(values)]
    if not present:
        return {"mean": torch.nan, "std": torch.nan, "min": torch.nan}
    means = torch.stack([values.mean() for values in present])
    return {"mean": float(means.mean()), "std": float(means.std(correction=0)), "min": float(torch.cat(present).min())}


def _picture(x: Tensor) -> Tensor:
    """Clamped to [0, 1], in float32 or better. NaN stays NaN; an infinity, which a clamp would hide, becomes NaN."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return torch.where(x.isfinite(), x.clamp(0, 1), torch.nan)


def as_pictures(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both clamped, and of one dtype and shape: [N, 3, H, W] and the same or [3, H, W], which is repeated.

    Raises:
        ValueError: the shapes cannot be compared.
    """
    if x.ndim != 4 or x.shape[1] != 3 or y.shape not in (x.shape, x.shape[1:]):
        raise ValueError(f"Expected [N, 3, H, W] and the same or [3, H, W]; got {list(x.shape)} and {list(y.shape)}.")
    x, y = _picture(x), _picture(y)
    dtype = torch.promote_types(x.dtype, y.dtype)
    return x.to(dtype), y.to(dtype).expand_as(x)
