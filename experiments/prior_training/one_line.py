"""How the scripts of this folder end: with one line for what the user can mend, and for a signal."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from multimodal_pulse.base.errors import STOPS, Terminated
from multimodal_pulse.interface.messages import say_error
from multimodal_pulse.interface.signals import ending_signals_raise


@contextmanager
def ending_in_one_line() -> Iterator[None]:
    """Turns errors and signals into one line on stderr and the usual exit status, 1 or 128 + the signal's number."""
    try:
        with ending_signals_raise():
            yield
    except STOPS as stop:
        for note in getattr(stop, "__notes__", ["stopped."]):
            print(note, file=sys.stderr)
        sys.exit(stop.code if isinstance(stop, Terminated) else 128 + signal.SIGINT)
    except Exception as error:
        say_error(error)
        sys.exit(1)
