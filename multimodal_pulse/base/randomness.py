"""One random stream per (seed, reference, sample, purpose), so that no draw depends on another."""

import hashlib
import json

import torch

_SKIP_BITS = 16


def stream(seed: int, reference: str, sample: int, purpose: str) -> torch.Generator:
    """Makes the random stream of one sample of one reference, for one purpose.

    Random numbers are always drawn on the CPU, so a search on a GPU starts like a search on the CPU. Draws that all
    samples of a reference share come from the stream of sample 0.

    Args:
        seed: the seed of the run; 0 is a seed like any other.
        reference: the name of the reference.
        sample: the index of the sample, from 0.
        purpose: "latent", "lr_noise", "synthesis_noise", "after_step" or "draw".

    Returns:
        A new CPU generator at the start of its stream.
    """
    # JSON separates the four: ("a", 11) and ("a1", 1) give different texts.
    digest = hashlib.sha256(json.dumps([seed, reference, sample, purpose]).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:4]))
    # torch's CPU generator uses only 32 bits of its seed: two of 100,000 streams would probably be equal. Skipping a
    # number of draws, given by another part of the digest, makes it 48 bits.
    torch.empty(int.from_bytes(digest[4:8]) >> (32 - _SKIP_BITS), dtype=torch.int32).random_(generator=generator)
    return generator
