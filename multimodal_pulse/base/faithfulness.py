"""When a sample counts as faithful; without torch, for whatever only speaks of it."""

OK_LR_PSNR_DB = 27.0
"""PULSE's eps, an LR mean squared error of 2e-3: what it accepts as a picture that downscales correctly."""

NTIRE_LR_PSNR_DB = 45.0
"""What the NTIRE challenges on learning the super-resolution space ask for, on average over all samples."""
