"""What a run leaves on the disk: the plan, one folder per finished reference, and the tables derived from the folders.

The folders are the truth. Each appears whole, by a rename, with a record.json in it; records.jsonl and metrics.json
can be derived again from them at any time, so that a run that was killed loses its unfinished references only.
"""

import json
import math
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from multimodal_pulse.errors import UserError
from multimodal_pulse.files import PARTIAL, atomic_folder, remove_partial, write_atomic
from multimodal_pulse.metrics.evaluation import SampleRecord, Scores
from multimodal_pulse.metrics.summary import summary
from multimodal_pulse.outcome import Outcome
from multimodal_pulse.references.images import save_png

_VERSIONS_OF = (
    "multimodal-pulse", "torch", "torchvision", "torchmetrics", "lightning", "pytorch-optimizer", "hydra-core",
    "safetensors", "numpy", "pillow", "wandb",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a run is to do, settled before it starts: the rounding of a sample's search depends on its group.

    Attributes:
        references: names, in order, each once.
        groups: positions in `references` that are searched together, in order.
        seconds: estimated wall time of the whole (of a shard: of its share), by `dry_run=true`; None without it.
    """

    references: list[str]
    groups: list[list[int]]
    seconds: float | None = None

    @classmethod
    def of(cls, names: Sequence[str], references_per_group: int, seconds: float | None = None) -> "Plan":
        """Groups of `references_per_group` neighbours; the last may be smaller.

        Raises:
            ValueError: a name occurs twice.
        """
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(f"References must have different names; {repeated[0]!r} occurs more than once.")
        positions = list(range(len(names)))
        starts = range(0, len(names), references_per_group)
        return cls(list(names), [positions[start : start + references_per_group] for start in starts], seconds)

    @classmethod
    def read(cls, run_dir: str | Path) -> "Plan | None":
        """The plan that is settled in a run directory; None where there is none.

        Raises:
            UserError: plan.json is damaged.
        """
        path = Path(run_dir) / "plan.json"
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} is damaged, or not this program's: {error}.") from error

    def label(self, group: Sequence[int]) -> str:
        """What a group's curves are called: its reference, or "<first> to <last>" of several."""
        first, last = self.references[group[0]], self.references[group[-1]]
        return first if len(group) == 1 else f"{first} to {last}"

    def names(self, index: int = 0, count: int = 1) -> list[str]:
        """The references of shard `index` of `count`."""
        return [self.references[position] for group in self.groups[index::count] for position in group]

    def pending(
        self, finished: Collection[str], index: int = 0, count: int = 1, unusable: Collection[int] = ()
    ) -> list[list[int]]:
        """The groups of shard `index` of `count` in which a reference is missing; each is searched again as a whole.

        Args:
            finished: names.
            unusable: positions that are searched in no group, and missed in none.
        """
        usable = ([position for position in group if position not in unusable] for group in self.groups[index::count])
        return [group for group in usable if any(self.references[position] not in finished for position in group)]


def refuse_another_run(run_dir: str | Path, plan: Plan, weights_sha256: str | None) -> None:
    """
    Raises:
        UserError: the run directory holds a run with another plan, or one that was begun with other weights.
    """
    settled, provenance_file = Plan.read(run_dir), Path(run_dir) / "provenance.json"
    if settled is not None and (settled.references, settled.groups) != (plan.references, plan.groups):
        raise UserError(
            f"{Path(run_dir) / 'plan.json'} plans {len(settled.references)} references in {len(settled.groups)} groups,"
            f" not the {len(plan.references)} in {len(plan.groups)} asked for now: give this run a directory of its"
            " own."
        )
    if provenance_file.exists():
        begun_with = json.loads(provenance_file.read_text(encoding="utf-8")).get("weights_sha256")
        if begun_with != weights_sha256:
            raise UserError(
                f"{run_dir} holds a run with other weights (sha256 {str(begun_with)[:12]}... there,"
                f" {str(weights_sha256)[:12]}... now): give this one a hydra.run.dir of its own."
            )


def settle_plan(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json, unless it is there (a run that is taken up again)."""
    if not (Path(run_dir) / "plan.json").exists():
        write_plan(run_dir, plan)


def write_plan(run_dir: str | Path, plan: Plan) -> None:
    """Writes plan.json."""
    write_json(Path(run_dir) / "plan.json", asdict(plan))


class Records:
    """The finished references of one run directory, which no other process writes to.

    Args:
        run_dir: the run directory; made if missing. What a killed run left unfinished in it is removed.
        settings: what draws a reference's pictures again (its generator, degradation and consistency, and for the
            title its method and seed), copied into each record.json for `pictures.render_folder`.
        lpips_state: the `state` of the LPIPS that the scores were made with.
        weights_sha256: hash of the generator's weights, which `render_folder` then asks for; None: any may draw again.
    """

    def __init__(
        self,
        run_dir: str | Path,
        settings: Mapping[str, Any],
        lpips_state: Mapping[str, Any],
        weights_sha256: str | None = None,
    ) -> None:
        self.run_dir = Path(run_dir)
        self.folder = self.run_dir / "references"
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_partial(self.folder)
        remove_partial(self.run_dir)
        self.settings = dict(settings)
        self._lpips_state = dict(lpips_state)
        self._weights_sha256 = weights_sha256

    def write(self, outcome: Outcome, scores: Scores, downsampled: Tensor, pictures: Mapping[str, Image.Image]) -> Path:
        """Writes the folder of one reference, whole or not at all; one that is there already stays as it is.

        Args:
            outcome: what the search found.
            scores: from `metrics.evaluate`.
            downsampled: [K, 3, h, w], the samples, rounded to 8 bits, degraded.
            pictures: further pictures by file name, such as grid.png.
        Returns: the folder.
        Raises:
            ValueError: the reference's name cannot be a folder's.
        """
        reference = outcome.reference
        if Path(reference.name).name != reference.name or not reference.name or reference.name.startswith("."):
            raise ValueError(f"{reference.name!r} cannot be the name of a folder.")
        folder = self.folder / reference.name
        if folder.exists():
            return folder
        with atomic_folder(folder) as partial:
            for name, image in _tensors_to_save(outcome, downsampled).items():
                save_png(image, partial / name)
            for name, picture in pictures.items():
                picture.save(partial / name)
            if outcome.latents:
                latents = {name: tensor.detach().cpu().contiguous() for name, tensor in outcome.latents.items()}
                (partial / "latents.safetensors").write_bytes(save(latents))
            record = {
                "reference": reference.name,
                "records": [asdict(sample) for sample in scores.records],
                "diversity": asdict(scores.diversity),
                "mean_image_psnr": scores.mean_image_psnr,
                "seconds": outcome.seconds,
                "group": outcome.group,
                "halved": outcome.halved,
                "lpips_backbone": self._lpips_state,
                "settings": self.settings,
                "weights_sha256": self._weights_sha256,
            }
            write_json(partial / "record.json", record)
        return folder

    def derive(self, names: Sequence[str], unusable: Mapping[str, str] | None = None) -> dict[str, Any]:
        """`derive` of this run directory."""
        return derive(self.run_dir, names, unusable)


def derive(run_dir: str | Path, names: Sequence[str], unusable: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Writes records.jsonl and metrics.json from the folders that are there, in the order of `names`.

    Args:
        run_dir: the run directory.
        names: of all references.
        unusable: why a reference could not be searched, by name.

    Returns: the content of metrics.json.
    """
    entries = read_records(run_dir, names)
    lines = [json.dumps(_plain(record), allow_nan=False) for entry in entries for record in entry["records"]]
    write_atomic(Path(run_dir) / "records.jsonl", "".join(line + "\n" for line in lines))
    metrics = metrics_of(entries, unusable or {})
    write_json(Path(run_dir) / "metrics.json", metrics)
    return metrics


def metrics_of(entries: Sequence[Mapping[str, Any]], unusable: Mapping[str, str]) -> dict[str, Any]:
    """The content of metrics.json: `summary` of the finished references, and why others could not be searched."""
    return _plain({**summary(entries), "unusable": unusable})


def _tensors_to_save(outcome: Outcome, downsampled: Tensor) -> dict[str, Tensor]:
    """File names and pictures [3, H, W] (a mask: [1, h, w] as gray RGB); failed samples are black where not finite."""
    reference = outcome.reference
    images = {"lr.png": reference.lr}
    if reference.hr is not None:
        images["hr.png"] = reference.hr
    if outcome.mask is not None:
        images["mask.png"] = outcome.mask.expand(3, -1, -1)
    for sample, (high, low, target) in enumerate(zip(outcome.samples, downsampled, outcome.targets, strict=True)):
        images[f"sr_{sample:02d}.png"] = high.nan_to_num(0.0, 0.0, 0.0)
        images[f"sr_{sample:02d}_lr.png"] = low.nan_to_num(0.0, 0.0, 0.0)
        if not torch.equal(target.cpu(), reference.lr.cpu()):
            images[f"lr_noisy_{sample:02d}.png"] = target
    return images


def finished(run_dir: str | Path) -> set[str]:
    """Names of the references whose folder is in the run directory."""
    records = (Path(run_dir) / "references").glob("*/record.json")
    return {record.parent.name for record in records if not record.parent.name.startswith(PARTIAL)}


def read_records(run_dir: str | Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The record.json of every finished reference among `names`, in their order.

    A score of a sample that an earlier version did not measure is None.
    """
    done = finished(run_dir)
    folder = Path(run_dir) / "references"
    entries = [
        json.loads((folder / name / "record.json").read_text(encoding="utf-8")) for name in names if name in done
    ]
    for entry in entries:
        entry["records"] = [dict.fromkeys(SampleRecord.__annotations__) | record for record in entry["records"]]
    return entries


def write_provenance(
    run_dir: str | Path, *, seed: int, device: torch.device, weights_sha256: str | None, generator: str
) -> None:
    """Writes provenance.json: what the run was made with.

    Args:
        run_dir: the run directory.
        seed: the run's seed.
        device: where the search runs.
        weights_sha256: hash of the generator's weights; None for a method without a generator.
        generator: the generator's name.
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
        },
    )


def _commit() -> str | None:
    """The commit of the source tree this package runs from, with "+changes" where files differ; None outside one."""
    here = Path(__file__)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # An installed package may lie inside somebody else's repository: only one that tracks this file counts.
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


def write_json(path: str | Path, content: Any) -> None:
    """Writes `content` to `path`, whole or not at all, with null for every number that is not finite."""
    write_atomic(path, json.dumps(_plain(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    """The same with JSON's own types only: tensors as numbers, paths as text, non-finite numbers as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)
