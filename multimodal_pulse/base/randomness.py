"""One random stream per (seed, reference, sample, purpose), so that no draw depends on its neighbours."""

import hashlib
import json

import torch

_SKIP_BITS = 16


def stream(seed: int, reference: str, sample: int, purpose: str) -> torch.Generator:
    """The random stream of one sample of one reference, for one purpose.

    Draws happen on the CPU, whatever device the search runs on, so that a GPU run starts where a CPU run does. What is
    shared by all samples of a reference is drawn from its sample 0.

    Args:
        seed: the run's seed; 0 is a seed like any other.
        reference: name of the reference.
        sample: index of the sample, from 0.
        purpose: what is drawn: "latent", "lr_noise" or "synthesis_noise".

    Returns:
        A new CPU generator at the start of its stream.
    """
    # JSON keeps the four apart: ("a", 11) and ("a1", 1) give different texts.
    digest = hashlib.sha256(json.dumps([seed, reference, sample, purpose]).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:4]))
    # torch's CPU generator uses only 32 bits of its seed, where two of 100,000 streams would probably collide. Starting
    # at a place that another part of the digest names makes it 48.
    torch.empty(int.from_bytes(digest[4:8]) >> (32 - _SKIP_BITS), dtype=torch.int32).random_(generator=generator)
    return generator
