"""Kill an evaluation with SIGKILL again and again, and compare its final result with an uninterrupted one.

    python experiments/kill_safety/kill_safety.py                                            # 64 portraits, ten kills
    python experiments/kill_safety/kill_safety.py --kills 4 references.limit=16 steps=5      # with overrides of run.py

The evaluation is also run as two shards, whose merge is killed once. All run directories are kept in --out, with the
result in result.md. The exit status is 1 if anything differs.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from compare import differing, leftovers

from multimodal_pulse.base.files import PARTIAL
from multimodal_pulse.results.records import finished, read_entries

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = [
    "references.limit=64", "trainer.references_per_group=4", "num_samples=2", "steps=20", "tracking=csv",
    "metrics.lpips_net=null",
]  # fmt: skip
EARLIEST, LATEST = 0.05, 0.95
"""The range of progress within which kills come, as shares of the references."""
LAST_AIM = 0.88
"""The room below LATEST: a kill comes a little after the progress that it waits for."""
POLLING_SECONDS = 0.002
MOST_ATTEMPTS = 20
"""The most starts for one kill, until it has come at the right moment."""


class ExperimentError(Exception):
    """The experiment could not be completed."""


@dataclass(frozen=True)
class Kill:
    """The state of the disk after a kill.

    Attributes:
        before: the number of finished references when the process started.
        finished: the number of finished references after the kill.
        unfinished: the files and folders that were being written.
    """

    before: int
    finished: int
    unfinished: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """A command that runs to its end or to its kill.

    Attributes:
        command: the command.
        run_dir: the run directory that it writes.
        log: the file for its output.
    """

    command: Sequence[str]
    run_dir: Path
    log: Path

    def finish(self) -> float:
        """Runs the command to its end and returns the seconds.

        Raises:
            ExperimentError: it failed.
        """
        started = time.monotonic()
        self._check(self._start().wait())
        return time.monotonic() - started

    def killed(self, due: Callable[[float], bool], delay: float = 0.0) -> Kill | None:
        """Runs the command and kills it.

        Args:
            due: tells whether it is time, from the time at which the process started.
            delay: the seconds from then to the kill.
        Returns: the state of the disk; None if the process ended before the kill.
        Raises:
            ExperimentError: the command failed by itself.
        """
        before, started = self.progress, time.time()
        process = self._start()
        while process.poll() is None and not due(started):
            time.sleep(POLLING_SECONDS)
        time.sleep(delay)
        process.kill()
        status = process.wait()
        self._check(max(status, 0))  # negative for a signal
        if status == 0:
            return None
        unfinished = tuple(path.relative_to(self.run_dir).as_posix() for path in self.written_since(started))
        return Kill(before, self.progress, unfinished)

    @property
    def progress(self) -> int:
        """The number of finished references."""
        return len(finished(self.run_dir))

    def written_since(self, moment: float) -> list[Path]:
        """Returns unfinished files and folders changed after `moment`, without the leftovers of earlier kills."""
        return [path for path in leftovers(self.run_dir) if path.lstat().st_mtime >= moment]

    def is_writing(self, started: float) -> bool:
        """Returns whether the process is writing: an unfinished entry of its own is in the run or `references/`."""
        for folder in (self.run_dir, self.run_dir / "references"):
            for path in folder.glob(f"{PARTIAL}*"):
                with suppress(FileNotFoundError):  # it has been renamed
                    if path.lstat().st_mtime >= started:
                        return True
        return False

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(self.command, cwd=ROOT, stdout=log, stderr=log)

    def _check(self, status: int) -> None:
        if status != 0:
            raise ExperimentError(f"{' '.join(self.command)} failed: see {self.log}")


def kill_a_run(
    trial: Trial, references: int, kills: int, in_write: int, group_seconds: float, draw: random.Random
) -> list[Kill]:
    """Starts a run `kills` times and kills it each time, at random moments of its progress.

    Args:
        references: the number of references of the run.
        in_write: the smallest number of kills that come during a write.
        group_seconds: the time of one group; the other kills come at a random moment within such a time.

    Raises:
        ExperimentError: a kill did not come at the right moment.
    """
    width = (LAST_AIM - EARLIEST) / kills
    writes = set(draw.sample(range(kills), in_write))
    found: list[Kill] = []
    for number in range(kills):
        aim = references * (EARLIEST + width * (number + draw.random()))
        found.append(_kill_once(trial, references, aim, number in writes, group_seconds, draw))
        print(f"kill {number + 1}: {describe(found[-1], references)}", flush=True)
    return found


def _kill_once(
    trial: Trial, references: int, aim: float, in_write: bool, group_seconds: float, draw: random.Random
) -> Kill:
    """Starts a run until a kill has come at the right moment: when `aim` references are finished, or soon after."""

    def due(started: float) -> bool:
        return trial.progress >= aim and (not in_write or trial.is_writing(started))

    for _ in range(MOST_ATTEMPTS):
        kill = trial.killed(due, delay=draw.uniform(0, 0.01 if in_write else group_seconds))
        if kill is None or kill.finished > LATEST * references:
            raise ExperimentError(
                "the run was as good as finished before it was killed: give it more references or steps"
            )
        if kill.finished >= EARLIEST * references and (kill.unfinished or not in_write):
            return kill
    raise ExperimentError(f"in {MOST_ATTEMPTS} starts no kill came inside a write")


def kill_a_merge(trial: Trial, references: int, draw: random.Random) -> Kill:
    """Starts a merge and kills it when some of the references are merged.

    Raises:
        ExperimentError: the merge always finished before the kill.
    """
    for _ in range(MOST_ATTEMPTS):
        aim = draw.randint(1, max(1, references // 2))
        kill = trial.killed(lambda started, aim=aim: trial.progress >= aim)  # type: ignore[misc]
        if kill is not None and kill.finished < references:
            return kill
        shutil.rmtree(trial.run_dir)
    raise ExperimentError(f"in {MOST_ATTEMPTS} starts every merge was finished before its kill")


def describe(kill: Kill, references: int) -> str:
    """Describes a kill in one line."""
    left = ", ".join(kill.unfinished) or "nothing"
    return f"{kill.finished} of {references} finished, {kill.before} before this start; unfinished: {left}"


def experiment(out: Path, overrides: Sequence[str], kills: int, in_write: int, seed: int) -> tuple[str, list[str]]:
    """Does the whole experiment.

    Args:
        out: the folder of the run directories; it must be empty or missing.
        overrides: overrides of run.py, after `SETTINGS`.
        kills, in_write: see `kill_a_run`.
        seed: the seed of the moments of the kills.
    Returns: the result as Markdown, and the differences.
    Raises:
        ExperimentError: the experiment could not be completed.
    """
    if out.exists() and any(out.iterdir()):
        raise ExperimentError(f"{out} is not empty: remove it, or choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)

    def trial(name: str, *arguments: str) -> Trial:
        return Trial([sys.executable, "run.py", *arguments], out / name, out / f"{name}.log")

    def run(name: str, *arguments: str) -> Trial:
        return trial(name, *SETTINGS, *overrides, *arguments, f"hydra.run.dir={out / name}")

    seconds = run("whole").finish()
    whole = out / "whole"
    plan = json.loads((whole / "plan.json").read_text(encoding="utf-8"))
    references = len(plan["references"])
    searched = sum(entry["seconds"] for entry in read_entries(whole, plan["references"]))
    print(f"uninterrupted: {references} references in {seconds:.0f} s", flush=True)

    killed = run("killed")
    found = kill_a_run(killed, references, kills, in_write, searched / len(plan["groups"]), draw)
    killed.finish()

    shards = [run(f"shard-{index}", "shard.count=2", f"shard.index={index}") for index in range(2)]
    for shard in shards:
        shard.finish()
    merge = trial("merged", "merge", *(str(shard.run_dir) for shard in shards))
    of_merge = kill_a_merge(merge, references, draw)
    print(f"merge: {describe(of_merge, references)}", flush=True)
    merge.finish()

    wrong = [
        f"{name}/{path}"
        for name, without in (("killed", ()), ("merged", ("curves.csv",)))
        for path in differing(out / name, whole, without)
    ] + [path.relative_to(out).as_posix() for path in leftovers(out)]
    lines = [
        "| kill | finished | in this start | unfinished |",
        "|---|---|---|---|",
        *(_row(str(number + 1), kill, references) for number, kill in enumerate(found)),
        _row("the merge", of_merge, references),
        "",
        f"{references} references in {len(plan['groups'])} groups; {seconds:.0f} s without a kill. {len(found)} kills,"
        f" {sum(bool(kill.unfinished) for kill in found)} of them inside a write, and one in the merge of two shards.",
        f"Differing files or leftovers: {', '.join(wrong) or 'none'}.",
    ]
    return "\n".join(lines) + "\n", wrong


def _row(name: str, kill: Kill, references: int) -> str:
    share = f"{kill.finished / references:.0%}"
    left = ", ".join(f"`{path}`" for path in kill.unfinished) or "-"
    return f"| {name} | {share} | {kill.finished - kill.before} | {left} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--in-write", type=int, default=2, help="smallest number of kills during a write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments of the kills")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "kill_safety", help="folder of all results")
    parser.add_argument("overrides", nargs="*", help="overrides of run.py")
    args = parser.parse_intermixed_args(arguments)
    try:
        outcome, wrong = experiment(args.out.absolute(), args.overrides, args.kills, args.in_write, args.seed)
    except ExperimentError as error:
        sys.exit(f"kill_safety: {error}")
    (args.out / "result.md").write_text(outcome, encoding="utf-8")
    print(outcome, end="")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
