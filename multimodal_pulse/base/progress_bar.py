"""Progress bars on stderr, for a terminal and for a file."""

import sys
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm


class _Lines(tqdm):
    """A bar for a file or a pipe: a line for each update, where a terminal's bar would go back in its own."""

    disable: bool

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        """What tqdm draws with."""
        return lambda text: print(text, file=file, flush=True)

    def close(self) -> None:
        """Writes where the work stands, at most once."""
        if not self.disable:
            self.display()
            self.disable = True
            self._decr_instances(self)


def progress_bar(**arguments: Any) -> tqdm:
    """One line on stderr; where stderr is no terminal, a line every few seconds.

    Args:
        arguments: tqdm's.
    """
    terminal = sys.stderr.isatty()
    return (tqdm if terminal else _Lines)(
        file=sys.stderr, mininterval=0.1 if terminal else 5.0, dynamic_ncols=True, **arguments
    )
