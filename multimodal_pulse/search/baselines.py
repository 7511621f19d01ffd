"""The baselines: answers that need no search, handed to the recorder as a search does it."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.diversity.synthesis_noise import noise_name
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.sphere import Sphere
from multimodal_pulse.references.base import Reference
from multimodal_pulse.search.consistency import Consistency
from multimodal_pulse.search.outcome import Outcome, Recorder, ReferenceList, round_samples


class BicubicSearch:
    """The traditional baseline: one sample per reference, which is the reference enlarged by `degradation.upsample`.

    It takes the same keywords as `LatentOptimization`; those that only a search needs (`of_a_search`) have no effect.
    """

    def __init__(
        self,
        *,
        references: ReferenceList,
        groups: Sequence[Sequence[int]],
        degradation: Degradation,
        consistency: Consistency,
        **of_a_search: Any,
    ):
        self.references, self.groups = references, groups
        self.degradation, self.consistency = degradation, consistency

    def upsample(self, reference: Reference) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the sample, [1, 3, R, R], and an empty dict of latents."""
        return self.degradation.upsample(reference.lr[None]), {}

    @torch.no_grad()
    def run(self, recorder: Recorder, **trainer_options: Any) -> None:
        """Hands the outcome of each reference to the recorder, in the order of the groups; nothing is trained."""
        indices = [index for group in self.groups for index in group]
        for index in progress_bar(iterable=indices, desc="references", unit="", disable=len(indices) < 2):
            started = time.perf_counter()
            reference = self.references[index]
            images, latents = self.upsample(reference)
            found = self.consistency(images, reference.lr, self.degradation, reference.noise.std)
            samples, lr_before_rounding = round_samples(found, self.degradation)
            recorder(
                Outcome(
                    reference=reference,
                    targets=reference.lr[None],
                    mask=None,
                    samples=samples,
                    lr_found=self.degradation(images.clamp(0, 1)),
                    lr_before_rounding=lr_before_rounding,
                    latents=latents,
                    fidelity_trace=samples.new_zeros(0, 1),
                    best_step=[0],
                    steps=0,
                    seconds=time.perf_counter() - started,
                    group=[reference.name],
                )
            )


class MeanImageSearch(BicubicSearch):
    """The generator's mean image, the same for every reference: the prior alone.

    It takes the same keywords as `LatentOptimization`.
    """

    def __init__(self, *, generator: Generator, **of_a_search: Any):
        super().__init__(**of_a_search)
        self.generator = generator

    def upsample(self, reference: Reference) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the sample, [1, 3, R, R], and the latents that draw it."""
        latent = torch.zeros(1, self.generator.num_ws, self.generator.w_dim)  # the centre of the sphere
        w_plus = Sphere(self.generator).to_w_plus(latent)
        noise = {noise_name(layer): maps for layer, maps in enumerate(self.generator.constant_noise())}
        return self.generator.synthesis(w_plus), {"latent": latent, "w_plus": w_plus} | noise
