"""The LR-PSNR from which a sample counts as faithful; this module does not import torch."""

import math

OK_LR_PSNR_DB = 27.0
"""PULSE's eps, an LR mean squared error of 2e-3, below which PULSE accepts a picture as faithful."""

EXACT_LR_PSNR_DB = 60.0
"""What the saved samples of `consistency=exact` reach for every reference that a picture in [0, 1] can have."""

NTIRE_LR_PSNR_DB = 45.0
"""The mean over all samples that the NTIRE challenges "Learning the Super-Resolution Space" ask for."""


def ok_lr_psnr_db(noise_std: float = 0.0, numbers: int = 1) -> float:
    """Returns the LR-PSNR in dB from which a sample is faithful to a reference with noise; OK_LR_PSNR_DB without noise.

    The LR error of a sample and the noise are independent, so their mean squares add up: the error that is accepted of
    the sample itself is the same as without noise. The mean square of the noise varies from one reference to another;
    three standard deviations of it are allowed, so that not even the original is refused, but one time in a thousand.

    Args:
        noise_std: the standard deviation of the noise on the LR picture, in units of the [0, 1] range.
        numbers: how many numbers the LR picture has.
    """
    if not noise_std:
        return OK_LR_PSNR_DB
    noise = noise_std**2 * (1 + 3 * math.sqrt(2 / numbers))
    return -10 * math.log10(10 ** (-OK_LR_PSNR_DB / 10) + noise)
