"""Measures where the time of a short run goes: from the command to the first step, and from the last step to the end.

    python experiments/benchmark/start.py [overrides of run.py]

Each run is a process of its own, in a new folder that is removed afterwards; the median of the runs is printed, in
seconds of the wall clock and of the processor. What other programs do to the machine shows in the wall clock alone.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARTS = [
    "command line and configuration",
    "imports of the run (PyTorch)",
    "Lightning",
    "generator and references",
    "building the search",
    "LPIPS",
    "realism",
    "opening the tracker",
    "search",
    "scores and pictures",
    "closing the tracker",
    "the rest, and the end of Python",
]


class Clock:
    """Adds up the time between marks, by part.

    Attributes:
        parts: seconds of the wall clock and of the processor by part.
    """

    def __init__(self, began: float) -> None:
        self.parts = {part: [0.0, 0.0] for part in PARTS}
        self._last = [began, 0.0]

    def mark(self, part: str) -> None:
        """Counts the time since the last mark to `part`."""
        now = [time.time(), time.process_time()]
        for kind in range(2):
            self.parts[part][kind] += now[kind] - self._last[kind]
        self._last = now

    def around(self, owner: Any, name: str, part: str, before: str = PARTS[-1]) -> None:
        """Counts the time in a function of `owner` to `part`, and the time before its call to `before`."""
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.mark(before)
            try:
                return inner(*args, **kwargs)
            finally:
                self.mark(part)

        setattr(owner, name, timed)


def watch(began: float, report: Path) -> None:
    """Does a run in this process and writes the time of its parts to `report`, as JSON.

    Args:
        began: when the process was started, in seconds of `time.time`.
        report: the file.
    """
    clock = Clock(began)
    from multimodal_pulse import __main__ as program
    from multimodal_pulse.interface import hydra_runs

    inner = hydra_runs.say_loading

    def loading(what: str) -> None:
        inner(what)
        clock.mark(PARTS[0])
        import multimodal_pulse.run.run as run

        clock.mark("imports of the run (PyTorch)")
        import multimodal_pulse.search.latent_optimization  # noqa: F401

        clock.mark("Lightning")
        clock.around(run, "build_parts", "generator and references")
        clock.around(run, "build_lpips", "LPIPS")
        clock.around(run, "build_realism", "realism")
        clock.around(run, "score", "scores and pictures", before="search")
        clock.around(run, "report", PARTS[-1])
        build_search, build_tracker = run.build_search, run.build_tracker

        def built(*args: Any) -> Any:
            clock.mark(PARTS[-1])
            search = build_search(*args)
            clock.mark("building the search")
            clock.around(search, "run", "search")
            return search

        def tracked(*args: Any) -> Any:
            clock.mark(PARTS[-1])
            tracker = build_tracker(*args)
            clock.mark("opening the tracker")
            clock.around(type(tracker), "__enter__", "opening the tracker")
            clock.around(type(tracker), "__exit__", "closing the tracker")
            return tracker

        run.build_search, run.build_tracker = built, tracked

    hydra_runs.say_loading = loading
    try:
        program.run_as_process()
    finally:
        clock.mark(PARTS[-1])
        report.write_text(json.dumps(clock.parts))


def processor_time() -> float:
    """Seconds of the processes that have ended, W&B's among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measures the runs that the command line asks for, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="how many are counted; one comes before")
    parser.add_argument("overrides", nargs="*", default=["method=explore"])
    arguments = parser.parse_args()
    found = []
    for number in range(arguments.runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            parts = Path(folder) / "parts.json"
            command = [sys.executable, __file__, "--watched", str(time.time()), str(parts), *arguments.overrides]
            began, used = time.time(), processor_time()
            subprocess.run([*command, f"hydra.run.dir={folder}/run"], check=True, capture_output=True)
            whole = [time.time() - began, processor_time() - used]
            measured = json.loads(parts.read_text())
        for kind in range(2):
            measured[PARTS[-1]][kind] += whole[kind] - sum(part[kind] for part in measured.values())
        if number:
            found.append(measured)
    print("| part | wall s | processor s |\n|---|---|---|")
    medians = {part: [statistics.median(run[part][kind] for run in found) for kind in range(2)] for part in PARTS}
    for part, (wall, processor) in medians.items():
        print(f"| {part} | {wall:.2f} | {processor:.2f} |")
    totals = [statistics.median(sum(run[part][kind] for part in PARTS) for run in found) for kind in range(2)]
    print(f"| together | {totals[0]:.2f} | {totals[1]:.2f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--watched"]:
        _, began, report = sys.argv[1:4]
        sys.argv[1:4] = []
        watch(float(began), Path(report))
    else:
        main()
