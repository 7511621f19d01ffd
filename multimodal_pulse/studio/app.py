"""The addresses of the studio: the page, its files, and what the page asks for.

Everything that belongs to a visitor is found through the session in the cookie, so that no address leads to another
visitor's pictures. What takes PyTorch is done in two processes, see `worker.py`: one looks at pictures, one searches.
"""

import asyncio
import base64
import binascii
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.overrides import literal
from multimodal_pulse.studio import bundle, choices, gallery, runs
from multimodal_pulse.studio.guard import Guard
from multimodal_pulse.studio.limits import BusyError, NotFoundError, TooMuchError
from multimodal_pulse.studio.queue import Job, Queue, WorkFailedError
from multimodal_pulse.studio.sessions import Picture, Run, Session, Sessions
from multimodal_pulse.studio.worker import Worker

PAGE = Path(__file__).with_name("page")
SESSION_COOKIE = "studio_session"
PORTRAITS = 6
"""The number of built-in portraits that the page offers."""
STATUS = {NotFoundError: 404, TooMuchError: 413, BusyError: 503}
"""The status of an answer to a request that cannot be fulfilled; 400 for all other reasons."""


@dataclass
class Studio:
    """What the addresses share.

    Attributes:
        outputs: the folder of runs, which the second view shows.
        sessions: the visitors.
        looking, searching: the queues of the two processes.
    """

    outputs: Path
    sessions: Sessions
    looking: Queue
    searching: Queue


class Asked(BaseModel, extra="forbid"):
    """A search that a visitor asks for.

    Attributes:
        picture: the id of the picture.
        method: the method.
        knobs: the values of its knobs, by their keys on the command line.
        scribble: the mask of the noise, a picture as base64; None: no mask.
    """

    picture: str
    method: str
    knobs: dict[str, float] = Field(default_factory=dict)
    scribble: str | None = None


class Framed(BaseModel, extra="forbid"):
    """The frames of the faces in a picture, as a visitor has moved them: [x, y, side, roll] each."""

    faces: list[list[float]]


class Varied(BaseModel, extra="forbid"):
    """Further samples like one that was found, which differ where it was scribbled on.

    Attributes:
        reference: the name of the reference.
        sample: the number of the sample.
        scribble: where they may differ, a picture as base64.
        knobs: as in `Asked`.
    """

    reference: str
    sample: int
    scribble: str
    knobs: dict[str, float] = Field(default_factory=dict)


def make_app(outputs: Path, host: str = "127.0.0.1", token: str | None = None, names: tuple[str, ...] = ()) -> Any:
    """Makes the application.

    Args:
        outputs: the folder of runs; those of visitors go to a folder of their own in it.
        host: the address that it listens on.
        token: what visitors must show; None: nothing.
        names: further names under which it may be reached.
    """
    sessions = Sessions(outputs / runs.OF_VISITORS / time.strftime("%Y-%m-%d"))
    studio = Studio(outputs, sessions, Queue(Worker(warm_up=False)), Queue(Worker(warm_up=True)))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for queue in (studio.searching, studio.looking):
            queue.worker.start()
        choices.offered()  # composed once and here, since Hydra's state is one for all threads
        yield
        for queue in (studio.searching, studio.looking):
            queue.close()

    # No pages about the addresses: they would load scripts from elsewhere.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.studio = studio
    _add_errors(app)
    _add_pictures(app, studio)
    _add_runs(app, studio)
    _add_outputs(app, studio)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return Guard(app, host, token, names)


def _add_errors(app: FastAPI) -> None:
    def said(status: int, sentence: str) -> JSONResponse:
        return JSONResponse({"error": sentence}, status)

    @app.exception_handler(UserError)
    async def refused(request: Request, error: UserError) -> JSONResponse:
        return said(STATUS.get(type(error), 400), str(error))

    @app.exception_handler(WorkFailedError)
    async def failed(request: Request, error: WorkFailedError) -> JSONResponse:
        return said(400, str(error))

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        return said(400, "The request is not one that the page makes.")

    @app.exception_handler(HTTPException)
    async def answered(request: Request, error: HTTPException) -> JSONResponse:
        return said(error.status_code, error.detail)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return said(500, "Something went wrong in the studio; its terminal says what.")


def _session_cookie(request: Request) -> str:
    """Returns the cookie's name: browsers share cookies among the ports of a machine, which may have two studios."""
    return f"{SESSION_COOKIE}_{request.url.port}"


def _visitor(request: Request) -> Session:
    """Returns the visitor's session, which `/api/choices` has made.

    Raises:
        NotFoundError: there is none, or it had to make room for others.
    """
    studio: Studio = request.app.state.studio
    return studio.sessions.known(request.cookies.get(_session_cookie(request)))


Visitor = Annotated[Session, Depends(_visitor)]


