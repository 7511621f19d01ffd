"""Lightning's trainer as this program uses it: one device, no files, no messages, and Ctrl-C and SIGTERM end it."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException
from pytorch_lightning.utilities.memory import is_oom_error

from multimodal_pulse.base.errors import Terminated


def out_of_memory(error: BaseException) -> bool:
    """Returns whether the error means that memory ran out, in Python or on one of PyTorch's devices."""
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or is_oom_error(error)  # the errors of the processor and of cuDNN, known by their messages only
        or (isinstance(error, RuntimeError) and "MPS backend out of memory" in str(error))
    )


def make_trainer(num_groups: int, **options: Any) -> pl.Trainer:
    """Makes a trainer for `num_groups` groups on a single device; `options` of Lightning replace the defaults here."""
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
def quiet_lightning() -> Iterator[None]:
    """Hides Lightning's notes and warnings, and makes Ctrl-C raise KeyboardInterrupt and SIGTERM raise `Terminated`.

    Lightning sets its logger's level when it is imported, after Hydra has configured logging. It also turns Ctrl-C into
    an exit and ignores further ones, and SIGTERM into an exit with status 0, as if everything had been searched.
    """
    logger = logging.getLogger("pytorch_lightning")
    level, handler = logger.level, signal.getsignal(signal.SIGINT)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training")
            warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\)")
            yield
    except SIGTERMException as error:
        raise Terminated(signal.SIGTERM) from error
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error
    finally:
        logger.setLevel(level)
