"""The discriminators of a training: what each sees, what it says, its losses and its regularisation."""

import math

import torch
import torch.nn.functional as F
from pixel import Discriminator
from projected import ProjectedDiscriminator
from torch import Tensor, nn

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator import Architecture


class Critic(nn.Module):
    """A discriminator with its losses. The pictures are [N, 3, R, R] in about [-1, 1].

    Attributes:
        learned: the part that is trained, and kept in a training's state.
    """

    learned: nn.Module

    def blend(self, images: float) -> None:
        """Says how many images were seen since the network grew (infinity if it never did)."""

    def see(self, pictures: Tensor) -> list[Tensor]:
        """Returns what is judged; it does not depend on what is learned, so that one call serves both updates."""
        raise NotImplementedError

    def judge(self, seen: list[Tensor]) -> Tensor:
        """Returns logits in float32, one or several for each picture; high for a real one."""
        raise NotImplementedError

    def loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the discriminator's loss of its logits."""
        raise NotImplementedError

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Returns the generator's loss of the logits of its pictures."""
        raise NotImplementedError

    def regularise(self, pictures: Tensor, step: int) -> None:
        """Adds to the gradients what keeps the discriminator tame, at step number `step`, from real pictures."""


class Projected(Critic):
    """The projected discriminator with hinge losses (Sauer et al. 2021); spectral norms keep it tame.

    Args:
        architecture: the generator's; nothing of it matters here.
        size: side to which pictures are resized before the frozen backbone sees them.

    Raises:
        UserError: the backbone's weights are missing.
    """

    def __init__(self, architecture: Architecture, size: int = 128) -> None:
        super().__init__()
        try:
            self.discriminator = ProjectedDiscriminator(size)
        except UserError as error:
            raise UserError(f"{error} discriminator=pixel does without them.") from error
        self.learned = self.discriminator.heads

    def see(self, pictures: Tensor) -> list[Tensor]:
        return self.discriminator.project(pictures)

    def judge(self, seen: list[Tensor]) -> Tensor:
        return self.discriminator.judge(seen)

    def loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean()


class Pixel(Critic):
    """The StyleGAN2 discriminator on pixels with logistic losses and lazy R1 (Karras et al. 2020).

    Args:
        architecture: the generator's; the discriminator has the same resolution and numbers of channels.
        r1_weight: gamma; the penalty is gamma / 2 times the squared gradient of the logits of real pictures.
        r1_interval: steps between two penalties, each of which counts for all of them.
        fade: images after growing over which the new resolution is blended in; 0: at once.
    """

    def __init__(
        self, architecture: Architecture, r1_weight: float = 0.3, r1_interval: int = 16, fade: int = 0
    ) -> None:
        super().__init__()
        a = architecture
        self.learned = Discriminator(a.resolution, a.channel_base, a.channel_max)
        self.r1_weight, self.r1_interval, self.fade = r1_weight, r1_interval, fade
        self.blend(math.inf)

    def blend(self, images: float) -> None:
        self._shown = 1.0 if images >= self.fade else images / self.fade

    def see(self, pictures: Tensor) -> list[Tensor]:
        return [pictures]

    def judge(self, seen: list[Tensor]) -> Tensor:
        return self.learned(seen[0], self._shown).float()

    def loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator_loss(self, fake: Tensor) -> Tensor:
        return F.softplus(-fake).mean()

    def regularise(self, pictures: Tensor, step: int) -> None:
        if step % self.r1_interval:
            return
        shown = pictures.detach().requires_grad_()
        # In single precision: the penalty is a second derivative.
        (gradient,) = torch.autograd.grad(self.judge([shown]).sum(), shown, create_graph=True)
        (gradient.square().sum(dim=(1, 2, 3)).mean() * (self.r1_weight / 2 * self.r1_interval)).backward()
