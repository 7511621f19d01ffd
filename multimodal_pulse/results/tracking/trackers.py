"""Where a run is watched: nowhere, in a CSV file, or in Weights & Biases. The only module that imports wandb.

All three trackers have the same methods, so that nobody asks which one it is:

    with WandbTracker(run_dir, config) as tracker:
        tracker.log_step(label, step, {"fidelity": 0.01})    # at each step of a group
        tracker.end_group()                                  # after its last step
        tracker.log_reference(scores, samples, grid)         # when a reference is finished
        tracker.log_tables(entries, metrics)                 # once, at the end

A tracker writes nothing before its block is entered. Leaving the block closes it, also after an error.
"""

import csv
import netrc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.metrics.evaluation import SampleRecord, Scores
from multimodal_pulse.references.pixels import to_pil

Mode = Literal["offline", "online", "disabled"]

NOT_AVERAGED = ("reference", "sample", "status")
"""Of a sample's record."""
NOT_MEASURED = ("reference", "records", "settings", "lpips_backbone", "weights_sha256", "group", "halved")
"""Of a reference's record.json."""


class NullTracker(AbstractContextManager["NullTracker"]):
    """Watches nothing; the base of the others.

    Args:
        run_dir: the run directory, where everything that is written goes.
        config: the run's configuration, as plain containers.
        group: name shared by the runs of one sweep; None for a single run.
    """

    def __init__(self, run_dir: str | Path, config: Mapping[str, Any] | None = None, group: str | None = None) -> None:
        self.run_dir = Path(run_dir)

    def log_step(self, label: str, step: int, values: Mapping[str, float]) -> None:
        """One point of each of a group's curves.

        Args:
            label: names the group; the same when an interrupted run is taken up again.
            step: step of the search, from 0.
            values: name of the curve -> its value.
        """

    def end_group(self) -> None:
        """A group's curves are complete; the first of its references is recorded after this."""

    def log_reference(self, scores: Scores, samples: Tensor, grid: Image.Image) -> None:
        """The gallery of a finished reference.

        Args:
            scores: from `metrics.evaluate`.
            samples: [K, 3, R, R] in [0, 1].
            grid: from `pictures.grid`.
        """

    def log_tables(self, entries: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]) -> None:
        """The end of a run.

        Args:
            entries: the record.json of each finished reference, in order.
            metrics: the content of metrics.json.
        """

    def close(self) -> None:
        """Writes what is not written yet and lets go of everything; further calls do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CsvTracker(NullTracker):
    """Curves as one CSV file in the run directory, curves.csv: a line for each step of each group.

    The column `references` has the group's label, and each further column but `step` a curve. A group's lines are
    appended when it ends, so that the memory holds those of one group. A run that is taken up again leaves the lines
    that are there, but for those of a group that it searches again.

    There is no gallery and no table: the pictures and records.jsonl are in the run directory anyway.
    """

    def __init__(self, run_dir: str | Path, config: Mapping[str, Any] | None = None, group: str | None = None) -> None:
        super().__init__(run_dir, config, group)
        self._path = self.run_dir / "curves.csv"
        self._earlier: set[str] = set()
        self._label = ""
        self._rows: list[dict[str, str | float]] = []

    def __enter__(self) -> Self:
        if self._path.exists():
            self._earlier = self._rewrite()
        return self

    def log_step(self, label: str, step: int, values: Mapping[str, float]) -> None:
        if label != self._label:
            self.close()
            self._label = label
        self._rows.append({"references": label, "step": step, **values})

    def end_group(self) -> None:
        self.close()  # before a record of the group stands: a kill between the two must not lose its curves

    def close(self) -> None:
        if not self._rows:
            return
        if self._label in self._earlier:
            self._earlier = self._rewrite(without=self._label)
        begun = self._path.exists() and self._path.stat().st_size > 0
        self.run_dir.mkdir(parents=True, exist_ok=True)
        # Appended, and not copied and renamed, which would cost the square of the number of groups.
        with self._path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self._rows[0]), lineterminator="\n")
            if not begun:
                writer.writeheader()
            writer.writerows(self._rows)
        self._rows = []

    def _rewrite(self, without: str | None = None) -> set[str]:
        """Leaves out a group's lines, and a line that a kill has cut short; returns the labels that are left."""
        labels = set()
        with (
            self._path.open(encoding="utf-8", newline="") as file,
            atomic_file(self._path) as partial,
            partial.open("w", encoding="utf-8", newline="") as kept,
        ):
            whole = (line for line in file if line.endswith("\n"))
            kept.write(next(whole, ""))  # the header
            for line in whole:
                label = line.partition(",")[0]
                if label != without:
                    labels.add(label)
                    kept.write(line)
        return labels


