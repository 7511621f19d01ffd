"""What each visitor has: pictures and runs, which nobody else sees."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multimodal_pulse.studio.limits import (
    PICTURES,
    RUNS,
    SESSION_BYTES,
    SESSIONS,
    BusyError,
    NotFoundError,
    TooMuchError,
)
from multimodal_pulse.studio.queue import Job


@dataclass(frozen=True)
class Picture:
    """A picture that a visitor searches.

    Attributes:
        id: its number in the session, in hexadecimal digits.
        overrides: what names it on the command line.
        folder: where its files lie: the file itself, if it was uploaded, its preview and its references.
        file: its file; None for a built-in portrait.
        facts: what the page shows of it.
    """

    id: str
    overrides: tuple[str, ...]
    folder: Path
    file: Path | None
    facts: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The kind of picture, a key of `choices.KINDS`."""
        return "portrait" if self.file is None else "photograph"

    @property
    def shown(self) -> dict[str, Any]:
        """What the page gets."""
        return {"id": self.id, "kind": self.kind, **self.facts}


@dataclass
class Run:
    """A run of a visitor.

    Attributes:
        id: its number in the session.
        job: its place in the queue and what it has reported.
        run_dir: its run directory.
        overrides: its overrides, without the run directory.
        files: the files that the overrides name, by their names in the bundle.
        picture: what was searched.
        title: the method and the number of samples.
    """

    id: str
    job: Job
    run_dir: Path
    overrides: tuple[str, ...]
    files: Mapping[str, Path]
    picture: Picture
    title: str


@dataclass
class Session:
    """One visitor.

    Attributes:
        folder: everything of this visitor.
        pictures, runs: by id, the oldest first.
        seen: when the visitor was last there, by `time.monotonic`.
    """

    folder: Path
    pictures: OrderedDict[str, Picture] = field(default_factory=OrderedDict)
    runs: OrderedDict[str, Run] = field(default_factory=OrderedDict)
    seen: float = field(default_factory=time.monotonic)
    _numbers: int = 0

    def new_id(self) -> str:
        """Returns an id that nothing of this visitor has had."""
        self._numbers += 1
        return f"{self._numbers:04x}"

    def add_picture(self, picture: Picture) -> None:
        """Remembers a picture; beyond the limit the oldest is forgotten, though its files stay."""
        self.pictures[picture.id] = picture
        while len(self.pictures) > PICTURES:
            self.pictures.popitem(last=False)

    def add_run(self, run: Run) -> None:
        """Remembers a run; beyond the limit the oldest finished one is forgotten, though its files stay."""
        self.runs[run.id] = run
        finished = [known.id for known in self.runs.values() if known.job.ended]
        for known in finished[: max(0, len(self.runs) - RUNS)]:
            del self.runs[known]

    def picture(self, picture_id: str) -> Picture:
        """Returns a picture of this visitor; raises NotFoundError if there is none."""
        if picture_id not in self.pictures:
            raise NotFoundError("That picture is not here any more: take it again.")
        return self.pictures[picture_id]

    def run(self, run_id: str) -> Run:
        """Returns a run of this visitor; raises NotFoundError if there is none."""
        if run_id not in self.runs:
            raise NotFoundError("That search is not here any more.")
        return self.runs[run_id]

    def refuse_busy(self) -> None:
        """Raises BusyError if a search of this visitor waits or runs."""
        if self.busy:
            raise BusyError("Your last search has not ended yet: stop it, or wait for it.")

    def refuse_full(self) -> None:
        """Raises TooMuchError if this visitor's files take too much of the disk."""
        there = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        if there > SESSION_BYTES:
            raise TooMuchError(
                f"What you have uploaded and found takes {there / 1e9:.1f} GB, the most that the studio keeps: start it"
                " again for a new beginning."
            )

    @property
    def busy(self) -> bool:
        """Whether a search of this visitor waits or runs."""
        return any(not run.job.ended for run in self.runs.values())


class Sessions:
    """All visitors, by the secret in their cookie.

    Args:
        folder: where the folders of visitors are made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sessions: dict[str, Session] = {}

    def of(self, secret: str | None) -> tuple[str, Session]:
        """Returns a visitor by the secret; a new one, with a new secret, if nobody has it.

        Raises:
            BusyError: too many visitors have searches that run or wait.
        """
        session = self._sessions.get(secret or "")
        if secret is None or session is None:
            self._make_room()
            # The folder's name is no secret: runs and commands show it.
            secret = secrets.token_urlsafe(24)
            session = self._sessions[secret] = Session(self.folder / secrets.token_hex(4))
        session.seen = time.monotonic()
        return secret, session

    def known(self, secret: str | None) -> Session:
        """Returns a visitor by the secret; raises NotFoundError if nobody has it."""
        session = self._sessions.get(secret or "")
        if session is None:
            raise NotFoundError("The studio does not know you any more: reload the page.")
        session.seen = time.monotonic()
        return session

    def _make_room(self) -> None:
        if len(self._sessions) < SESSIONS:
            return
        idle = [(session.seen, secret) for secret, session in self._sessions.items() if not session.busy]
        if not idle:
            raise BusyError("Everybody's place in the studio is taken: try again in a few minutes.")
        del self._sessions[min(idle)[1]]
