"""Latent spaces: what the optimiser moves, and its way to a picture."""
