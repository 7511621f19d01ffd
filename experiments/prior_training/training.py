"""The training of a StyleGAN2 against one or several discriminators: one step on one screen, and its state.

Karras et al. 2020 ("Analyzing and Improving the Image Quality of StyleGAN"): style mixing, lazy R1, a moving average of
the weights. Every step draws from a stream of its own, made from the seed and the number of the step, so that a
training that was stopped and resumed ends like one that was not.
"""

import copy
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from critics import Critic
from pictures import Pictures
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator import Architecture, StyleGAN2

MIXING = 0.5  # share of images made from two latents
W_AVERAGE_RATE = 0.002  # of the moving mean of w, for truncation
GROWN_NOISE = 0.1
"""Noise strength of the two highest blocks after growing. They grow slowly from zero, and a low resolution has little
fine detail to learn them from."""


def stream(seed: int, step: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns the random stream of one step for one purpose ("pictures" or "networks"), on a device."""
    digest = hashlib.sha256(json.dumps([seed, step, purpose]).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7]))


class Batches(Dataset):
    """The batch of every step, [batch, 3, R, R] in [-1, 1]; item i is that of step i, whatever came before."""

    def __init__(self, pictures: Pictures, batch: int, seed: int) -> None:
        self._pictures, self._batch, self._seed = pictures, batch, seed

    def __getitem__(self, step: int) -> Tensor:
        return self._pictures.batch(self._batch, stream(self._seed, step, "pictures"))

    def loader(self, steps: range) -> DataLoader:
        """Returns a loader of the batches of these steps, in order."""
        return DataLoader(self, batch_size=None, sampler=steps)


class Training(pl.LightningModule):
    """Generator, its moving average, discriminators and their optimisers.

    Args:
        architecture: of the generator.
        critics: the discriminators, by the names of their parts in a state.
        augmentation: pictures, stream -> pictures.
        schedule: images still to be seen -> learning rate of all networks.
        images: the training ends after so many.
        seed: fixes the initial weights and every draw.
        half_life: images after which weights count half in the moving average.
        ramp: at the beginning of a training from nothing the half-life is at most this share of the images seen; None:
            it is the same from the first image on.
        bf16: run the convolutions in bfloat16.

    Attributes:
        seen, steps: images and steps so far.
        grown_at: images seen when the network grew; minus infinity if it never did.
    """

    def __init__(
        self,
        architecture: Architecture,
        critics: Mapping[str, Callable[[Architecture], Critic]],
        augmentation: Callable[[Tensor, torch.Generator], Tensor],
        schedule: Callable[[int], float],
        *,
        images: int,
        seed: int = 0,
        half_life: float = 10_000,
        ramp: float | None = None,
        bf16: bool = True,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = StyleGAN2(architecture)
            self.critics = nn.ModuleDict({name: make(architecture) for name, make in critics.items()})
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.to(memory_format=torch.channels_last)
        self.augmentation, self.schedule = augmentation, schedule
        self.images, self.seed, self.half_life, self.ramp, self.bf16 = images, seed, half_life, ramp, bf16
        self.seen, self.steps, self.seconds, self.grown_at = 0, 0, 0.0, -math.inf
        # beta1 = 0: no momentum, as is usual in adversarial training.
        self.adams = {k: torch.optim.Adam(v.parameters(), 1.0, (0.0, 0.99)) for k, v in self._learned().items()}

    # --- a step

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return list(self.adams.values())

    def training_step(self, real: Tensor, index: int) -> None:
        """Updates the discriminators, then the generator, then its moving average.

        Args:
            real: [batch, 3, R, R] in [-1, 1].
            index: the number of the batch in this run; not used.
        """
        begun = time.process_time()
        rng = stream(self.seed, self.steps, "networks", self.device)
        critics: Any = self.critics.values()
        for optimizer in self.adams.values():
            optimizer.param_groups[0]["lr"] = self.schedule(self.images - self.seen)
        for critic in critics:
            critic.blend(self.seen - self.grown_at)

        # The blocks under autocast are short, because it keeps weights in bfloat16 until such a block ends.
        with self._autocast():
            fake = self.augmentation(self.sample(len(real), rng).float(), rng)
            real = self.augmentation(real, rng)
            fakes = [critic.see(fake) for critic in critics]
            with torch.no_grad():
                reals = [critic.see(real) for critic in critics]
            real_logits = [critic.judge(seen) for critic, seen in zip(critics, reals, strict=True)]
            fake_logits = [
                critic.judge([x.detach() for x in seen]) for critic, seen in zip(critics, fakes, strict=True)
            ]
        losses = [c.loss(r, f) for c, r, f in zip(critics, real_logits, fake_logits, strict=True)]
        self._zero(*self.critics)
        self.manual_backward(sum(losses))
        for critic in critics:
            critic.regularise(real, self.steps)
        self._step(*self.critics)

        with self._frozen_critics():
            with self._autocast():
                fake_logits = [critic.judge(seen) for critic, seen in zip(critics, fakes, strict=True)]
            self._zero("generator")
            self.manual_backward(sum(c.generator_loss(f) for c, f in zip(critics, fake_logits, strict=True)))
            self._step("generator")

        self.seen, self.steps = self.seen + len(real), self.steps + 1
        self._follow(len(real))
        self.seconds += time.process_time() - begun

    def sample(self, size: int, rng: torch.Generator) -> Tensor:
        """Returns random images [size, 3, R, R] in [-1, 1], some made from two latents, all with fresh noise maps."""
        a, device = self.generator.architecture, rng.device
        w = self.generator.mapping(torch.randn(2 * size, a.z_dim, generator=rng, device=device))
        self.generator.mapping.w_avg.lerp_(w.detach().float().mean(dim=0), W_AVERAGE_RATE)
        first, second = w[:, None].expand(-1, a.num_ws, -1).chunk(2)
        crossover = torch.randint(1, a.num_ws, (size,), generator=rng, device=device)
        crossover[torch.rand(size, generator=rng, device=device) >= MIXING] = a.num_ws
        from_second = torch.arange(a.num_ws, device=device) >= crossover[:, None]
        noise = [torch.randn(size, 1, r, r, generator=rng, device=device) for r in a.noise_resolutions]
        return self.generator.synthesis(torch.where(from_second[:, :, None], second, first), noise)

    def _follow(self, batch: int) -> None:
        half_life = self.half_life if self.ramp is None else min(self.half_life, self.ramp * self.seen)
        with torch.no_grad():
            followers = [*self.average.parameters(), self.average.mapping.w_avg]
            leaders = [*self.generator.parameters(), self.generator.mapping.w_avg]
            torch._foreach_lerp_(followers, leaders, 1 - 0.5 ** (batch / half_life))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @contextmanager
    def _frozen_critics(self) -> Iterator[None]:
        """The generator's update needs no gradients of their weights."""
        learned = [network for name, network in self._learned().items() if name in self.critics]
        for network in learned:
            network.requires_grad_(False)
        yield
        for network in learned:
            network.requires_grad_(True)

    def _zero(self, *names: str) -> None:
        for name in names:
            self.adams[name].zero_grad()

    def _step(self, *names: str) -> None:
        for name in names:
            self.adams[name].step()

    # --- its state

    def state(self) -> dict[str, Any]:
        """Returns what a continuation needs, as tensors and numbers."""
        return {
            **{name: network.state_dict() for name, network in self._networks().items()},
            "optimizers": {name: adam.state_dict() for name, adam in self.adams.items()},
            "counters": [self.seen, self.steps, self.seconds],
            "grown_at": self.grown_at,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state of a training at the same resolution.

        Discriminators that it lacks begin anew, as do moments that it lacks; its tensors may be in half precision.

        Raises:
            UserError: the state is of other networks.
        """
        for name, network in self._networks().items():
            if name in state or name not in self.critics:
                _load(network, state, name)
        for name, adam in self.adams.items():
            if name in state.get("optimizers", {}):
                adam.load_state_dict(state["optimizers"][name])
        self.seen, self.steps, self.seconds = state["counters"]
        self.grown_at = state.get("grown_at", -math.inf)

    def grow(self, state: Mapping[str, Any]) -> None:
        """Begins from a state at a lower resolution: what it lacks (the highest blocks) stays as it is here.

        The highest ToRGB becomes zero, so that the images are at first those of the smaller network, enlarged. The
        moments of the optimisers begin anew. Parts of a projected discriminator of another size do, too.

        Raises:
            UserError: the state is not of a smaller network of the same kind.
        """
        newest = self.generator.synthesis.blocks[-1].torgb
        nn.init.zeros_(newest.weight)
        nn.init.zeros_(newest.bias)
        if f"synthesis.b{self.generator.architecture.resolution}.conv1.weight" in state.get("generator", {}):
            raise UserError("grow=... names the state of a network that is not smaller: start=... goes on with it.")
        _load(self.generator, state, "generator", grown=True)
        self.average.load_state_dict(self.generator.state_dict())
        _load(self.average, state, "average", grown=True)
        for network in (self.generator, self.average):
            for layer in network.synthesis.layers[-4:]:
                nn.init.constant_(layer.noise_strength, GROWN_NOISE)
        for name in self.critics:
            if name in state:
                _load(self._learned()[name], state, name, grown=True)
        self.seen, self.steps, self.seconds = state["counters"]
        self.grown_at = self.seen

    def begin_from(self, network: StyleGAN2) -> None:
        """Takes the weights of a generator, as far as it has the same resolutions; the discriminators begin anew.

        Raises:
            UserError: its layers have other sizes.
        """
        for mine in (self.generator, self.average):
            try:
                mine.load_state_dict(network.state_dict(), strict=False)
            except RuntimeError as error:
                raise UserError(
                    "the network at the start has layers of other sizes: leave network.* alone, or use start=nothing."
                ) from error

    def _learned(self) -> dict[str, nn.Module]:
        critics: Any = self.critics
        return {"generator": self.generator, **{name: critic.learned for name, critic in critics.items()}}

    def _networks(self) -> dict[str, nn.Module]:
        return {"average": self.average, **self._learned()}


def _load(network: nn.Module, state: Mapping[str, Any], name: str, grown: bool = False) -> None:
    """Loads a network from the part of a state; with `grown`, only the tensors whose name and shape fit.

    Raises:
        UserError: the part is missing or does not fit.
    """
    own = network.state_dict()
    tensors = {key: value.float() for key, value in state.get(name, {}).items()}
    if grown:
        tensors = {key: value for key, value in tensors.items() if key in own and own[key].shape == value.shape}
    try:
        result = network.load_state_dict(tensors, strict=not grown)
    except RuntimeError as error:
        raise UserError(
            f"the state's {name} is that of another network: choose the resolution and the discriminator that it was"
            " trained with, or grow=... for a smaller resolution."
        ) from error
    if len(result.missing_keys) == len(own):
        raise UserError(f"the state's {name} has nothing in common with this network.")
