"""How long after Search does the studio show the first pictures, and the finished gallery?

    python experiments/benchmark/studio.py        # five searches of explore on built-in portraits, one after the other

It starts a studio, waits until it is ready, and asks it as the page does.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import httpx


def search(client: httpx.Client, portrait: int) -> tuple[float, float]:
    """Searches a portrait and returns the seconds until the first pictures and until the finished gallery."""
    picture = client.post(f"/api/portraits/{portrait}").raise_for_status().json()
    begun, first = time.perf_counter(), None
    run = client.post("/api/runs", json={"picture": picture["id"], "method": "explore"}).raise_for_status().json()
    with client.stream("GET", f"/api/runs/{run['id']}/events") as stream:
        for line in stream.iter_lines():
            state = json.loads(line[6:]) if line.startswith("data: ") else {"progress": {}, "state": ""}
            if first is None and state["progress"].get("pictures"):
                first = time.perf_counter() - begun
            if state["state"] in ("done", "failed", "cancelled"):
                break
    assert state["state"] == "done" and first is not None, state.get("failure")
    return first, time.perf_counter() - begun


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--searches", type=int, default=5)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "multimodal_pulse", "studio", "--no-browser", "--outputs", folder]
        studio = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert studio.stderr is not None
            address = studio.stderr.readline().split()[1]
            with httpx.Client(base_url=address, timeout=300) as client:
                client.get("/api/choices").raise_for_status()
                search(client, 0)  # it waits until the process that searches is warm
                times = [search(client, 1 + number % 5) for number in range(args.searches)]
        finally:
            studio.terminate()
            studio.wait()
    for words, values in zip(("first pictures", "finished gallery"), zip(*times, strict=True), strict=True):
        print(f"{words}: {statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main()
