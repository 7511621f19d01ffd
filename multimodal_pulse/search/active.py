"""Which samples are still searched: one that is near enough to its target costs no further passes."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError


class Active:
    """The samples of a group that are still searched: all of them, to the last step.

    They come and go by problems: a sample alone, or all of a reference where a batch-diversity term couples them.

    Args:
        problems: P, the number of problems; each has the same number of consecutive samples.
        samples: S, the number of samples of each.

    Attributes:
        rows: the numbers of the active samples within the batch of B = P * S, in order; `index` is the same as an index
            into a tensor.
        passes: how many passes each sample of the batch has taken, B numbers.
        left: whether samples have been made to `leave`.
    """

    index: slice | Tensor

    def __init__(self, problems: int, samples: int):
        self._all, self._samples = problems, samples
        self._problems = list(range(problems))
        self.rows, self.index = list(range(problems * samples)), slice(None)
        self.passes = [0] * len(self.rows)
        self.left = False

    def of(self, variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the rows of the active samples of some variables, [B, ...] each."""
        return {name: value[self.index] for name, value in variables.items()}

    def of_problems(self, images: Tensor) -> Tensor:
        """Sorts the images of the active samples by problems: [A, C, H, W] -> [A / S, S, C, H, W]."""
        return images.unflatten(0, (-1, self._samples))

    def spread(self, losses: Tensor) -> Tensor:
        """Returns the losses of all problems, [P], from those of the active ones; NaN for the others."""
        if len(losses) == self._all:
            return losses
        # The first sample of each active problem tells its number: nothing is sent to the device in a step.
        problems = self.index[:: self._samples] // self._samples  # type: ignore[index, operator]
        return losses.new_full((self._all,), math.nan).index_put((problems,), losses)

    def after_pass(self, fidelity: Tensor) -> None:
        """Counts a pass of the active samples.

        Args:
            fidelity: the LR mean squared error of the iterate that is kept of each sample, [B].
        """
        for row in self.rows:
            self.passes[row] += 1

    def leave(self) -> None:
        """Lets all samples leave, however well they fit."""
        self.left = self.left or bool(self.rows)
        self.rows = []

    def _go_on_with(self, problems: Iterable[int], device: torch.device) -> None:
        self._problems = list(problems)
        self.rows = [problem * self._samples + sample for problem in self._problems for sample in range(self._samples)]
        self.index = torch.tensor(self.rows, dtype=torch.long, device=device)


class ActiveUntil(Active):
    """The samples of a group that are searched until they fit their own targets well enough; one that does has left.

    Where samples are coupled, all of a reference leave together, once each of them fits. After each pass it waits for
    the device.

    Args:
        problems, samples: as for `Active`.
        target_lr_psnr: the LR-PSNR, in dB, of the iterate that is kept of a sample, not clamped, from which it fits.

    Raises:
        UserError: `target_lr_psnr` is not positive.
    """

    def __init__(self, problems: int, samples: int, *, target_lr_psnr: float):
        super().__init__(problems, samples)
        if not target_lr_psnr > 0:
            raise UserError(f"target_lr_psnr={target_lr_psnr} must be positive, in dB; null searches to the last step.")
        self._enough = 10 ** (-target_lr_psnr / 10)

    def after_pass(self, fidelity: Tensor) -> None:
        """Counts a pass of the active samples, and lets those leave that fit."""
        super().after_pass(fidelity)
        fits = (fidelity <= self._enough).view(self._all, self._samples).all(dim=1).tolist()
        if any(fits[problem] for problem in self._problems):
            self._go_on_with((problem for problem in self._problems if not fits[problem]), fidelity.device)
