"""The error for input that cannot be used, its words, and the end that a signal asks for."""

from collections.abc import Iterable


class UserError(Exception):
    """The message is one sentence with the cause and the remedy; the command line prints it and exits with status 1."""


MOST_LISTED = 10
"""The most names in a sentence that is not told otherwise; the others are counted."""


def listed(names: Iterable[str], most: int = MOST_LISTED, separator: str = ", ") -> str:
    """Names the first `most` and counts the others: `a, b and 3 more`."""
    names = list(names)
    first, more = separator.join(names[:most]), len(names) - most
    return first if more <= 0 else f"{first} and {more} more"


class FullDiskError(OSError):
    """No space was left for a file or folder; `str()` is one sentence with the path, the need and the remedy.

    Args:
        error: what the system said.
        path: the place of the file or folder.
        sentence: the sentence.
    """

    def __init__(self, error: OSError, path: str, sentence: str) -> None:
        super().__init__(error.errno, error.strerror, path)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class Terminated(SystemExit):
    """A signal, such as SIGTERM of a batch system or of a container, asks the program to end.

    It passes every `except Exception`, and ends a program that does not catch it with the usual status.

    Args:
        number: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


STOPS = (KeyboardInterrupt, Terminated)
"""What stops the program from outside. Whoever knows how to resume adds a note (`add_note`), which is printed."""
