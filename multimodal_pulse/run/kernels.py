"""The operators of the generator that a run searches with: fused or compiled where that pays, else PyTorch's own."""

import torch
from omegaconf import DictConfig

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.validation import AUTO
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.ops.build import BuildError
from multimodal_pulse.generator.ops.compiled import CompiledOperators
from multimodal_pulse.generator.ops.fused import COLOURS, FusedOperators, PlainOperators
from multimodal_pulse.generator.stylegan2 import LOWEST_RESOLUTION, Architecture

FEWEST_CHANNELS = 16
"""With 8 channels the fused operators gain nothing, with 16 they take half the time (experiments/benchmark)."""

FLOP_THAT_REPAY_COMPILING = 10e15
"""On a GPU, on paper: compiling saves about 5 ms for 1e12 operations and costs about a minute. No GPU was tried."""


def with_kernels(
    cfg: DictConfig, device: torch.device, generator: Generator, passes: int
) -> tuple[DictConfig, str | None]:
    """Gives the generator its operators.

    Args:
        cfg: the configuration.
        device: the device of the search.
        generator: the generator.
        passes: how many the whole run takes.

    Returns: the configuration with what was decided in place of `trainer.kernels=auto` and `trainer.compile=auto`, and
        a sentence if the fused operators could not be built; else None.

    Raises:
        UserError: `trainer.kernels=fused`, and they cannot be used or built.
    """
    decided = cfg.copy()
    why_compiled = None
    if cfg.trainer.compile == AUTO:
        repays = passes * pass_flop(generator.architecture) >= FLOP_THAT_REPAY_COMPILING
        decided.trainer.compile = device.type == "cuda" and repays and cfg.trainer.kernels != FusedOperators.name
        why_compiled = "the work repays the minute that it takes"
    if decided.trainer.compile:
        generator.operators = CompiledOperators(why_compiled)
        decided.trainer.kernels = PlainOperators.name
        return decided, None
    asked, sentence = str(cfg.trainer.kernels), None
    if asked == PlainOperators.name:
        generator.operators = PlainOperators()
        return decided, None
    against = _against(str(cfg.trainer.precision), device, generator)
    if against is None or asked == FusedOperators.name:
        try:
            generator.operators = FusedOperators("they pay on a processor" if asked == AUTO else None)
        except BuildError as error:
            against, sentence = f"they cannot be built ({error})", f"The fused operators cannot be built ({error})"
    if asked == FusedOperators.name:
        if against is not None:
            raise UserError(f"trainer.kernels=fused: {against}; trainer.kernels=auto does without them.")
        return decided, None
    if against is not None:
        generator.operators = PlainOperators(against)
    decided.trainer.kernels = generator.operators.name
    return decided, sentence and f"{sentence}: the search runs without; trainer.kernels=plain does not try."


def pass_flop(architecture: Architecture) -> int:
    """Returns the floating-point operations of a pass, forward and backward to the features: its convolutions'."""
    forward = 0
    for resolution in architecture.block_resolutions:
        channels = architecture.channels(resolution)
        forward += 2 * 9 * channels**2 * resolution**2
        if resolution > LOWEST_RESOLUTION:
            below = architecture.channels(resolution // 2)
            forward += 2 * 9 * below * channels * (resolution // 2) ** 2
    return 2 * forward


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
