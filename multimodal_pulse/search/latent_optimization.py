"""The search: latents are moved until the generated images, downsampled, match the reference.

One `fit` of Lightning does all references. An epoch is a group of M references with K samples each, a batch of
B = M * K, reference-major; a training step is one step of the search. Nothing is checkpointed: a group is the unit of
work, and what is finished is handed to a recorder. Where memory does not suffice for a group, that fit is over and the
next one goes on with the halves of the group.
"""

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.memory import garbage_collection_cuda, is_oom_error
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Degradation
from multimodal_pulse.diversity.batch_diversity import BatchDiversity, NoBatchDiversity
from multimodal_pulse.diversity.latent_resampling import IndependentLatents, SharedLatent
from multimodal_pulse.diversity.lr_noise import GaussianLrNoise, MaskedLrNoise, NoLrNoise
from multimodal_pulse.diversity.synthesis_noise import (
    GaussianSynthesisNoise,
    NoiseMaps,
    NoSynthesisNoise,
    PulseNoise,
    noise_name,
)
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.sphere import LatentSpace
from multimodal_pulse.references.base import Reference
from multimodal_pulse.search.best_iterate import BestIterate
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency
from multimodal_pulse.search.objective import Objective
from multimodal_pulse.search.optimizers import MakeOptimizer
from multimodal_pulse.search.outcome import Outcome
from multimodal_pulse.search.schedules import Schedule
from multimodal_pulse.search.variables import SphericalParameters, all_parameters

log = logging.getLogger(__name__)

Recorder = Callable[[Outcome], None]


