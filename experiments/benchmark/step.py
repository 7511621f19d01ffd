"""Times one step of the search and its parts, in turn, so that a machine's ups and downs fall on all of them alike.

    python experiments/benchmark/step.py                                   256 x 256, four samples, float32
    python experiments/benchmark/step.py --precisions 32-true bf16-mixed --compile
    python experiments/benchmark/step.py --against <folder>                beside the official implementation
    python experiments/benchmark/step.py --kernels plain fused             with each kind of operators

The generator has random weights and the report's optimiser, objective and batch diversity. `--against` takes a checkout
of NVlabs/stylegan3, whose networks_stylegan2.py runs in a process of its own, with the operators that need no compiler.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.diversity.batch_diversity import BatchDiversity
from multimodal_pulse.diversity.latent_resampling import IndependentLatents
from multimodal_pulse.diversity.lr_noise import NoLrNoise
from multimodal_pulse.diversity.synthesis_noise import NoSynthesisNoise
from multimodal_pulse.generator import Generator, Sphere, untrained
from multimodal_pulse.generator.ops.fused import FusedOperators
from multimodal_pulse.generator.statistics import estimate_w_statistics
from multimodal_pulse.references.base import Reference
from multimodal_pulse.search import (
    AllSamples,
    BestIterate,
    LatentOptimization,
    NoConsistency,
    NoSchedule,
    Objective,
    Retract,
    Stage,
    ranger21,
)
from multimodal_pulse.search.after_step import Step
from multimodal_pulse.search.allocator import freed_memory_kept
from multimodal_pulse.search.group_size import peak_bytes
from multimodal_pulse.search.objective import Iterate, squared_error
from multimodal_pulse.search.variables import Variable, by_problem

FACTOR = 8


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes:
        resolution, channel_base, channel_max: the generator's; see `Architecture`.
        references: M.
        samples: K, of each reference.
        device: the device.
    """

    resolution: int
    channel_base: int
    channel_max: int
    references: int
    samples: int
    device: torch.device


Parts = dict[str, Callable[[], Any]]


