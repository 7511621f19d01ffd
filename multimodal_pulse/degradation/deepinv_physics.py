"""Any linear operator of deepinv (https://deepinv.github.io, the optional extra `deepinv`) as a degradation."""

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.operator import Degradation, Shape

_NEEDED = ("A", "A_adjoint", "A_dagger")


class DeepinvPhysics(Degradation):
    """A linear `deepinv.physics` object, whose measurements are pictures of three channels.

    Its `A` is A, `A_adjoint` the transpose and `A_dagger` the pseudo-inverse, each picture for itself, since the
    solvers of deepinv end together for a batch. Where deepinv has no closed form, `A_dagger` is by conjugate gradients,
    which are as exact as the `tol` and `max_iter` of the object. Its noise model is not part of A.

    Args:
        physics: the operator; its random numbers and parameters stay as they are. Functions that it holds do not count
            in `key`: an operator made of functions of your own should be a class of its own, whose name counts.
    Raises:
        UserError: the object has no adjoint or no pseudo-inverse, or (when used) its measurements are no pictures.
    """

    def __init__(self, physics: Any) -> None:
        if not isinstance(physics, torch.nn.Module) or not all(callable(getattr(physics, of, None)) for of in _NEEDED):
            raise UserError(
                f"degradation.physics is {type(physics).__name__}: it must be a linear operator of deepinv.physics,"
                f" with {', '.join(_NEEDED)}."
            )
        self._copies: dict[tuple[torch.dtype, torch.device], Any] = {}
        self._physics = copy.deepcopy(physics).requires_grad_(False).eval()  # `training` would count in the key
        self.name = f"deepinv's {type(physics).__name__}"
        self.sentence = f"The picture is degraded by {self.name}."

    def __repr__(self) -> str:
        return f"<{self.key}>"

    @property
    def key(self) -> str:
        """The name, with a hash of the tensors and numbers that the operator holds."""
        digest = hashlib.sha256()
        for module in self._physics.modules():
            plain = {
                name: value for name, value in vars(module).items() if isinstance(value, str | int | float | tuple)
            }
            digest.update(repr((type(module).__name__, sorted(plain.items()))).encode())
        for name, tensor in self._physics.state_dict().items():
            digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return f"{self.name}, {digest.hexdigest()[:16]}"

    def lr_shape(self, shape: Shape) -> Shape:
        """Returns the shape of A x, which is that of a trial.

        Raises:
            UserError: the operator does not accept pictures of this shape, or its measurements are not pictures.
        """
        try:
            measured = tuple(self(torch.zeros(shape)).shape)
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{self.name} does not accept pictures of {list(shape)}: {reason}.") from error
        if len(measured) != 3 or measured[0] != 3:
            raise UserError(f"{self.name} makes {list(measured)} of a picture, which is no picture of three channels.")
        return measured

    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: [..., C, H, W] -> [..., c, h, w]."""
        return _batched(self._like(x).A, x)

    def transpose(self, y: Tensor) -> Tensor:
        """Computes A^T y: [..., c, h, w] -> [..., C, H, W]."""
        return _batched(self._like(y).A_adjoint, y)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y: [..., c, h, w] -> [..., C, H, W]."""
        inverse = self._like(y).A_dagger
        return _batched(lambda batch: torch.cat([inverse(one) for one in batch.split(1)]), y)

    def _like(self, pictures: Tensor) -> Any:
        """The operator in the precision and on the device of these pictures."""
        key = pictures.dtype, pictures.device
        if key not in self._copies:
            there = copy.deepcopy(self._physics).to(pictures.device)
            # Not by `to(dtype)`, which would take the imaginary part of complex numbers away.
            self._copies[key] = there.double() if pictures.dtype == torch.float64 else there.float()
        return self._copies[key]


def _batched(function: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Applies a function of pictures [N, C, H, W] to pictures with any number of axes before the last three."""
    result = function(pictures.reshape(-1, *pictures.shape[-3:]))
    return result.view(*pictures.shape[:-3], *result.shape[1:])
