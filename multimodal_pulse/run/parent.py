"""`method=vary`: takes the reference, the generator and the degradation from the folder of a finished sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded, short
from multimodal_pulse.configuration.former_names import translated
from multimodal_pulse.configuration.run_config import FOUND
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.generator import Generator
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.held import Held
from multimodal_pulse.references.parent import OfParent
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.pictures.redraw import noise_maps, read_entry, read_latents, read_reference
from multimodal_pulse.results.plan import Fingerprint, fingerprint
from multimodal_pulse.run.build import build, recorded_node


@dataclass(frozen=True)
class Parent:
    """The sample that is varied.

    Attributes:
        reference: its reference, with what is held.
        file: the file that the reference was made from; None: it had none, or that is another one now.
        folder: the folder of the reference.
        weights_sha256: the sha256 of the weights that made the sample; None: not known.
        settings: the settings in its record.json, in the names of this version.
        degradation_key: the `key` of its degradation.
        w_plus: its latent, [num_ws, w_dim].
        noise_maps: its noise maps, [1, 1, r, r] each.
        files: the fingerprints of its picture (`parent`) and of the mask.
    """

    reference: Reference
    file: Path | None
    folder: Path
    weights_sha256: str | None
    settings: Mapping[str, Any]
    degradation_key: str
    w_plus: Tensor
    noise_maps: Sequence[Tensor]
    files: Mapping[str, Fingerprint]

    def references(self, generator: Generator, degradation: Degradation) -> OfParent:
        """Returns the reference of the parent, for a search by the generator and under the degradation that made it.

        Raises:
            UserError: these are others.
        """
        if self.weights_sha256 not in (None, generator.sha256):
            raise UserError(
                f"vary.folder={short(self.folder)} was made by a generator with the sha256"
                f" {str(self.weights_sha256)[:12]}..., not by this one ({generator.sha256[:12]}...): give"
                " generator=found, which takes that of the folder, or no generator=... at all."
            )
        if degradation.key != self.degradation_key:
            raise UserError(
                f"vary.folder={short(self.folder)} was made under another degradation: give degradation=found, which"
                " takes that of the folder, or no degradation=... at all."
            )
        return OfParent(self.reference, generator.domain or OfParent.domain, self.file)


def with_parent(cfg: DictConfig) -> tuple[DictConfig, Parent | None]:
    """Reads the sample that is varied, and puts its generator and degradation in the place of `found`.

    Args:
        cfg: the configuration.

    Returns: the configuration with the options that made the sample; None with it if no sample is varied.

    Raises:
        UserError: the folder is not that of a finished reference, or has no such sample; the mask cannot be used; or
            an option of the record is none of this program's.
    """
    if "parent" not in cfg.references:
        return cfg, None
    parent = _read(cfg.vary)
    decided = cfg.copy()
    for slot in FOUND:
        if "parent" in cfg[slot]:
            decided[slot] = recorded_node(parent.settings, slot)
    return decided, parent


def _read(vary: DictConfig) -> Parent:
    folder, mask = expanded(vary.folder), expanded(vary.mask)
    entry = read_entry(folder)
    count, sample = len(entry["records"]), vary.sample
    if sample >= count:
        raise UserError(f"vary.sample={sample}: {short(folder)} has the samples 0 to {count - 1}.")
    latents, picture = read_latents(folder), folder / f"sr_{sample:02d}.png"
    if len(latents.get("w_plus", ())) != count:
        raise UserError(f"{short(folder / 'latents.safetensors')} is damaged, or does not belong to this reference.")
    held = Held(load_rgb(picture), load_rgb(mask).mean(dim=0, keepdim=True))
    reference = replace(read_reference(folder, entry), held=held)
    settings, maps = translated(entry["settings"]), noise_maps(latents) or []
    return Parent(
        reference=reference,
        file=Path(entry["file"]["path"]) if reference.aligned else None,
        folder=folder,
        weights_sha256=entry["weights_sha256"],
        settings=settings,
        degradation_key=build(recorded_node(settings, "degradation")).key,
        w_plus=latents["w_plus"][sample],
        noise_maps=[each[sample : sample + 1] if len(each) > 1 else each for each in maps],
        files={"parent": fingerprint(picture), "mask": fingerprint(mask)},
    )
