"""Where results come from: the commit, versions, device and sha256 of the weights."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType

import torch

from multimodal_pulse.results.json_files import write_json

_VERSIONS_OF = (
    "multimodal-pulse", "torch", "torchmetrics", "pytorch-lightning", "pytorch-optimizer", "hydra-core",
    "safetensors", "numpy", "pillow", "wandb",
)  # fmt: skip


def write_provenance(
    run_dir: str | Path,
    *,
    seed: int,
    device: torch.device,
    weights_sha256: str | None,
    generator: str,
    choices: Mapping[str, Mapping[str, str | None]],
    varied: Mapping[str, Mapping[str, str | None]] = MappingProxyType({}),
) -> None:
    """Writes provenance.json.

    Args:
        run_dir: the run directory.
        seed: the seed of the run.
        device: the device of the search.
        weights_sha256: the sha256 of the generator's weights; None for a method without a generator.
        generator: the name of the generator.
        choices: what was `chosen` of precision and kernels, and, where the program chose, what it did so `because` of.
        varied: the fingerprints of the sample and of the mask of `method=vary`, by what they are.
    """
    write_json(
        Path(run_dir) / "provenance.json",
        {
            "commit": _commit(),
            "command": sys.argv,
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in _VERSIONS_OF}},
            "device": _device_in_words(device),
            "threads": torch.get_num_threads(),
            "platform": platform.platform(),
            "generator": generator,
            "weights_sha256": weights_sha256,
            "seed": seed,
            "vary": dict(varied) or None,
            **choices,
        },
    )


def _commit() -> str | None:
    """Returns the commit of the source tree, with "+changes" if files differ from it; None outside a source tree."""
    here = Path(__file__)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # An installed package may lie inside an unrelated repository: only one that tracks this file counts.
        git("ls-files", "--error-unmatch", here.name)
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _device_in_words(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.processor() or platform.machine()}, {os.cpu_count()} cores)"
