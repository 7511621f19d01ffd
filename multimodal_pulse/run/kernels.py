"""The operators of the generator that a run searches with: fused ones where they pay, else those of PyTorch."""

import torch
from omegaconf import DictConfig

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.validation import AUTO
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.ops.build import BuildError
from multimodal_pulse.generator.ops.fused import COLOURS, FusedOperators, PlainOperators

FEWEST_CHANNELS = 16
"""With 8 channels the fused operators gain nothing, with 16 they take half the time (experiments/benchmark)."""


def with_kernels(cfg: DictConfig, device: torch.device, generator: Generator) -> tuple[DictConfig, str | None]:
    """Gives the generator its operators.

    Args:
        cfg: the configuration.
        device: the device of the search.
        generator: the generator.

    Returns: the configuration with what was decided in place of `trainer.kernels=auto`, and a sentence if the fused
        operators could not be built; else None.

    Raises:
        UserError: `trainer.kernels=fused`, and they cannot be used or built.
    """
    asked, sentence = str(cfg.trainer.kernels), None
    if asked == PlainOperators.name:
        generator.operators = PlainOperators()
        return cfg, None
    against = _against(str(cfg.trainer.precision), device, generator)
    if against is None or asked == FusedOperators.name:
        try:
            generator.operators = FusedOperators("they pay on a processor" if asked == AUTO else None)
        except BuildError as error:
            against, sentence = f"they cannot be built ({error})", f"The fused operators cannot be built ({error})"
    if asked == FusedOperators.name:
        if against is not None:
            raise UserError(f"trainer.kernels=fused: {against}; trainer.kernels=auto does without them.")
        return cfg, None
    if against is not None:
        generator.operators = PlainOperators(against)
    decided = cfg.copy()
    decided.trainer.kernels = generator.operators.name
    return decided, sentence and f"{sentence}: the search runs without; trainer.kernels=plain does not try."


def _against(precision: str, device: torch.device, generator: Generator) -> str | None:
    """Returns why the fused operators are of no use to a search; None if they are."""
    architecture = generator.architecture
    if device.type != "cpu":
        return "they are for a processor"
    if precision not in ("32-true", "bf16-mixed"):
        return f"they do not compute in {precision}"
    if architecture.img_channels != COLOURS:
        return f"they are for pictures of {COLOURS} channels"
    if architecture.channels(architecture.resolution) < FEWEST_CHANNELS:
        return f"a layer has fewer than {FEWEST_CHANNELS} channels"
    return None
