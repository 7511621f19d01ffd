"""Progress bars on stderr, for a terminal and for a file."""

import sys
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm


class _Lines(tqdm):
    """A bar for a file or a pipe: it prints a new line for each update instead of rewriting the same line."""

    disable: bool

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        """Returns the function with which tqdm prints."""
        return lambda text: print(text, file=file, flush=True)

    def moveto(self, n: int) -> None:
        """Stays where it is: a bar inside another has lines of its own, and a file knows no cursor."""

    def close(self) -> None:
        """Prints the final state, once."""
        if not self.disable:
            self.display()
            self.disable = True
            self._decr_instances(self)


def progress_bar(**arguments: Any) -> tqdm:
    """Makes a progress bar on stderr; if stderr is not a terminal, it prints a new line every few seconds.

    Args:
        arguments: arguments of tqdm.
    """
    terminal = getattr(sys.stderr, "isatty", lambda: False)()
    return (tqdm if terminal else _Lines)(
        file=sys.stderr, mininterval=0.1 if terminal else 5.0, dynamic_ncols=True, **arguments
    )
