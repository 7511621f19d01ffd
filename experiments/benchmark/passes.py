"""Times a pass of the generator, forward and backward to w_plus, by every way there is, in turn.

    python experiments/benchmark/passes.py                              the 256 x 256 network, four samples
    python experiments/benchmark/passes.py --portraits --samples 4      the built-in prior of portraits
    python experiments/benchmark/passes.py --against <folder>           beside a checkout of NVlabs/stylegan3

Each way runs in a process of its own, so that no setting of one touches another, and the processes take turns. `malloc`
means that freed memory is kept (search/allocator.py). Ratios are medians over the turns, each of the same turn.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

FLOAT32, BFLOAT16 = torch.float32, torch.bfloat16
OURS = ["plain float32", "plain bfloat16", "fused float32", "fused bfloat16"]


def official_pass(folder: str, resolution: int, channel_base: int, samples: int) -> Callable[[], None]:
    """Returns a pass of the official implementation, in float32."""
    sys.path.insert(0, folder)
    try:
        import pkg_resources  # noqa: F401
    except ImportError:  # newer versions of setuptools have it no more, and the official code compares versions with it
        from types import SimpleNamespace

        from packaging.version import parse

        sys.modules["pkg_resources"] = SimpleNamespace(parse_version=parse)  # type: ignore[assignment]
    from training.networks_stylegan2 import Generator  # type: ignore[import-not-found]

    g = Generator(512, 0, 512, resolution, 3, channel_base=channel_base, channel_max=512, num_fp16_res=0)
    g = g.requires_grad_(False).eval()
    w_plus = torch.randn(samples, g.num_ws, 512).requires_grad_()
    return lambda: g.synthesis(w_plus, noise_mode="const", force_fp32=True).sum().backward()


def our_pass(words: Sequence[str], portraits: bool, resolution: int, channel_base: int, samples: int) -> Any:
    """Returns a pass of this program's generator, as `words` say."""
    from multimodal_pulse.domains.portraits import load_prior
    from multimodal_pulse.generator import untrained
    from multimodal_pulse.generator.ops.fused import FusedOperators

    if portraits:
        generator = load_prior()
    else:
        generator = untrained(
            resolution, z_dim=512, w_dim=512, mapping_layers=1, channel_base=channel_base, channel_max=512
        )
    if "fused" in words:
        generator.operators = FusedOperators()
    if "compiled" in words:
        generator.network.synthesis.compile()
    w_plus = torch.randn(samples, generator.num_ws, generator.w_dim).requires_grad_()

    def run() -> None:
        with torch.autocast("cpu", BFLOAT16, enabled="bfloat16" in words):
            images = generator.synthesis(w_plus)
        images.float().sum().backward()

    return run


def peak_pass(dtype: torch.dtype) -> tuple[Callable[[], Any], float]:
    """Returns a 3 x 3 convolution with its weights packed, the fastest thing known here, and its operations."""
    x = torch.randn(4, 512, 32, 32, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(512, 512, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, [1, 1])
    arguments = (None, [1, 1], [1, 1], [1, 1], 1, "none", [], "")
    return lambda: torch.ops.mkldnn._convolution_pointwise(x, packed, *arguments), 2 * 9 * 4 * 512**2 * 32**2


def serve(
    way: str, portraits: bool, resolution: int, channel_base: int, samples: int, threads: int, folder: str
) -> None:
    """Does a pass for each line of the standard input and answers with its seconds, page faults and peak memory."""
    from multimodal_pulse.search.allocator import freed_memory_kept

    out = os.dup(1)
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    words = way.split()
    with ExitStack() as stack:
        if "malloc" in words:
            stack.enter_context(freed_memory_kept())
        if words[0] == "peak":
            run = peak_pass(BFLOAT16 if "bfloat16" in words else FLOAT32)[0]
        elif words[0] == "official":
            run = official_pass(folder, resolution, channel_base, samples)
        else:
            run = our_pass(words, portraits, resolution, channel_base, samples)
        run()
        for _ in sys.stdin:
            before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            run()
            wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            answer = [wall, cpu, after.ru_minflt - before.ru_minflt, after.ru_maxrss]
            os.write(out, (json.dumps(answer) + "\n").encode())


class Way:
    """A process that does passes when asked."""

    def __init__(self, *settings: Any):
        command = [sys.executable, __file__, "--serve", json.dumps(settings)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self) -> list[float]:
        """Returns what one more pass took."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer: list[float] = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> None:
        """Ends the process."""
        self.process.communicate("")


def table(costs: dict[str, list[list[float]]]) -> str:
    """Returns the costs by way as a Markdown table, with the speed of each relative to the first."""
    first = next(iter(costs.values()))
    lines = [
        "| way | wall ms | processor ms | page faults | peak GB | speed by wall | by processor |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, passes in costs.items():
        wall, cpu, faults, peak = (statistics.median(numbers) for numbers in zip(*passes, strict=True))
        speeds = [statistics.median(b[i] / a[i] for a, b in zip(passes, first, strict=True)) for i in (0, 1)]
        lines.append(
            f"| {way} | {1000 * wall:.1f} | {1000 * cpu:.1f} | {faults:.0f} | {peak / 1e6:.2f} |"
            f" {speeds[0]:.2f} | {speeds[1]:.2f} |"
        )
    return "\n".join(lines)


def rate(operations: float, passes: Sequence[Sequence[float]]) -> float:
    """Returns the operations in a second of the processor's time, in GFLOP/s: what else runs there does not count."""
    return operations / statistics.median(processor for _, processor, *_ in passes) / 1e9


def main(arguments: Sequence[str] | None = None) -> None:
    """Times what the command line asks for and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", action="store_true", help="the built-in prior in place of random weights")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--channel-base", type=int, default=16384)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compiled", action="store_true", help="also by torch.compile, which takes a minute or two")
    parser.add_argument("--against", metavar="FOLDER", help="a checkout of NVlabs/stylegan3")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        return serve(*given.serve)
    ways = [f"official float32{malloc}" for malloc in ("", " malloc")] if given.against else []
    ways += [f"{way} malloc" for way in OURS]
    ways += ["compiled float32 malloc", "compiled bfloat16 malloc"] if given.compiled else []
    ways += ["peak float32", "peak bfloat16"]
    folder = os.path.abspath(given.against) if given.against else ""
    sizes = (given.portraits, given.resolution, given.channel_base, given.samples, given.threads, folder)
    processes = {way: Way(way, *sizes) for way in ways}
    for process in processes.values():
        process.ask()  # one after the other fills its caches
    costs: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(given.turns):
        for way, process in processes.items():
            costs[way].append(process.ask())
    for process in processes.values():
        process.end()
    print(f"{given.threads} threads, {given.samples} samples, load {os.getloadavg()[0]:.1f}\n\n{table(costs)}")
    with FlopCounterMode(display=False) as counter:
        our_pass(["plain"], *sizes[:3], 1)()
    flop = counter.get_total_flops() * given.samples
    for precision, dtype in (("float32", FLOAT32), ("bfloat16", BFLOAT16)):
        peak = rate(peak_pass(dtype)[1], costs[f"peak {precision}"])
        fused = rate(flop, costs[f"fused {precision} malloc"])
        print(
            f"\n{precision}: a convolution reaches {peak:.0f} GFLOP/s, the fused pass of {flop / 1e9:.1f} GFLOP"
            f" {fused:.0f}: {100 * fused / peak:.0f} % in a second of one core."
        )


if __name__ == "__main__":
    main()
