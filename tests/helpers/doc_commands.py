"""The commands in README.md and the pages of docs/.

Every block of commands is fenced as bash. Either a test runs all of it, or a comment in the line before it says what it
needs that a test has not: `<!-- needs: a network -->`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from places import ROOT

PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^(?:<!-- needs: (?P<needs>[^\n]+) -->\n)?```bash\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command of a page.

    Attributes:
        words: its words, as a shell hands them over.
        needs: what it needs that a test has not; None: a test runs it.
    """

    words: list[str]
    needs: str | None

    @property
    def search(self) -> list[str] | None:
        """The arguments of a search; None if it is none."""
        return self.words[2:] if self.words[:2] == ["python", "run.py"] else None


def commands(page: str) -> Iterator[Command]:
    """The commands of a page, in order."""
    for block in _BLOCK.finditer(text(page)):
        for line in block["lines"].replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield Command(words, block["needs"])


def text(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")