class Plain:
    """A step of the search as a plain loop, from the pieces of the program.

    Args:
        sizes: what is measured.
        generator: the generator.
        autocast: makes the context in which the generator runs.
    """

    def __init__(self, sizes: Sizes, generator: Generator, autocast: Callable[[], AbstractContextManager[Any]]):
        self.sizes, self.generator, self.autocast = sizes, generator, autocast
        statistics_of_w = estimate_w_statistics(generator.cpu(), draws=2000)
        self.space = Sphere(generator, statistics_of_w).to(sizes.device)
        batch, lr_side = sizes.references * sizes.samples, sizes.resolution // FACTOR
        rng = torch.Generator().manual_seed(0)
        latent = torch.randn(batch, generator.num_ws, generator.w_dim, generator=rng)
        self.variable = Variable(latent.to(sizes.device))
        self.targets = torch.rand(batch, 3, lr_side, lr_side, generator=rng).to(sizes.device)
        self.degradation, self.diversity = Bicubic(FACTOR), BatchDiversity()
        self.objective = Objective(l2_weight=405.0, geodesic_weight=0.058, diversity_weight=0.02, eps=0.0)
        problems = by_problem([self.variable], sizes.references)
        self.optimizer = ranger21(problems, num_iterations=200, built_in_schedule=True, lr=0.4)
        self.kept = BestIterate(200)
        self.kept.begin_stage({"latent": self.variable.initial})
        self.maps = generator.constant_noise()
        with torch.no_grad():
            self.images = self._forward(self.variable.stack())[1]

    def _forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        with self.autocast():
            return self.space.synthesise({"latent": latent}, self.maps)

    def _losses(self, latent: Tensor, w_plus: Tensor, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        lr = self.degradation(images)
        of_problems = images.unflatten(0, (self.sizes.references, self.sizes.samples))
        variables, initial = {"latent": latent}, {"latent": self.variable.initial}
        fidelity = squared_error(lr, self.targets)
        iterate = Iterate(variables, initial, w_plus, of_problems, fidelity, self.targets[0].numel())
        losses, terms = self.objective(iterate, self.diversity(of_problems, self.degradation))
        return losses.sum(), terms

    def forward(self) -> Tensor:
        """The generator's forward pass, with what autograd keeps of it."""
        return self._forward(self.variable.stack())[1]

    def forward_and_backward(self) -> None:
        """The generator's forward and backward pass, to the latents."""
        self.forward().sum().backward()

    def degrade(self) -> None:
        """The degradation, forward and backward."""
        self.degradation(self.images.detach().requires_grad_()).sum().backward()

    def lose(self) -> None:
        """The degradation and the losses, forward and backward, to the pictures and the latents."""
        latent = self.variable.stack()
        self._losses(latent, self.space.to_w_plus(latent), self.images.detach().requires_grad_())[0].backward()

    def optimise(self) -> None:
        """The optimiser's step and the return to the sphere; the gradients are those of an earlier part."""
        self.optimizer.step()
        Retract()(Step(self.space, {"latent": self.variable}, 0.4, []))

    def record(self) -> None:
        """What keeps the best iterate."""
        fidelity = self.targets.new_ones(len(self.targets))
        self.kept.observe(0, {"fidelity": fidelity}, {"latent": self.variable.initial}, self.images)
        self.kept._trace.clear()

    def step(self) -> None:
        """A whole step."""
        latent = self.variable.stack()
        w_plus, images = self._forward(latent)
        loss, terms = self._losses(latent, w_plus, images)
        self.kept.observe(0, terms, {"latent": latent.detach()}, images)
        self.kept._trace.clear()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimise()

    def parts(self) -> Parts:
        """Returns the parts by name."""
        return {
            "generator, forward": self.forward,
            "generator, forward and backward": self.forward_and_backward,
            "degradation": self.degrade,
            "degradation and losses": self.lose,
            "optimiser and return to the sphere": self.optimise,
            "keeping the best iterate": self.record,
            "a whole step, plain loop": self.step,
        }


class LastStep(pl.Callback):
    """Takes the time from the end of the last but one step to the end of the last: what Lightning does lies between."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = measured()
        if batch_idx:
            self.cost = {key: now[key] - self.before[key] for key in now}
        self.before = now


def with_lightning(plain: Plain, precision: str) -> dict[str, float]:
    """Returns what a step costs in the program's own search."""
    sizes = plain.sizes
    pictures = plain.targets.unflatten(0, (sizes.references, sizes.samples))[:, 0].cpu()
    stage = Stage(plain.space, 2, partial(ranger21, lr=0.4), NoSchedule())
    search = LatentOptimization(
        references=[Reference(str(index), picture, None) for index, picture in enumerate(pictures)],
        groups=[list(range(sizes.references))],
        generator=plain.generator,
        degradation=plain.degradation,
        stages=[stage],
        latent_resampling=IndependentLatents(),
        lr_noise=NoLrNoise(),
        synthesis_noise=NoSynthesisNoise(),
        batch_diversity=plain.diversity,
        objective=plain.objective,
        after_step=Retract(),
        keep=BestIterate,
        select=AllSamples(),
        consistency=NoConsistency(),
        num_samples=sizes.samples,
        seed=0,
    )
    last = LastStep()
    accelerator = "gpu" if sizes.device.type == "cuda" else sizes.device.type
    search.run(lambda outcome: None, accelerator=accelerator, precision=precision, callbacks=[last])
    return last.cost


def measured() -> dict[str, float]:
    """Returns the clocks: of the wall, and of the processor in the program and in the system, in seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"wall": time.perf_counter(), "user": usage.ru_utime, "system": usage.ru_stime}


def cost_of(part: Callable[[], Any]) -> dict[str, float]:
    """Returns the seconds that a part takes, by clock."""
    before = measured()
    part()
    return {key: now - before[key] for key, now in measured().items()}


def peak_parts(device: torch.device) -> dict[str, tuple[Callable[[], Any], float]]:
    """Returns what the machine does best, and its floating-point operations: a matrix product and a convolution."""
    matrix = torch.randn(1536, 1536, device=device)
    features = torch.randn(4, 128, 64, 64, device=device).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(128, 128, 3, 3, device=device).contiguous(memory_format=torch.channels_last)
    return {
        "peak: matrix product": (lambda: matrix @ matrix, 2 * 1536**3),
        "peak: 3 x 3 convolution": (lambda: F.conv2d(features, weight, padding=1), 2 * 9 * 4 * 128**2 * 64**2),
    }


OFFICIAL = """
import json, os, resource, sys, time, torch
folder, resolution, channel_base, channel_max, batch, device, threads, precision = json.loads(sys.argv[1])
sys.path.insert(0, folder)
torch.set_num_threads(threads)
try:
    import pkg_resources
except ImportError:  # newer versions of setuptools have it no more, and the official code compares two versions with it
    from packaging.version import parse
    from types import SimpleNamespace
    sys.modules["pkg_resources"] = SimpleNamespace(parse_version=parse)
from training.networks_stylegan2 import Generator
out = os.dup(1); os.dup2(2, 1)
w_dim = 512
G = Generator(512, 0, w_dim, resolution, 3, channel_base=channel_base, channel_max=channel_max, num_fp16_res=0)
G = G.requires_grad_(False).eval().to(device)
w = torch.randn(batch, G.num_ws, w_dim, device=device).requires_grad_()
def clocks():
    if device.startswith("cuda"): torch.cuda.synchronize()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime, usage.ru_stime
for line in sys.stdin:
    before = clocks()
    with torch.autocast(device, torch.bfloat16, enabled=precision != "32-true"):
        images = G.synthesis(w, noise_mode="const", force_fp32=True)
    images.sum().backward()
    os.write(out, (json.dumps([b - a for a, b in zip(before, clocks())]) + "\\n").encode())
"""


@contextmanager
def official(folder: str | None, sizes: Sizes, precision: str) -> Iterator[Callable[[], dict[str, float]] | None]:
    """Starts a process with the official implementation; yields what asks it for a pass, or None without a folder."""
    if folder is None:
        yield None
        return
    batch = sizes.references * sizes.samples
    sizes_of_it = [sizes.resolution, sizes.channel_base, sizes.channel_max, batch, str(sizes.device)]
    given = json.dumps([os.path.abspath(folder), *sizes_of_it, torch.get_num_threads(), precision])
    process = subprocess.Popen(
        [sys.executable, "-c", OFFICIAL, given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask() -> dict[str, float]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        return dict(zip(("wall", "user", "system"), json.loads(process.stdout.readline()), strict=True))

    try:
        yield ask
    finally:
        process.communicate("")


def shortest(costs: Sequence[dict[str, float]], on_processor: bool) -> float:
    """Returns the least seconds: of the processor, which other programs' work does not touch, or of the wall clock."""
    return min(cost["user"] + cost["system"] if on_processor else cost["wall"] for cost in costs)


def measure(
    sizes: Sizes, precision: str, kernels: str, compiled: bool, repetitions: int, against: str | None
) -> dict[str, Any]:
    """Returns the costs of all parts, by part and clock, with the pass's operations and the peak memory."""
    torch.manual_seed(0)
    generator = untrained(
        sizes.resolution, z_dim=512, w_dim=512, mapping_layers=2, channel_base=sizes.channel_base,
        channel_max=sizes.channel_max,
    )  # fmt: skip
    mixed = precision != "32-true"
    plain = Plain(
        sizes,
        generator,
        partial(torch.autocast, sizes.device.type, torch.bfloat16) if mixed else nullcontext,
    )
    with FlopCounterMode(display=False) as counter:
        plain.forward_and_backward()
    if kernels == FusedOperators.name:
        generator.operators = FusedOperators()
    if compiled:
        generator.network.synthesis.compile()
    peaks = peak_parts(sizes.device)
    parts = plain.parts() | {name: part for name, (part, _) in peaks.items()}
    asks: dict[str, Callable[[], dict[str, float]]] = {}
    if not compiled:
        asks["a whole step, Lightning"] = partial(with_lightning, plain, precision)
    found: dict[str, list[dict[str, float]]] = {}
    with official(against, sizes, precision) as ask:
        if ask is not None:
            asks["official generator, forward and backward"] = ask
        for repetition in range(repetitions + 1):
            costs = {}
            with freed_memory_kept():
                plain.step()  # so that the parts find memory of earlier ones, as in a search
                costs |= {name: cost_of(part) for name, part in parts.items()}
            costs |= {name: cost() for name, cost in asks.items()}
            if repetition:  # the first one fills caches
                for name, once in costs.items():
                    found.setdefault(name, []).append(once)
    on_processor = sizes.device.type == "cpu"
    best = {name: operations / shortest(found[name], on_processor) for name, (_, operations) in peaks.items()}
    a_pass = shortest(found["generator, forward and backward"], on_processor)
    return {
        "precision": precision,
        "kernels": kernels,
        "compiled": compiled,
        "clock": "processor time" if on_processor else "wall time",
        "flop": counter.get_total_flops(),
        "peak_flop_per_second": best,
        "share_of_peak": counter.get_total_flops() / a_pass / max(best.values()),
        "peak_bytes": peak_bytes(sizes.device),
        "seconds": found,
    }


def table(result: dict[str, Any]) -> str:
    """Returns the costs as a Markdown table: medians, and the smallest and largest of the wall clock."""
    lines = ["| part | wall ms | from .. to | user ms | system ms |", "|---|---|---|---|---|"]
    for name, costs in result["seconds"].items():
        clocks = {clock: [1000 * cost[clock] for cost in costs] for clock in costs[0]}
        middle = {clock: statistics.median(values) for clock, values in clocks.items()}
        wall = clocks["wall"]
        lines.append(
            f"| {name} | {middle['wall']:.1f} | {min(wall):.1f} .. {max(wall):.1f} | {middle['user']:.1f} |"
            f" {middle['system']:.1f} |"
        )
    best, share = max(result["peak_flop_per_second"].values()) / 1e9, 100 * result["share_of_peak"]
    lines.append(
        f"\nA pass is {result['flop'] / 1e9:.0f} GFLOP. The machine's best is {best:.0f} GFLOP/s of {result['clock']};"
        f" the fastest pass reaches {share:.0f} % of it. Peak memory {result['peak_bytes'] / 1e9:.2f} GB."
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what the command line asks for; prints a table for each precision and writes the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--channel-base", type=int, default=16384)
    parser.add_argument("--channel-max", type=int, default=512)
    parser.add_argument("--references", type=int, default=1, metavar="M")
    parser.add_argument("--samples", type=int, default=4, metavar="K")
    parser.add_argument("--precisions", nargs="+", default=["32-true"], choices=["32-true", "bf16-mixed"])
    parser.add_argument("--kernels", nargs="+", default=["plain"], choices=["plain", "fused"])
    parser.add_argument(
        "--compile", action="store_true", help="the generator by torch.compile; without Lightning's row"
    )
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--repetitions", type=int, default=5, help="of each part; one more comes before")
    parser.add_argument("--against", metavar="FOLDER", help="a checkout of NVlabs/stylegan3")
    parser.add_argument("--json", metavar="FILE", help="where to write every single time")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    sizes = Sizes(
        given.resolution, given.channel_base, given.channel_max, given.references, given.samples, given.device
    )
    results = []
    for precision, kernels in product(given.precisions, given.kernels):
        results.append(measure(sizes, precision, kernels, given.compile, given.repetitions, given.against))
        print(f"\n{precision}, {kernels} operators{', compiled' * given.compile}, {torch.get_num_threads()} threads\n")
        print(table(results[-1]), flush=True)
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