class WandbTracker(NullTracker):
    """A Weights & Biases run in the run directory's wandb/; offline it needs no account, no key and no network.

    The run is this job's own: it neither takes over nor ends a run that is live in the process, and leaves the
    process's W&B mode alone. It is open from the beginning of the block to `close`.

    - curves: `<name>/<label>` over `step`, so that the groups of a run lie over one another;
    - galleries: `grid/<reference>` and `samples/<reference>`, a list (pictures inside tables do not survive offline);
    - the table `references`, a line for each reference: the means of its samples' scores, their worst LR-PSNR, its
      diversity and its seconds; the table `records`, a line for each sample;
    - metrics.json, flattened with dots, as the summary.

    Started by an agent of a W&B sweep, the run belongs to that sweep and to its project; the agent's environment says
    so to wandb. `multimodal-pulse wandb-sweep` writes such a sweep.

    Args:
        run_dir: the run directory.
        config: the run's configuration, as plain containers.
        group: name shared by the runs of one sweep; None for a single run.
        project: the W&B project.
        mode: "offline", "online" (needs a key that is set up already) or "disabled".
        limit: groups whose curves and references whose pictures are logged; of a larger run, the first ones. The
            tables have every reference and every sample.
    Raises:
        UserError: online without a key; on entering the block, W&B did not accept the run.
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
        # Imported here, so that a run with another tracker does not wait for it (a second).
        import wandb

        self._wandb = wandb
        self._config = dict(config or {})
        self._group = group
        self._project = project
        self._mode = mode
        self._limit = limit
        self._labels: set[str] = set()
        self._galleries = 0
        self._open = False
        if mode == "online":
            _refuse_without_key(wandb.setup().settings.base_url)

    def __enter__(self) -> Self:
        wandb = self._wandb
        self.run_dir.mkdir(parents=True, exist_ok=True)
        with _silent_service(quiet=self._mode != "online"):
            try:
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
            except wandb.Error as error:
                reason = str(error).splitlines()[0].rstrip(".")
                raise UserError(f"W&B refused the run ({reason}); tracking=csv does without it.") from error
        self.run.define_metric("step", hidden=True)
        self._open = True
        return self

    def log_step(self, label: str, step: int, values: Mapping[str, float]) -> None:
        if label not in self._labels:
            if len(self._labels) == self._limit:
                return
            self._labels.add(label)
            for name in values:
                self.run.define_metric(f"{name}/{label}", step_metric="step")
        self.run.log({"step": step, **{f"{name}/{label}": value for name, value in values.items()}})

    def log_reference(self, scores: Scores, samples: Tensor, grid: Image.Image) -> None:
        if self._galleries == self._limit:
            return
        self._galleries += 1
        name = scores.records[0].reference
        gallery = [
            self._wandb.Image(to_pil(sample), caption=_caption(record))
            for sample, record in zip(samples, scores.records, strict=True)
        ]
        self.run.log({f"grid/{name}": self._wandb.Image(grid), f"samples/{name}": gallery})

    def log_tables(self, entries: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]) -> None:
        records = [record for entry in entries for record in entry["records"]]
        with _whole_tables(self._wandb):
            self.run.log({"references": self._table(list(map(_row, entries))), "records": self._table(records)})
        self.run.summary.update({name: value for name, value in _flat(metrics) if value is not None})

    def _table(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """A table whose columns are the keys of the rows; a row without one has None there."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        return self._wandb.Table(columns=[*columns], data=[[row.get(column) for column in columns] for row in rows])

    def close(self) -> None:
        if self._open:
            self._open = False
            self.run.finish()


def _caption(record: SampleRecord) -> str:
    faithful = "" if record.lr_psnr is None else f"LR-PSNR {record.lr_psnr:.1f} dB, "
    return f"sample {record.sample}: {faithful}{record.status}"


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A reference's line, from its record.json: means over its samples, and whatever it has one number of."""
    records = entry["records"]
    scores = {name: [record[name] for record in records] for name in records[0] if name not in NOT_AVERAGED}
    known = {name: [value for value in values if value is not None] for name, values in scores.items()}
    return {
        "reference": entry["reference"],
        **{name: fmean(values) if values else None for name, values in known.items()},
        "lr_psnr_worst": min(known["lr_psnr"], default=None),
        **dict(_flat({name: value for name, value in entry.items() if name not in NOT_MEASURED})),
    }


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("lr_psnr.mean", 30.1) for {"lr_psnr": {"mean": 30.1}}."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@contextmanager
def _whole_tables(wandb: Any) -> Iterator[None]:
    """W&B cuts a table after 10,000 rows without a word: fewer than 2824 references of 4 samples have."""
    before = wandb.Table.MAX_ROWS
    wandb.Table.MAX_ROWS = wandb.Table.MAX_ARTIFACT_ROWS  # what it says that a table may have
    try:
        yield
    finally:
        wandb.Table.MAX_ROWS = before


def _refuse_without_key(base_url: str) -> None:
    """wandb would ask for a key on the terminal; this looks in the places where it looks and says what is missing."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return
    named = os.environ.get("NETRC")
    host = urlsplit(base_url).netloc
    for path in [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            if netrc.netrc(path).authenticators(host):
                return
        except (OSError, netrc.NetrcParseError):
            continue
    raise UserError(
        "tracking.mode=online needs a W&B key and none is set up; run `wandb login`, set WANDB_API_KEY, or use"
        " tracking.mode=offline."
    )


@contextmanager
def _silent_service(quiet: bool) -> Iterator[None]:
    """wandb's background process reports its own errors over the network unless a variable tells it not to.

    The process reads the variable when it starts, so it is set only for that moment, and only where nothing may leave
    the machine.
    """
    name = "WANDB_ERROR_REPORTING"
    before = os.environ.get(name)
    if quiet:
        os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
