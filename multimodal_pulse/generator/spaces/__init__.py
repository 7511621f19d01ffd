"""Latent spaces: each maps the latents that the optimiser moves to the generator's input w_plus."""
