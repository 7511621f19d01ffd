"""The scores of super-resolution as pure functions of pictures: float RGB [N, 3, H, W] in, one score per picture out.

Every function clamps its pictures to [0, 1], takes 1 as the data range, computes in float32 or better even under
autocast, and returns NaN for a picture with a non-finite value. A second argument without the batch axis, [3, H, W], is
compared with every picture of the first.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.metrics.deep_features import Features

PSNR_CAP_DB = 100.0
"""The highest score, which identical pictures get, since their PSNR is infinite by definition."""

SSIM_SMALLEST = 11
"""The least pixels of the shorter side: the width of SSIM's Gaussian window."""


def psnr(x: Tensor, hr: Tensor) -> Tensor:
    """Returns the peak signal-to-noise ratio of each picture in dB, at most `PSNR_CAP_DB`.

    The squared error is averaged within a picture and never over several: the mean of this over a set is not the PSNR
    of the mean squared error of the set.

    Args:
        x: [N, 3, H, W].
        hr: [N, 3, H, W] or [3, H, W].

    Returns: [N].
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio  # takes seconds

    x, hr = as_pictures(x, hr)
    decibels = peak_signal_noise_ratio(x, hr, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return decibels.clamp(max=PSNR_CAP_DB)


def ssim(x: Tensor, hr: Tensor) -> Tensor:
    """Returns the structural similarity of each picture, at most 1: the mean over pixels and the three channels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, with its constants
    (Gaussian window of 11 pixels and standard deviation 1.5, K1 = 0.01, K2 = 0.03), in colour, with mirrored borders.

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
    """Returns the PSNR in dB between the LR reference and each picture downsampled: the faithfulness of a sample.

    The downsampled picture is clamped but not rounded.

    Args:
        x: [N, 3, H, W].
        lr: [3, h, w] or [N, 3, h, w], the reference (not its noisy version).
        degradation: A, from [N, 3, H, W] to [N, 3, h, w].

    Returns: [N], at most `PSNR_CAP_DB`.
    """
    return psnr(degradation(_picture(x)), lr)


def lr_psnr_ntire(x: Tensor, lr: Tensor) -> Tensor:
    """Returns the LR-PSNR in dB as the NTIRE challenges of 2021 and 2022 on super-resolution spaces measure it.

    Their program reads the sample from its 8-bit file, resizes it by a port of MATLAB's `imresize` (bicubic,
    antialiased), which rounds to 8 bits after the rows and again after the columns, and compares it with the original
    resized in the same way. Their goal is 45 dB on average. This function differs in four ways: it compares with the LR
    reference, which was rounded only once, at the end (a few pixels differ by one grey level: the original itself has
    56 to 60 dB); identical pictures get `PSNR_CAP_DB` instead of infinity; nothing is cropped; and K is not 10 but that
    of the run.

    Args:
        x: [N, 3, H, W]; rounded to 8 bits first, as by a file.
        lr: [3, h, w], the reference.

    Returns: [N], at most `PSNR_CAP_DB`.
    """
    height, width = lr.shape[-2:]
    # Integer grey levels in float64, where sums are exact, so that a value halfway between two is rounded as there.
    levels = (255 * _picture(x).double()).round()
    for size in ((height, x.shape[-1]), (height, width)):
        levels = bicubic_resize(levels, *size).clamp(0, 255).round()
    return psnr(levels / 255, lr)


def mean_image_psnr(samples: Tensor, hr: Tensor) -> Tensor:
    """Returns the PSNR in dB of the mean of a reference's samples, which is not rounded to 8 bits.

    The mean of many draws from the posterior has the least squared error of any answer, so this exceeds the PSNR of the
    samples; by how much depends on their spread.

    Args:
        samples: [K, 3, H, W].
        hr: [3, H, W].

    Returns: a scalar, at most `PSNR_CAP_DB`; NaN for K = 0.
    """
    return psnr(_picture(samples).mean(dim=0, keepdim=True), hr)[0]


def mean_image_gain(samples: Tensor, hr: Tensor) -> Tensor:
    """Returns by how many dB the PSNR of the mean of a reference's samples exceeds the mean PSNR of the samples.

    For an ideal posterior the squared error of a sample is twice the posterior variance, and that of the mean of K
    samples 1 + 1 / K times it, so the gain is 10 log10(2 K / (K + 1)): 1.25 dB for K = 2, 2.04 for 4, at most 3.01.

    Args:
        samples: [K, 3, H, W].
        hr: [3, H, W].

    Returns: a scalar in dB; NaN for K < 2.
    """
    gain = mean_image_psnr(samples, hr) - psnr(samples, hr).mean()
    return gain if len(samples) > 1 else gain.new_tensor(torch.nan)


