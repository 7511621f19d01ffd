"""Tracking by Weights & Biases. The only module that imports wandb; `wandb_report` has its library of reports."""

import netrc
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.metrics.evaluation import SampleRecord, Scores
from multimodal_pulse.references.pixels import to_pil
from multimodal_pulse.results.pictures.verdict import faithful_words
from multimodal_pulse.results.tracking.trackers import NullTracker

Mode = Literal["offline", "online", "disabled"]

NOT_AVERAGED = ("reference", "sample", "status")
"""The keys of a record that are not scores."""
NOT_MEASURED = (
    "reference", "file", "records", "settings", "lpips_backbone", "realism_backbone", "weights_sha256", "group",
    "halved", "stopped", "vary", "remarks",
)  # fmt: skip
"""The keys of record.json that are not scores of the reference."""


class WandbTracker(NullTracker):
    """Logs to a Weights & Biases run in wandb/ of the run directory; offline it needs no account, key or network.

    The W&B run belongs to this job: it does not take over or end another one in the process, and it leaves the W&B
    settings of the process unchanged. Its data and cache are in wandb/ as well, so that the home folder need not be
    writable; WANDB_DATA_DIR and WANDB_CACHE_DIR move them to others that are. WANDB_MODE=disabled disables it. It is
    open from the beginning of the block to `close`. It has

    - curves: `<name>/<label>` over `step`, so that the groups of a run overlap in a plot;
    - galleries: `grid/<reference>`, `mean/<reference>`, `spread/<reference>` and `samples/<reference>`, a list
      (pictures in tables do not survive offline);
    - the table `references`, with a row for each reference: the means of its samples' scores, their lowest LR-PSNR, its
      diversity and its seconds; and the table `records`, with a row for each sample;
    - metrics.json as the summary, its keys joined by dots.

    If an agent of a W&B sweep has started the process, wandb adds the run to that sweep and its project.
    docs/sweep.yaml is an example of such a sweep.

    Args:
        run_dir: the run directory.
        config: the configuration of the run, as plain containers.
        group: the name shared by the runs of a sweep; None for a single run.
        project: the W&B project.
        mode: "offline", "online" (needs a key that is set up already) or "disabled".
        limit: the number of groups whose curves, and of references whose pictures, are logged: the first ones. The
            tables have every reference and every sample.

    Raises:
        UserError: there is no key for "online"; on entering the block, W&B refused the run.
    """

    def __init__(
        self,
        run_dir: str | Path,
        config: Mapping[str, Any] | None = None,
        group: str | None = None,
        project: str = "multimodal-pulse",
        mode: Mode = "offline",
        limit: int = 64,
    ) -> None:
        super().__init__(run_dir, config, group)
        # Imported here, since it takes a second that a run with another tracker does not need.
        import wandb

        self._wandb = wandb
        self._config = dict(config or {})
        self._group = group
        self._project = project
        self._mode = mode
        self._limit = limit
        self._labels: set[str] = set()
        self._galleries = 0
        self._open = ExitStack()
        if _disabled_outside():
            self._mode = "disabled"
        if self._mode == "online":
            refuse_without_key("tracking.mode=online", "use tracking.mode=offline")

    def __enter__(self) -> Self:
        wandb = self._wandb
        folder = (self.run_dir / "wandb").absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self._say_mode()
        with ExitStack() as opening:
            own = {"WANDB_DATA_DIR": str(folder / "data"), "WANDB_CACHE_DIR": str(folder / "cache")}
            usable = {name for name in own if _is_writable(os.environ.get(name))}
            opening.enter_context(_environment({name: own[name] for name in own.keys() - usable}))
            quiet = {} if self._mode == "online" else {"WANDB_ERROR_REPORTING": "false"}
            try:
                # W&B's own process reads these when it starts, and refuses a WANDB_MODE that it does not know.
                with _environment(quiet | {"WANDB_MODE": self._mode}), _without_launch():
                    self.run = wandb.init(
                        project=self._project,
                        dir=self.run_dir,
                        name=self.run_dir.name,
                        group=self._group,
                        config=self._config,
                        mode=self._mode,
                        reinit="create_new",
                        settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True),
                    )
            except Exception as error:  # of its own, of the network and of the disk
                reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
                raise UserError(f"W&B refused the run ({reason}); tracking=csv does without it.") from error
            opening.callback(self._finish)
            self.run.define_metric("step", hidden=True)
            self._open = opening.pop_all()
        return self

    def _say_mode(self) -> None:
        """Says on stderr what the user would wait for, and which setting of the environment has no effect."""
        outside = os.environ.get("WANDB_MODE", self._mode)
        if outside != self._mode:
            say = f"WANDB_MODE={outside} has no effect: tracking.mode={self._mode} decides"
            print(f"note: {say}", file=sys.stderr)
        if self._mode == "online":
            host = urlsplit(self._wandb.setup().settings.base_url).netloc
            print(
                f"note: connecting to W&B at {host}, for 90 s at the most; tracking.mode=offline needs no network",
                file=sys.stderr,
                flush=True,
            )

    def log_step(self, label: str, step: int, values: Mapping[str, float]) -> None:
        if label not in self._labels:
            if len(self._labels) == self._limit:
                return
            self._labels.add(label)
            for name in values:
                self.run.define_metric(f"{name}/{label}", step_metric="step")
        self.run.log({"step": step, **{f"{name}/{label}": value for name, value in values.items()}})

    def log_reference(self, scores: Scores, samples: Tensor, pages: Mapping[str, Image.Image]) -> None:
        if self._galleries == self._limit:
            return
        self._galleries += 1
        name = scores.records[0].reference
        gallery = [
            self._wandb.Image(to_pil(sample), caption=_caption(record))
            for sample, record in zip(samples, scores.records, strict=True)
        ]
        drawn = {f"{Path(file).stem}/{name}": self._wandb.Image(page) for file, page in pages.items()}
        self.run.log({**drawn, f"samples/{name}": gallery})

    def log_tables(self, entries: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]) -> None:
        records = [record for entry in entries for record in entry["records"]]
        with _whole_tables(self._wandb):
            self.run.log({"references": self._table(list(map(_row, entries))), "records": self._table(records)})
        self.run.summary.update({name: value for name, value in flat(metrics) if value is not None})

    def _table(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Makes a table with a column for each key of the rows; a missing value is None."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        return self._wandb.Table(columns=[*columns], data=[[row.get(column) for column in columns] for row in rows])

    def close(self) -> None:
        self._open.pop_all().close()

    def _finish(self) -> None:
        if self._mode == "online":
            print("note: W&B uploads what is left; after Ctrl-C, `wandb sync` does", file=sys.stderr, flush=True)
        try:
            self.run.finish()
        except Exception:
            # W&B's process has died: without this, no further run of this process could be tracked.
            with suppress(Exception):
                self._wandb.teardown()
            raise


def _caption(record: SampleRecord) -> str:
    looks = {None: "", True: ", realistic", False: ", not realistic"}[record.realistic]
    return f"sample {record.sample}: {faithful_words(record.status, record.lr_psnr)}{looks}"


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a reference, from its record.json: means over its samples, and its own scores."""
    records = entry["records"]
    scores = {name: [record[name] for record in records] for name in records[0] if name not in NOT_AVERAGED}
    known = {name: [value for value in values if value is not None] for name, values in scores.items()}
    return {
        "reference": entry["reference"],
        **{name: fmean(values) if values else None for name, values in known.items()},
        "lr_psnr_worst": min(known["lr_psnr"], default=None),
        **dict(flat({name: value for name, value in entry.items() if name not in NOT_MEASURED})),
    }


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields ("lr_psnr.mean", 30.1) for {"lr_psnr": {"mean": 30.1}}."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@contextmanager
def _whole_tables(wandb: Any) -> Iterator[None]:
    """Lifts W&B's silent limit of 10,000 rows: 2824 references of 4 samples have more."""
    before = wandb.Table.MAX_ROWS
    wandb.Table.MAX_ROWS = wandb.Table.MAX_ARTIFACT_ROWS  # the limit of the stored file
    try:
        yield
    finally:
        wandb.Table.MAX_ROWS = before


def refuse_without_key(what: str, otherwise: str) -> None:
    """Looks for a key where wandb looks for it, since wandb would ask for a missing one on the terminal.

    Args:
        what: what needs the key, for the sentence.
        otherwise: what to do without one.

    Raises:
        UserError: there is none.
    """
    import wandb

    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return
    named = os.environ.get("NETRC")
    host = urlsplit(wandb.setup().settings.base_url).netloc
    for path in [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            if netrc.netrc(path).authenticators(host):
                return
        except (OSError, netrc.NetrcParseError):
            continue
    raise UserError(f"{what} needs a W&B key and none is set up; run `wandb login`, set WANDB_API_KEY, or {otherwise}.")


def _disabled_outside() -> bool:
    """Returns whether the environment disables W&B, in one of the two ways that it has for this."""
    return os.environ.get("WANDB_MODE") == "disabled" or os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1")


def _is_writable(folder: str | None) -> bool:
    """Returns whether files can be made in a folder, which is made if it is missing; False for None."""
    if not folder:
        return False
    try:
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@contextmanager
def _without_launch() -> Iterator[None]:
    """Spares `wandb.init` the import of W&B Launch, which takes longer than all else there and has no inputs here."""
    from wandb.sdk.wandb_run import Run

    name = "_detect_and_apply_job_inputs"
    inner = getattr(Run, name, None)
    if inner is None or "wandb.sdk.launch" in sys.modules:
        yield
        return
    setattr(Run, name, lambda run: None)
    try:
        yield
    finally:
        setattr(Run, name, inner)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ |= values
    try:
        yield
    finally:
        for name, earlier in before.items():
            if earlier is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = earlier
