"""The number of references searched at once, from the memory that a search needs and the memory of the machine.

The constants were measured by experiments/group_size.
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
"""Memory of a process before it searches, in bytes: Python, PyTorch, Lightning, the scores."""
PER_WEIGHT = 2.5
"""Memory for the generator over the size of its weights: the weights, their file, what is computed from them."""
PEAK_PER_KEPT = 1.5
"""Peak memory of a search over what autograd keeps; the rest is temporaries and memory that cannot be reused."""


@dataclass(frozen=True)
class Limits:
    """The limits of a group.

    Attributes:
        share: the largest share of the device's memory that the process may use.
        samples: the largest number of samples; more make no generator noticeably faster.
        kept_bytes: the most bytes that autograd may keep of the group; more make the search no faster.
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
    """Returns the largest useful number of references in a group, at least 1, by memory and by speed.

    It depends on the machine's total memory, not on the free part, so the same command always makes the same groups.

    Args:
        generator: the generator, whose activations fill the memory.
        num_samples: the number of samples of each reference, K.
        device: the device of the search.
        precision: the precision, by Lightning's name for it.
    """
    limits, there = LIMITS[device.type], memory_bytes(device)
    kept = num_samples * kept_bytes(generator.architecture, 8 if precision == "64-true" else 4)
    room = limits.share * there - search_bytes(generator, 0)
    fitting = room / (PEAK_PER_KEPT * kept)
    if fitting < 1 and num_samples <= most_samples(generator, device, precision):  # of more, the run refuses
        log.warning(
            "One reference with %d samples may take %.1f GB, and %.0f %% of this machine's memory are %.1f GB; with"
            " fewer samples it takes less.",
            num_samples,
            search_bytes(generator, kept) / 1e9,
            100 * limits.share,
            limits.share * there / 1e9,
        )
    return max(1, math.floor(min(fitting, limits.samples / num_samples, limits.kept_bytes / kept)))


def most_samples(generator: Generator, device: torch.device, precision: str, film_frames: int = 0) -> int:
    """Returns the most samples that can be searched at once in all of the device's memory.

    On a processor it is an estimate, since the system ends a process that takes more. On a GPU it is a bound that no
    search can exceed, since PyTorch itself says where less is too much.

    Args:
        generator: the generator.
        device: the device of the search.
        precision: the precision, by Lightning's name for it.
        film_frames: the number of pictures of each sample that are kept for its film.
    """
    of_sample = kept_bytes(generator.architecture, 8 if precision == "64-true" else 4)
    if device.type == "cuda":
        return int(memory_bytes(device) / of_sample)
    film = film_frames * 4 * 3 * generator.resolution**2
    room = memory_bytes(device) - search_bytes(generator, 0)
    return max(0, int(room / (PEAK_PER_KEPT * of_sample + film)))


def search_bytes(generator: Generator, kept: float) -> float:
    """Estimates the peak memory, in bytes, of a search in which autograd keeps `kept` bytes of activations."""
    weights = sum(weight.numel() * weight.element_size() for weight in generator.parameters())
    return PROGRAM_BYTES + PER_WEIGHT * weights + PEAK_PER_KEPT * kept


def kept_bytes(architecture: Architecture, element_size: int = 4) -> int:
    """Returns the bytes that autograd keeps of one image from the forward to the backward pass of the synthesis.

    For each layer it keeps the input times the style, the result of the convolution (before and after the low-pass
    filter, where the layer doubles the resolution) and the output; for each ToRGB layer the input times the style.
    Styles, noise maps and tensors with only the image's channels are not counted.

    Args:
        architecture: the generator's architecture.
        element_size: the bytes of one number.
    """
    outputs = 1 if architecture.conv_clamp is None else 2  # the clamp also keeps its input
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


# --- the memory of the machine -----------------------------------------------------------------------------------


def memory_bytes(device: torch.device) -> int:
    """Returns the bytes of a GPU's memory, or the bytes of the machine's memory that this process may use."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *control_group_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def control_group_limits(membership: Path, root: Path) -> Iterator[int]:
    """Yields the memory limits, in bytes, that a container or batch system has set on this process; none elsewhere.

    Args:
        membership: a file with a line "number:controllers:path" per hierarchy; version 2 names no controller.
        root: the folder where the hierarchies are mounted.
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
        # A limit holds for all groups below. Inside a container the path may be the host's, and only the top exists.
        folder = top / path.lstrip("/")
        for group in (folder, *folder.parents[: len(folder.parts) - len(top.parts)]):
            try:
                limit = (group / name).read_text(encoding="utf-8").strip()
            except OSError:
                continue
            if limit != "max":
                yield int(limit)


def peak_bytes(device: torch.device) -> int:
    """Returns the peak memory of this process so far, in bytes: GPU memory on CUDA, else the machine's memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024  # macOS counts bytes