def calibration(samples: Tensor, hr: Tensor) -> Tensor:
    """Returns the RMS distance between two samples of one reference, divided by the RMS error of a sample.

    Both are roots of means of squares, over pixels, colours and pairs of samples or samples. For an ideal posterior
    the original is one more draw, as far from a sample as the samples are from each other, and the ratio is 1. Below
    1 the samples differ less than they should, and above 1 more.

    Args:
        samples: [K, 3, H, W].
        hr: [3, H, W].

    Returns: a scalar; NaN for K < 2, and if every sample is the original.
    """
    samples, originals = as_pictures(samples, hr)
    between = torch.pdist(samples.flatten(1).double()).square().mean()
    error = (samples.double() - originals.double()).square().flatten(1).sum(dim=1).mean()
    return (between / error).sqrt()


def best(scores: Tensor) -> Tensor:
    """Returns the highest of a reference's scores [K] without regard to NaN; NaN if there is no other."""
    present = scores[~scores.isnan()]
    return present.max() if len(present) else scores.new_tensor(torch.nan)


def share_below(scores: Tensor, bound: float) -> float:
    """Returns the share (0 to 1) of scores [N] that are below `bound` or, for failed samples, NaN; NaN for N = 0."""
    return float((~(scores >= bound)).double().mean())


def pairwise_rms(samples: Tensor) -> Tensor:
    """Returns the root-mean-square difference of two samples of one reference, averaged over pairs.

    Args:
        samples: [K, 3, H, W].

    Returns: a scalar in grey levels, 0 to 255; NaN for K < 2.
    """
    samples = _picture(samples).flatten(1)
    return 255 * torch.pdist(samples).mean() / samples.shape[1] ** 0.5


def pixel_std(samples: Tensor) -> Tensor:
    """Returns the standard deviation of a value over the samples of one reference, averaged over pixels and colours.

    This is SRFlow's measure of diversity (Lugmayr et al., ECCV 2020). The variance is unbiased (divides by K - 1), so
    twice its mean is the mean squared difference of two samples, averaged over pairs.

    Args:
        samples: [K, 3, H, W].

    Returns: a scalar in grey levels, 0 to 255; NaN for K < 2.
    """
    return 255 * _variance(samples).sqrt().mean()


def spread(samples: Tensor) -> Tensor:
    """Returns the standard deviation of each pixel over the samples of one reference.

    It is the root of the unbiased variance (divides by K - 1), averaged over the three colours.

    Args:
        samples: [K, 3, H, W].

    Returns: [H, W] in grey levels, 0 to 255; NaN for K < 2.
    """
    return 255 * _variance(samples).mean(dim=0).sqrt()


def _variance(samples: Tensor) -> Tensor:
    """Returns the unbiased variance of each value over the samples: [K, 3, H, W] -> [3, H, W] float64."""
    samples = _picture(samples).double()
    return (samples - samples.mean(dim=0)).square().sum(dim=0) / max(len(samples) - 1, 0)


def pairwise_lpips(samples: Features) -> Tensor:
    """Returns the LPIPS of two samples of one reference, averaged over pairs.

    Args:
        samples: the features of K samples.

    Returns: a scalar; NaN for K < 2.
    """
    return samples.pairwise().mean()


def over_references(scores: Iterable[Tensor]) -> dict[str, float]:
    """Averages the scores of each reference's samples, then returns statistics over the references.

    NaN means that a score does not exist (a failed sample, no original) and is left out, as is a reference with NaN
    only.

    Args:
        scores: the scores [K] of each reference.

    Returns: {"mean", "std" (of the population: divides by n), "min" (over all samples)}; all NaN without any score.
    """
    present = [values[~values.isnan()].double() for values in scores]
    present = [values for values in present if len(values)]
    if not present:
        return {"mean": torch.nan, "std": torch.nan, "min": torch.nan}
    means = torch.stack([values.mean() for values in present])
    return {"mean": float(means.mean()), "std": float(means.std(correction=0)), "min": float(torch.cat(present).min())}


def _picture(x: Tensor) -> Tensor:
    """Clamps to [0, 1], in float32 or better. NaN stays NaN; infinity, which clamping would hide, becomes NaN."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return torch.where(x.isfinite(), x.clamp(0, 1), torch.nan)


def as_pictures(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Clamps both and gives them one dtype and shape: x is [N, 3, H, W], y the same or [3, H, W], which is repeated.

    Raises:
        ValueError: the shapes cannot be compared.
    """
    if x.ndim != 4 or x.shape[1] != 3 or y.shape not in (x.shape, x.shape[1:]):
        raise ValueError(f"Expected [N, 3, H, W] and the same or [3, H, W]; got {list(x.shape)} and {list(y.shape)}.")
    x, y = _picture(x), _picture(y)
    dtype = torch.promote_types(x.dtype, y.dtype)
    return x.to(dtype), y.to(dtype).expand_as(x)
