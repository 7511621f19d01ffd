"""In which precision a search computes, where the configuration leaves it to the program."""

import torch
from omegaconf import DictConfig

from multimodal_pulse.configuration.validation import AUTO

BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""What processors with arithmetic in bfloat16 have, by PyTorch's names: two of x86 and one of ARM."""


def with_precision(cfg: DictConfig, device: torch.device) -> tuple[DictConfig, str | None]:
    """Returns the configuration with a precision in place of `trainer.precision=auto`.

    The generator's passes of a search are computed in bfloat16 where that is quicker, which changes neither the scores
    nor the distances by more than another seed does (experiments/benchmark). The losses, the optimiser, the consistency
    step and the pictures that are saved are in single precision in any case.

    Args:
        cfg: the configuration.
        device: the device of the search.

    Returns: with it, the reason of the choice, None if the configuration has a precision.
    """
    if cfg.trainer.precision != AUTO:
        return cfg, None
    decided = cfg.copy()
    if computes_in_bfloat16(device):
        decided.trainer.precision, reason = "bf16-mixed", "the device computes in bfloat16"
    else:
        decided.trainer.precision, reason = "32-true", "the device does not compute in bfloat16"
    return decided, reason


def computes_in_bfloat16(device: torch.device) -> bool:
    """Returns whether a device has instructions for bfloat16, with which it is quicker than in single precision."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(capabilities.get(name) for name in BFLOAT16_INSTRUCTIONS)