class ReferenceList(Protocol):
    """References by index, each made when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Reference: ...


class LatentOptimization(pl.LightningModule):
    """The search for K samples of each reference.

    Args:
        references: the references, by index.
        groups: which of them are searched together, in this order.
        generator: frozen; moved to the trainer's device and precision.
        degradation: A, of the generator's resolution to the references'.
        latent_space: of this generator.
        latent_resampling, lr_noise, synthesis_noise, batch_diversity: the four mechanisms, or their null objects.
        objective: the weights of the loss.
        optimizer: makes the optimiser of a group.
        schedule: of its learning rate.
        consistency: applied to the samples found.
        num_samples: K, at least 1.
        steps: of each search, at least 1.
        seed: of all random draws; any integer.
        film_frames: iterates to keep as pictures; 0: none.

    Raises:
        UserError: no sample, or no step.

    Attributes:
        groups: as given; a group that did not fit into memory has been replaced by its halves.
        position: of the current group in `groups`.
        group: the references of the current group.
        outcomes: those of the group that ended last.
    """

    def __init__(
        self,
        *,
        references: ReferenceList,
        groups: Sequence[Sequence[int]],
        generator: Generator,
        degradation: Degradation,
        latent_space: LatentSpace,
        latent_resampling: IndependentLatents | SharedLatent,
        lr_noise: NoLrNoise | GaussianLrNoise | MaskedLrNoise,
        synthesis_noise: NoSynthesisNoise | GaussianSynthesisNoise | PulseNoise,
        batch_diversity: NoBatchDiversity | BatchDiversity,
        objective: Objective,
        optimizer: MakeOptimizer,
        schedule: Schedule,
        consistency: NoConsistency | ExactConsistency,
        num_samples: int,
        steps: int,
        seed: int,
        film_frames: int = 0,
    ):
        super().__init__()
        for name, value in (("num_samples", num_samples), ("steps", steps)):
            if value < 1:
                raise UserError(f"{name}={value} must be at least 1.")
        self.automatic_optimization = False
        self.references, self.groups = references, list(groups)
        self.position, self._halved = 0, [False] * len(groups)
        self.generator, self.degradation, self.latent_space = generator, degradation, latent_space
        self.latent_resampling, self.lr_noise = latent_resampling, lr_noise
        self.synthesis_noise, self.batch_diversity = synthesis_noise, batch_diversity
        self.objective, self.make_optimizer, self.schedule = objective, optimizer, schedule
        self.consistency = consistency
        self.num_samples, self.steps, self.seed, self.film_frames = num_samples, steps, seed, film_frames
        self.recorder: Recorder = lambda outcome: None
        self.group: list[Reference] = []
        self.outcomes: list[Outcome] = []
        # Lightning asks for an optimiser before the first group exists; this stands in until then.
        self.variables = {"latent": SphericalParameters(torch.zeros(1, 1, 1))}

    # --- the algorithm -------------------------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        """Begins a group: its targets, initial latents and noise maps, and a fresh optimiser and schedule."""
        self.started = time.perf_counter()
        self.group = [self.references[index] for index in self.groups[self.position]]
        k, seed, like = self.num_samples, self.seed, self.latent_space.mean
        self.targets = torch.cat([self.lr_noise.targets(r.lr, seed, r.name, k) for r in self.group]).to(like)
        latents = [self.latent_resampling.draw(self.latent_space, seed, r.name, k) for r in self.group]
        self.noise_maps = NoiseMaps(
            self.generator, [self.synthesis_noise.draw(self.generator, seed, r.name, k) for r in self.group]
        )
        initial = {"latent": torch.cat(latents).to(like)} | self.noise_maps.initial
        self.variables = {name: SphericalParameters(value) for name, value in initial.items()}
        self.best = BestIterate(self.steps, self.film_frames)
        self.trainer.strategy.setup_optimizers(self.trainer)

    def training_step(self, step: int) -> dict[str, Tensor]:
        """One step of the search, for all samples of the group at once."""
        variables = {name: variable.stack() for name, variable in self.variables.items()}
        w_plus, images = self.synthesise(variables)
        with self.full_precision():
            generated_lr = self.degradation(images)
            fidelity = self.objective.fidelity(generated_lr, self.targets)
            geodesic_spread = self.objective.geodesic_spread(variables["latent"], w_plus)
            diversity = self.batch_diversity(images.unflatten(0, (len(self.group), self.num_samples)))
            loss = self.objective(fidelity, geodesic_spread, diversity)
        self.best.observe(step, fidelity, variables, images)

        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.lr_schedulers().step()  # type: ignore[union-attr, call-arg]
        for variable in self.variables.values():
            variable.return_to_sphere()
        terms = {"loss": loss, "fidelity": fidelity, "geodesic_spread": geodesic_spread, "batch_diversity": diversity}
        return {name: term.detach() for name, term in terms.items()}

    def synthesise(self, variables: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What the search moves -> w_plus [B, num_ws, w_dim] and images [B, 3, R, R], not clamped."""
        w_plus = self.latent_space.to_w_plus(variables["latent"])
        images = self.generator.synthesis(w_plus, self.noise_maps.maps(variables))
        return w_plus, images.to(w_plus.dtype)

    @torch.no_grad()
    def on_train_epoch_end(self) -> None:
        """Ends a group: draws each sample's best iterate again, outside autocast, and hands the outcomes over."""
        w_plus, images = self.synthesise(self.best.variables)
        noise = {noise_name(layer): maps for layer, maps in enumerate(self.noise_maps.maps(self.best.variables))}
        found = {"latent": self.best.variables["latent"], "w_plus": w_plus} | noise
        samples = [
            self.consistency(of_reference, reference.lr.to(images), self.degradation).cpu()
            for of_reference, reference in zip(images.split(self.num_samples), self.group, strict=True)
        ]
        seconds = (time.perf_counter() - self.started) / len(self.group)
        self.outcomes = [self._outcome(index, samples[index], found, seconds) for index in range(len(self.group))]
        for outcome in self.outcomes:
            self.recorder(outcome)
        self.position += 1

    def _outcome(self, index: int, samples: Tensor, found: dict[str, Tensor], seconds: float) -> Outcome:
        """The outcome of the group's reference number `index`, on the CPU."""
        rows = slice(index * self.num_samples, (index + 1) * self.num_samples)
        film = self.best.film
        return Outcome(
            reference=self.group[index],
            targets=self.targets[rows].cpu(),
            mask=self.lr_noise.mask,
            samples=samples,
            # Maps that all samples of the group share are [1, 1, r, r].
            latents={name: (value[rows] if len(value) > 1 else value).cpu() for name, value in found.items()},
            fidelity_trace=self.best.fidelity_trace[:, rows].cpu(),
            best_step=self.best.step[rows].tolist(),
            steps=self.steps,
            seconds=seconds,
            film=None if film is None else film[:, rows],
            film_steps=self.best.film_steps,
            group=[reference.name for reference in self.group],
            halved=self._halved[self.position],
        )

    # --- what Lightning asks for ---------------------------------------------------------------------------------

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LambdaLR]]:
        """A fresh optimiser and schedule for the Parameters there are now."""
        optimizer = self.make_optimizer(
            all_parameters(self.variables.values()),
            num_iterations=self.steps,
            built_in_schedule=self.schedule.keeps_built_in,
        )
        return [optimizer], [LambdaLR(optimizer, lambda step: self.schedule(step, self.steps))]

    def train_dataloader(self) -> Iterable[int]:
        """The steps of one group."""
        return range(self.steps)

    def full_precision(self) -> torch.autocast:
        """Mixed precision is for the generator; 8 bits of mantissa in the loss would end the search at 45 dB."""
        return torch.autocast(self.device.type, enabled=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The generator is a file of its own, not part of a state."""
        checkpoint["state_dict"] = {}

    def run(self, recorder: Recorder, **trainer_options: Any) -> None:
        """Searches all groups, one after the other; `recorder` gets each outcome when its group has ended.

        A group that does not fit into memory is searched in halves, each of them in halves again if need be.

        Args:
            trainer_options: of `pl.Trainer`, such as accelerator, precision and callbacks.

        Raises:
            UserError: a single reference does not fit into memory.
        """
        self.recorder = recorder
        self.position, self._halved = 0, [False] * len(self.groups)
        dtype = self.latent_space.mean.dtype
        try:
            with _as_a_guest():
                while not self._fits(**trainer_options):
                    self._halve()
        finally:
            # 64-true leaves the generator in float64, and its next user would search in it.
            self.to(dtype=dtype)

    def _fits(self, **trainer_options: Any) -> bool:
        """Searches the groups from `position` on; False: the memory did not suffice for the one at `position`."""
        try:
            make_trainer(len(self.groups) - self.position, **trainer_options).fit(self)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return False
        return True

    def _halve(self) -> None:
        """Puts halves in the place of the group at `position`.

        Where this is called the error is gone, and with its traceback nothing holds the activations any more.
        """
        garbage_collection_cuda()
        group = self.groups[self.position]
        if len(group) == 1:
            raise UserError(
                f"{self.references[group[0]].name} with num_samples={self.num_samples} does not fit into memory: choose"
                " fewer samples, since those of one reference are searched together."
            )
        if not any(self._halved):
            log.warning(
                "%d references with %d samples each do not fit into memory: searched in halves, which their records"
                " say. trainer.references_per_group=%d plans smaller groups from the start.",
                len(group),
                self.num_samples,
                len(group) // 2,
            )
        middle = len(group) // 2
        self.groups[self.position : self.position + 1] = [group[:middle], group[middle:]]
        self._halved[self.position : self.position + 1] = [True, True]


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocator, Python's or that of one of PyTorch's devices, has nothing left to give."""
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or is_oom_error(error)  # the processor's and cuDNN's, which are told by their words alone
        or (isinstance(error, RuntimeError) and "MPS backend out of memory" in str(error))
    )


def make_trainer(num_groups: int, **options: Any) -> pl.Trainer:
    """A trainer for `num_groups` groups on a single device. `options` are Lightning's and win over what is set here."""
    return pl.Trainer(
        **{
            "devices": 1,
            "max_epochs": num_groups,
            "logger": False,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "enable_progress_bar": False,
            "num_sanity_val_steps": 0,
        }
        | options
    )


@contextmanager
def _as_a_guest() -> Iterator[None]:
    """Keeps Lightning's notes and warnings to itself, and gives Ctrl-C its meaning back.

    Lightning sets its logger's level when it is imported, after Hydra has configured logging; it turns Ctrl-C into an
    exit and ignores it from then on.
    """
    logger = logging.getLogger("pytorch_lightning")
    level, handler = logger.level, signal.getsignal(signal.SIGINT)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training")
            warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\)")
            yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error
    finally:
        logger.setLevel(level)
