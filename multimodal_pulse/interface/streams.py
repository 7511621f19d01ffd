"""Standard output and error, for programs that have none."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any


@contextmanager
def usable_streams() -> Iterator[None]:
    """Lets a missing or closed `sys.stdout` or `sys.stderr` swallow what is written to it within the block.

    A service or a program without a console has None there. A descriptor that the shell has closed (`2>&-`) would
    otherwise be given to the next file, and messages of libraries would be written into that.
    """
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is None or getattr(stream, "closed", False):
                nowhere: Any = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.enter_context(redirect(nowhere))
        yield
