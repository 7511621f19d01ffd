"""Lightning's trainer as this program uses it: one device, no files, no words, and Ctrl-C means what it says."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.memory import is_oom_error


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocator, Python's or that of one of PyTorch's devices, has nothing left to give."""
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or is_oom_error(error)  # the processor's and cuDNN's, which are told by their words alone
        or (isinstance(error, RuntimeError) and "MPS backend out of memory" in str(error))
    )


def make_trainer(num_groups: int, **options: Any) -> pl.Trainer:
    """A trainer for `num_groups` groups on a single device. `options` are Lightning's and win over what is set here."""
    return pl.Trainer(
        **{
            "devices": 1,
            "max_epochs": num_groups,
            "logger": False,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "enable_progress_bar": False,
            "num_sanity_val_steps": 0,
        }
        | options
    )


@contextmanager
def as_a_guest() -> Iterator[None]:
    """Keeps Lightning's notes and warnings to itself, and gives Ctrl-C its meaning back.

    Lightning sets its logger's level when it is imported, after Hydra has configured logging; it turns Ctrl-C into an
    exit and ignores it from then on.
    """
    logger = logging.getLogger("pytorch_lightning")
    level, handler = logger.level, signal.getsignal(signal.SIGINT)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training")
            warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\)")
            yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error
    finally:
        logger.setLevel(level)