def _add_pictures(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/choices")
    async def offered(request: Request, response: Response) -> dict[str, Any]:
        secret, session = studio.sessions.of(request.cookies.get(_session_cookie(request)))
        response.set_cookie(_session_cookie(request), secret, httponly=True, samesite="strict")
        history = [_of_run(run) for run in session.runs.values()]
        return choices.offered() | {"portraits": PORTRAITS, "history": history}

    @app.post("/api/pictures")
    async def upload(request: Request, session: Visitor, name: str = "") -> dict[str, Any]:
        # The bytes are the body itself: what the visitor calls the file is a label, never a path.
        with _new_folder(session, "picture") as (picture_id, folder):
            file = folder / "upload"
            with file.open("wb") as to:
                async for part in request.stream():
                    to.write(part)
            reference = choices.reference_name(name)
            overrides = (*choices.of_upload(file, reference, None), "degradation.factor=auto")
            return await _look(studio, session, picture_id, folder, overrides, file, name or "the picture")

    @app.post("/api/portraits/{number}")
    async def portrait(number: int, session: Visitor) -> dict[str, Any]:
        if not 0 <= number < PORTRAITS:
            raise NotFoundError("There is no such portrait.")
        overrides = tuple(choices.of_portrait(number))
        with _new_folder(session, "picture") as (picture_id, folder):
            return await _look(studio, session, picture_id, folder, overrides, None, f"portrait {number + 1}")

    @app.post("/api/pictures/{picture_id}/faces")
    async def move_frames(picture_id: str, framed: Framed, session: Visitor) -> dict[str, Any]:
        picture = session.picture(picture_id)
        if picture.file is None:
            raise UserError("A built-in portrait has no frame.")
        own = [override for override in picture.overrides if not override.startswith("references.faces=")]
        overrides = (*own, choices.faces_override(framed.faces))
        with _new_folder(session, "picture") as (new_id, folder):
            return await _look(studio, session, new_id, folder, overrides, picture.file, picture.facts["called"])

    @app.get("/api/pictures/{picture_id}")
    async def picture_facts(picture_id: str, session: Visitor) -> dict[str, Any]:
        return session.picture(picture_id).shown

    @app.get("/api/pictures/{picture_id}/{name}")
    async def picture_file(picture_id: str, name: str, session: Visitor) -> FileResponse:
        picture = session.picture(picture_id)
        files = [picture.facts["preview"]]
        files += [reference[key] for reference in picture.facts["references"] for key in ("lr", "hr")]
        if name not in files:
            raise NotFoundError("There is no such picture.")
        return FileResponse(picture.folder / name)


@contextmanager
def _new_folder(session: Session, kind: str) -> Iterator[tuple[str, Path]]:
    """Makes a folder of a visitor, which goes if the block fails; yields the id of what it is for, and the folder.

    Raises:
        TooMuchError: the visitor's files take too much of the disk already.
    """
    session.refuse_full()
    new = session.new_id()
    folder = session.folder / f"{kind}-{new}"
    folder.mkdir(parents=True)
    try:
        yield new, folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


async def _look(
    studio: Studio,
    session: Session,
    picture_id: str,
    folder: Path,
    overrides: tuple[str, ...],
    file: Path | None,
    called: str,
) -> dict[str, Any]:
    """Makes the references of a picture, and remembers it."""
    arguments = {"overrides": overrides, "folder": str(folder), "upload": None if file is None else str(file)}
    job = studio.looking.add(Job("look", **arguments))
    try:
        facts = await job.finished()
    except WorkFailedError as error:
        # The visitor knows the file by another name.
        raise WorkFailedError(str(error).replace(str(file), called)) from error
    notices = [notice.replace(str(file), called) for notice in facts["notices"]]
    facts |= {"notices": notices, "called": called}
    picture = Picture(picture_id, overrides, folder, file, facts)
    session.add_picture(picture)
    return picture.shown


def _add_runs(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/runs")
    async def begin(asked: Asked, session: Visitor) -> dict[str, Any]:
        session.refuse_busy()
        picture = session.picture(asked.picture)
        scribbled = asked.scribble is not None
        own = choices.overrides_of(asked.method, asked.knobs, picture.kind, scribbled)
        overrides = [*picture.overrides, *own]
        files = {} if picture.file is None else {"picture": picture.file}
        with _new_folder(session, "run") as (run_id, folder):
            if asked.scribble is not None:
                files["mask.png"] = await _save_scribble(studio, asked.scribble, folder, picture)
                overrides += ["lr_noise=masked", f"noise.lr_mask={literal(str(files['mask.png']))}"]
            job = await _queued(studio, session, overrides, folder / "run")
            run = Run(run_id, job, folder / "run", tuple(overrides), files, picture, asked.method)
            session.add_run(run)
            return _of_run(run)

    @app.post("/api/runs/{run_id}/vary")
    async def vary(run_id: str, asked: Varied, session: Visitor) -> dict[str, Any]:
        session.refuse_busy()
        before = session.run(run_id)
        parent = gallery.picture(before.run_dir, asked.reference, "lr.png").parent
        with _new_folder(session, "run") as (new_id, folder):
            mask = await _save_scribble(studio, asked.scribble, folder, before.picture)
            overrides = choices.of_variation(parent, asked.sample, mask, asked.knobs)
            job = await _queued(studio, session, overrides, folder / "run")
            files, title = {"mask.png": mask, "parent": parent}, f"like sample {asked.sample}"
            run = Run(new_id, job, folder / "run", tuple(overrides), files, before.picture, title)
            session.add_run(run)
            return _of_run(run)

    @app.get("/api/runs/{run_id}")
    async def state(run_id: str, session: Visitor) -> dict[str, Any]:
        return _of_run(session.run(run_id))

    @app.get("/api/runs/{run_id}/events")
    async def events(run_id: str, session: Visitor) -> StreamingResponse:
        run = session.run(run_id)

        async def stream() -> AsyncIterator[str]:
            with studio.searching.watched(run.job):
                async for _ in run.job.changes():
                    yield f"data: {json.dumps(_of_run(run))}\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    @app.post("/api/runs/{run_id}/stop")
    async def stop(run_id: str, session: Visitor) -> dict[str, Any]:
        run = session.run(run_id)
        studio.searching.stop(run.job)
        return _of_run(run)

    @app.get("/api/runs/{run_id}/files/{reference}/{name}")
    async def run_file(run_id: str, reference: str, name: str, session: Visitor) -> FileResponse:
        run = session.run(run_id)
        return FileResponse(gallery.picture(run.run_dir, reference, name))

    @app.get("/api/runs/{run_id}/bundle.zip")
    async def download(run_id: str, session: Visitor) -> StreamingResponse:
        run = session.run(run_id)
        if run.job.state != "done":
            raise NotFoundError("That search has not ended yet.")
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when it was sent
        await asyncio.to_thread(bundle.write, file, run.run_dir, run.overrides, run.files, run.job.stopped)
        file.seek(0)
        name = f'attachment; filename="{run.picture.facts["references"][0]["name"]}-{run.id}.zip"'
        return StreamingResponse(_parts(file), media_type="application/zip", headers={"content-disposition": name})


def _parts(file: Any, size: int = 2**18) -> Any:
    with file:
        while part := file.read(size):
            yield part


async def _save_scribble(studio: Studio, data: str, folder: Path, picture: Picture) -> Path:
    """Saves a scribble as the file that `noise.lr_mask` takes."""
    try:
        content = base64.b64decode(data.partition("base64,")[2] or data, validate=True)
    except binascii.Error as error:
        raise UserError("The scribble is not a picture.") from error
    path = folder / "mask.png"
    side = picture.facts["resolution"]
    await studio.looking.add(Job("scribble", data=content, path=str(path), side=side)).finished()
    return path


async def _queued(studio: Studio, session: Session, overrides: Sequence[str], run_dir: Path) -> Job:
    """Puts a run into the queue, once its configuration has been checked.

    Raises:
        BusyError: the visitor has a search already, or too many wait.
    """
    await studio.looking.add(Job("check", overrides=list(overrides))).finished()
    session.refuse_busy()  # since another request may have come in between
    return studio.searching.add(Job("search", overrides=[*overrides, "tracking=csv"], run_dir=str(run_dir)))


def _of_run(run: Run) -> dict[str, Any]:
    """Returns what the page shows of a run."""
    job = run.job
    shown: dict[str, Any] = {
        "id": run.id,
        "picture": run.picture.id,
        "title": run.title,
        "state": job.state,
        "position": job.position,
        "failure": job.failure,
        "stopped": job.stopped,
        "progress": job.latest,
        "command": bundle.command(run.overrides, {}, f"{run.run_dir}-again", ["python", "run.py"]),
    }
    if job.state == "done":
        shown["progress"], shown["failure"] = {}, job.result["failure"]
        shown["references"] = gallery.references(run.run_dir)
    return shown


def _add_outputs(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/outputs")
    async def table() -> list[dict[str, Any]]:
        return await asyncio.to_thread(runs.listed, studio.outputs)

    @app.get("/api/outputs/run")
    async def one(name: str) -> dict[str, Any]:
        run = runs.run_dir(studio.outputs, name)
        return {"references": gallery.references(run), "curves": runs.curves(run)}

    @app.get("/api/outputs/picture")
    async def outputs_picture(run: str, reference: str, name: str) -> FileResponse:
        return FileResponse(gallery.picture(runs.run_dir(studio.outputs, run), reference, name))
