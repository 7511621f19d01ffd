"""The LR-PSNR from which a sample counts as faithful; this module does not import torch."""

OK_LR_PSNR_DB = 27.0
"""PULSE's eps, an LR mean squared error of 2e-3, below which PULSE accepts a picture as faithful."""

NTIRE_LR_PSNR_DB = 45.0
"""The mean over all samples that the NTIRE challenges "Learning the Super-Resolution Space" ask for."""
