"""How many references are searched at once: what a search takes of the memory, and what there is.

The figures were measured by experiments/group_size.
"""

import logging
import math
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.stylegan2 import LOWEST_RESOLUTION, Architecture

log = logging.getLogger(__name__)

PROGRAM_BYTES = 0.85e9
"""Of a process that searches nothing yet: Python, PyTorch, Lightning, the scores."""
PER_WEIGHT = 2.5
"""Times the generator's weights: themselves, their file, what is computed from them."""
PEAK_PER_KEPT = 1.5
"""Of the memory that a search takes to what autograd keeps: temporaries, and what the allocator cannot reuse."""


@dataclass(frozen=True)
class Limits:
    """Of a group.

    Attributes:
        share: of the device's memory that the process may take.
        samples: a group of more gains nothing that matters, whatever the generator.
        kept_bytes: the same for what autograd keeps of the group.
    """

    share: float
    samples: int
    kept_bytes: float


LIMITS = {
    "cpu": Limits(share=0.5, samples=64, kept_bytes=250e6),
    "mps": Limits(share=0.5, samples=64, kept_bytes=250e6),  # not measured: as the processor, whose memory it shares
    "cuda": Limits(share=0.9, samples=64, kept_bytes=math.inf),  # not measured
}


def references_per_group(generator: Generator, num_samples: int, device: torch.device, precision: str) -> int:
    """The largest number of references, at least 1, that a group can have and be the faster for it.

    It depends on the machine's memory, not on how much of that is free: the same command makes the same groups again.

    Args:
        generator: whose activations fill the memory.
        num_samples: K, of each reference.
        device: where the search runs.
        precision: Lightning's word for it.
    """
    limits, there = LIMITS[device.type], memory_bytes(device)
    kept = num_samples * kept_bytes(generator.architecture, 8 if precision == "64-true" else 4)
    room = limits.share * there - search_bytes(generator, 0)
    fitting = room / (PEAK_PER_KEPT * kept)
    if fitting < 1:
        log.warning(
            "One reference with %d samples may take %.1f GB, and %.0f %% of this machine's memory are %.1f GB; with"
            " fewer samples it takes less.",
            num_samples,
            search_bytes(generator, kept) / 1e9,
            100 * limits.share,
            limits.share * there / 1e9,
        )
    return max(1, math.floor(min(fitting, limits.samples / num_samples, limits.kept_bytes / kept)))


def search_bytes(generator: Generator, kept: float) -> float:
    """The estimated peak of a process that searches with `generator`, of whose activations autograd keeps `kept`."""
    weights = sum(weight.numel() * weight.element_size() for weight in generator.parameters())
    return PROGRAM_BYTES + PER_WEIGHT * weights + PEAK_PER_KEPT * kept


def kept_bytes(architecture: Architecture, element_size: int = 4) -> int:
    """What autograd keeps of one image from the forward to the backward pass through the synthesis network.

    Of each layer these are its input times the style, the result of its convolution (before and after the low-pass
    filter, where it doubles the resolution) and its output; of each ToRGB layer its input times the style. Styles,
    noise maps and what has no more than the image's channels are left out.

    Args:
        architecture: of the generator.
        element_size: bytes of a number.
    """
    outputs = 1 if architecture.conv_clamp is None else 2  # the clamp keeps what it was given as well
    elements = 0
    for resolution in architecture.block_resolutions:
        channels = architecture.channels(resolution)
        features = channels * resolution**2
        if resolution == LOWEST_RESOLUTION:
            elements += features  # the learned constant
        else:
            below = architecture.channels(resolution // 2) * (resolution // 2) ** 2
            elements += below + channels * (resolution + 1) ** 2 + features + outputs * features
        elements += 2 * features + outputs * features
        elements += features
    return elements * element_size


# --- what there is -----------------------------------------------------------------------------------------------


def memory_bytes(device: torch.device) -> int:
    """The memory of a device: a GPU's own, or what this process may have of the machine's."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *control_group_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def control_group_limits(membership: Path, root: Path) -> Iterator[int]:
    """The limits in bytes that a container or a batch system has set on this process; none without control groups.

    Args:
        membership: a line "number:controllers:path" for each hierarchy, version 2's with no controller named.
        root: where the hierarchies are mounted.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A limit holds for all groups below. Inside a container the path may be the host's, and only the top is there.
        folder = top / path.lstrip("/")
        for group in (folder, *folder.parents[: len(folder.parts) - len(top.parts)]):
            try:
                limit = (group / name).read_text(encoding="utf-8").strip()
            except OSError:
                continue
            if limit != "max":
                yield int(limit)


def peak_bytes(device: torch.device) -> int:
    """The most memory that this process has had so far: of a GPU its own, else the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024  # macOS counts bytes
