"""The search: latents are moved until the generated images, downsampled, match the reference.

One `fit` of Lightning searches all references. An epoch is a group of M references with K samples each, a batch of
B = M * K, reference-major; a training step is one step of the search. Nothing is checkpointed: a group is the unit of
work, and finished outcomes are handed to a recorder. If a group does not fit into memory, that `fit` ends, and a new
one continues with the halves of the group.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.memory import garbage_collection_cuda
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.diversity.batch_diversity import BatchDiversity, NoBatchDiversity, Repulsion
from multimodal_pulse.diversity.latent_resampling import InitialLatents
from multimodal_pulse.diversity.lr_noise import GaussianLrNoise, MaskedLrNoise, NoLrNoise
from multimodal_pulse.diversity.synthesis_noise import (
    GaussianSynthesisNoise,
    NoiseMaps,
    NoSynthesisNoise,
    PulseNoise,
    SharedSynthesisNoise,
    noise_name,
)
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.space import Space
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.held import Held
from multimodal_pulse.search.active import Active
from multimodal_pulse.search.after_step import AfterStep, Step
from multimodal_pulse.search.allocator import freed_memory_kept
from multimodal_pulse.search.consistency import Consistency
from multimodal_pulse.search.keep import BestIterate
from multimodal_pulse.search.objective import AnyObjective, Iterate, squared_error
from multimodal_pulse.search.outcome import Outcome, Recorder, ReferenceList, round_samples
from multimodal_pulse.search.select import Selection
from multimodal_pulse.search.stages import Stage, by_first_step
from multimodal_pulse.search.trainer import make_trainer, out_of_memory, quiet_lightning
from multimodal_pulse.search.variables import Variable, by_problem

log = logging.getLogger(__name__)


class LatentOptimization(pl.LightningModule):
    """The search for K samples of each reference.

    Args:
        references: all references.
        groups: the indices of the references that are searched together, group by group, in this order.
        generator: the frozen generator; it is moved to the trainer's device and precision.
        degradation: A, from the generator's pictures to LR pictures.
        stages: the stages of the search in order, each with its latent space, steps, optimiser and schedule. If the
            first one comes again, it restarts the search: it draws new initial latents, and the kept iterates stay.
        latent_resampling, lr_noise, synthesis_noise, batch_diversity: the four mechanisms, or their null objects.
        objective: the terms of the loss and their weights.
        after_step: what follows a step of the optimiser.
        keep: a factory, from the number of steps and the number of film frames, of the object that keeps an iterate
            of each sample.
        select: which of the samples are kept.
        consistency: what is applied to the samples after the search.
        num_samples: K, at least 1.
        seed: the seed of all random draws; any integer.
        film_frames: the number of iterates to keep as pictures; 0: none.
        active: a factory, from the number of problems and of the samples of each, of the object that knows which
            samples are still searched.

    Raises:
        UserError: `num_samples` is less than 1.

    Attributes:
        steps: the steps of all stages together.
        groups: the given groups; one that did not fit into memory is replaced by its halves.
        position: the index of the current group in `groups`.
        group: the references of the current group.
        stage: the current stage.
        outcomes: the outcomes of the last finished group.
        images: the images of the last pass, [A, 3, R, R], not clamped, for a callback that watches the search, in
            `on_train_batch_end`; None before the first pass of a group and after `run`.
        rows: the numbers of these A samples within the batch.
        stopped: whether `stop` was called.
    """

    def __init__(
        self,
        *,
        references: ReferenceList,
        groups: Sequence[Sequence[int]],
        generator: Generator,
        degradation: Degradation,
        stages: Sequence[Stage],
        latent_resampling: InitialLatents,
        lr_noise: NoLrNoise | GaussianLrNoise | MaskedLrNoise,
        synthesis_noise: NoSynthesisNoise | GaussianSynthesisNoise | PulseNoise | SharedSynthesisNoise,
        batch_diversity: NoBatchDiversity | BatchDiversity | Repulsion,
        objective: AnyObjective,
        after_step: AfterStep,
        keep: Callable[[int, int], BestIterate],
        select: Selection,
        consistency: Consistency,
        num_samples: int,
        seed: int,
        film_frames: int = 0,
        active: Callable[[int, int], Active] = Active,
    ):
        super().__init__()
        if num_samples < 1:
            raise UserError(f"num_samples={num_samples} must be at least 1.")
        self.automatic_optimization = False
        self.references, self.groups = references, list(groups)
        self.position, self._halved = 0, [False] * len(groups)
        self.generator, self.degradation = generator, degradation
        self.stages, self.stage = by_first_step(stages), stages[0]
        self.steps = sum(stage.steps for stage in stages)
        self._spaces = nn.ModuleList(stage.latent_space for stage in stages)  # so that Lightning moves them
        self.latent_resampling, self.lr_noise = latent_resampling, lr_noise
        self.synthesis_noise, self.batch_diversity = synthesis_noise, batch_diversity
        self.objective, self.after_step, self.keep = objective, after_step, keep
        self.select, self.consistency = select, consistency
        self.num_samples, self.seed, self.film_frames = num_samples, seed, film_frames
        self.make_active = active
        self.recorder: Recorder = lambda outcome: None
        self.group: list[Reference] = []
        self.outcomes: list[Outcome] = []
        self.images: Tensor | None = None
        self.rows: list[int] = []
        self.stopped = False
        # Lightning asks for an optimiser before the first group exists; this is a placeholder until then.
        self.variables = {"latent": Variable(torch.zeros(num_samples, 1, 1))}

    # --- the algorithm -------------------------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        """Begins a group: makes its targets, noise maps and initial latents."""
        self.started, self.images = time.perf_counter(), None
        self.group = [self.references[index] for index in self.groups[self.position]]
        k, seed, like = self.num_samples, self.seed, next(self.generator.parameters())
        self.targets = torch.cat([self.lr_noise.targets(r.lr, seed, r.name, k) for r in self.group]).to(like)
        noise_std = torch.tensor([r.noise.std for r in self.group]).repeat_interleave(k).to(like)
        self.known = {"noise_std": noise_std} if noise_std.any() else {}
        held = [r.held for r in self.group if isinstance(r.held, Held)]
        if len(held) == len(self.group):
            of_samples = {"parent": [h.parent for h in held], "outside": [1 - h.weight for h in held]}
            self.known |= {
                name: torch.stack(values).repeat_interleave(k, dim=0).to(like) for name, values in of_samples.items()
            }
        self.noise_maps = NoiseMaps(
            self.generator, [self.synthesis_noise.draw(self.generator, seed, r.name, k) for r in self.group]
        )
        self.streams = [stream(seed, r.name, sample, "after_step") for r in self.group for sample in range(k)]
        self.kept = self.keep(self.steps, self.film_frames)
        problems = self.batch_diversity.problems(len(self.group), k)
        self.active = self.make_active(problems, len(self.streams) // problems)

    def on_train_batch_start(self, batch: int, step: int) -> int | None:
        """Begins a stage at its first step: makes its variables, optimiser and schedule.

        Returns: -1, by which Lightning ends the group, once no sample is searched any more.
        """
        if self.stopped and step:  # without a first pass there is nothing to keep
            self.active.leave()
        if not self.active.rows:
            return -1
        if step not in self.stages:
            return None
        stage = self.stages[step]
        if stage is self.stages[0]:
            self.initial = self._draw(restart=list(self.stages).index(step))
        else:
            self.initial = self._hand_over(self.stage.latent_space, stage.latent_space)
        if step == 0 or stage is not self.stages[0]:  # a restart competes with what was kept
            self.kept.begin_stage(self.initial)
        self.stage, self.first_step = stage, step
        self.variables = {name: Variable(value) for name, value in self.initial.items()}
        self.trainer.strategy.setup_optimizers(self.trainer)
        return None

    def training_step(self, step: int) -> dict[str, Tensor]:
        """Does one step of the search for all active samples at once; returns the loss and its terms by name."""
        active = self.active
        variables = {name: variable.stack(active.rows) for name, variable in self.variables.items()}
        noise_maps = self.noise_maps.maps(variables, active.index)
        w_plus, images = self.stage.latent_space.synthesise(variables, noise_maps)
        with self.full_precision():
            fidelity = squared_error(self.degradation(images), self.targets[active.index])
            of_problems = active.of_problems(images)
            progress = (step - self.first_step) / max(1, self.stage.steps - 1)
            lr_numel = self.targets[0].numel()
            initial, known = active.of(self.initial), active.of(self.known)
            iterate = Iterate(variables, initial, w_plus, of_problems, fidelity, lr_numel, progress, **known)
            coupling = self.batch_diversity(of_problems, self.degradation)
            losses, terms = self.objective(iterate, coupling)
        self.kept.observe(step, terms, variables, images, active.index)
        self.images, self.rows = images.detach(), active.rows

        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(losses.sum())
        optimizer.step(lambda: active.spread(losses))
        rate = optimizer.param_groups[0]["lr"]
        self.after_step(Step(self.stage.latent_space, self.variables, rate, self.streams))
        self.lr_schedulers().step()  # type: ignore[union-attr, call-arg]
        active.after_pass(self.kept.fidelity)
        logged = {"loss": losses.sum(), **terms, "batch_diversity": coupling.sum()}
        return {name: term.detach() for name, term in logged.items()}

    @torch.no_grad()
    def on_train_epoch_end(self) -> None:
        """Ends a group: draws the kept iterates again, outside autocast, and hands the outcomes to the recorder."""
        found, noise_maps = self.kept.variables, self.noise_maps.of_saved(self.kept.variables)
        w_plus, images = self.stage.latent_space.synthesise(found, noise_maps)
        latents = found | {"w_plus": w_plus} | {noise_name(layer): maps for layer, maps in enumerate(noise_maps)}
        of_references = list(zip(images.split(self.num_samples), self.group, strict=True))
        chosen = [
            self.select(found, reference.lr.to(found), self.degradation, reference.ok_lr_psnr_db)
            for found, reference in of_references
        ]
        exact = [
            self.consistency(
                found[rows], reference.lr.to(found), self.degradation, reference.noise.std, reference.held
            ).cpu()
            for (found, reference), rows in zip(of_references, chosen, strict=True)
        ]
        seconds = (time.perf_counter() - self.started) / len(self.group)
        lr_found = self.degradation(images.clamp(0, 1))
        self.outcomes = [
            self._outcome(index, rows, exact[index], lr_found, latents, seconds) for index, rows in enumerate(chosen)
        ]
        for outcome in self.outcomes:
            self.recorder(outcome)
        self.position += 1
        self.trainer.should_stop = self.stopped

    def _draw(self, restart: int) -> dict[str, Tensor]:
        """Returns the initial variables of the first stage; a restart (from 1) has draws of its own."""
        space, like = self.stages[0].latent_space, next(self.generator.parameters())
        drawn = []
        for reference in self.group:
            name = f"{reference.name}, restart {restart}" if restart else reference.name
            drawn.append(
                self.latent_resampling.draw(space, self.degradation, reference.lr, self.seed, name, self.num_samples)
            )
        initial = {name: torch.cat([draw[name] for draw in drawn]).to(like) for name in drawn[0]}
        return initial | self.noise_maps.initial

    @torch.no_grad()
    def _hand_over(self, before: Space, after: Space) -> dict[str, Tensor]:
        """Returns the initial variables of a stage in space `after`, from the iterates kept in space `before`."""
        found = self.kept.variables
        w_plus, _ = before.synthesise(found, self.noise_maps.maps(found))
        return after.begin_from(found, w_plus) | {name: found[name] for name in self.noise_maps.initial}

    def _outcome(
        self, index: int, chosen: Tensor, found: Tensor, lr_found: Tensor, latents: dict[str, Tensor], seconds: float
    ) -> Outcome:
        """Returns the outcome of the group's reference number `index`, from its chosen samples, on the CPU."""
        rows = index * self.num_samples + chosen
        film = self.kept.film
        passes = [self.active.passes[row] for row in rows.tolist()]
        samples, lr_before_rounding = round_samples(found, self.degradation)
        return Outcome(
            reference=self.group[index],
            targets=self.targets[rows].cpu(),
            mask=self.lr_noise.mask,
            samples=samples,
            lr_found=lr_found[rows].cpu(),
            lr_before_rounding=lr_before_rounding,
            # Maps that all samples of the group share are [1, 1, r, r].
            latents={name: (value[rows] if len(value) > 1 else value).cpu() for name, value in latents.items()},
            fidelity_trace=self.kept.fidelity_trace[:, rows].cpu(),
            best_step=self.kept.step[rows].tolist(),
            selected=chosen.tolist(),
            steps=max(passes),
            passes=passes,
            seconds=seconds,
            film=None if film is None else film[:, rows],
            film_steps=self.kept.film_steps,
            group=[reference.name for reference in self.group],
            halved=self._halved[self.position],
            stopped=self.active.left,
        )

    # --- what Lightning calls ---------------------------------------------------------------------------------

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LambdaLR]]:
        """Makes a new optimiser and schedule for the current Parameters."""
        stage = self.stage
        problems = self.batch_diversity.problems(max(1, len(self.group)), self.num_samples)
        optimizer = stage.optimizer(
            by_problem(self.variables.values(), problems),
            num_iterations=stage.steps,
            built_in_schedule=stage.schedule.keeps_built_in,
        )
        return [optimizer], [LambdaLR(optimizer, lambda step: stage.schedule(step, stage.steps))]

    def train_dataloader(self) -> Iterable[int]:
        """Returns the steps of one group."""
        return range(self.steps)

    def full_precision(self) -> torch.autocast:
        """Returns a context without autocast: with 8 bits of mantissa in the loss the search would stop at 45 dB."""
        return torch.autocast(self.device.type, enabled=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Empties the state: the generator has its own file."""
        checkpoint["state_dict"] = {}

    def run(self, recorder: Recorder, **trainer_options: Any) -> None:
        """Searches all groups, one after the other; `recorder` gets each outcome when its group has ended.

        A group that does not fit into memory is searched in halves, which are halved again if necessary.

        Args:
            recorder: what receives each outcome.
            trainer_options: arguments of `pl.Trainer`, such as accelerator, precision and callbacks.

        Raises:
            UserError: a single reference does not fit into memory.
        """
        self.recorder = recorder
        self.position, self._halved, self.stopped = 0, [False] * len(self.groups), False
        dtype = next(self.generator.parameters()).dtype
        try:
            with quiet_lightning(), freed_memory_kept():
                while not self._fits(**trainer_options):
                    self._halve()
        finally:
            self.images = None
            # Precision 64-true leaves the generator in float64, and the next search would run in it.
            self.to(dtype=dtype)

    def stop(self) -> None:
        """Ends the search after the current pass: its group is finished with what is kept, and no other begins.

        It may be called by a callback, or by another thread while `run` goes on.
        """
        self.stopped = True

    def _fits(self, **trainer_options: Any) -> bool:
        """Searches the groups from `position` on; returns False if the one at `position` does not fit into memory."""
        try:
            make_trainer(len(self.groups) - self.position, **trainer_options).fit(self)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return False
        return True

    def _halve(self) -> None:
        """Replaces the group at `position` by its halves.

        Call it after the error has been handled: its traceback holds the activations in memory.
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
