"""The LR-PSNR from which a sample counts as faithful; this module does not import torch."""

OK_LR_PSNR_DB = 27.0
"""PULSE's eps, an LR mean squared error of 2e-3, below which PULSE accepts a picture as faithful."""

EXACT_LR_PSNR_DB = 60.0
"""What the saved samples of `consistency=exact` reach for every reference that a picture in [0, 1] can have."""

NTIRE_LR_PSNR_DB = 45.0
"""The mean over all samples that the NTIRE challenges "Learning the Super-Resolution Space" ask for."""
