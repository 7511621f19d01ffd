"""Conjugate gradients for symmetric positive definite systems, one for each picture of a batch."""

from collections.abc import Callable

import torch
from torch import Tensor

_MOST_STEPS = 1000


@torch.no_grad()
def conjugate_gradients(operator: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    """Solves `operator`(z) = y (Hestenes & Stiefel 1952); a picture is done when its rounding errors are reached.

    Args:
        operator: a symmetric positive definite linear map of pictures [..., c, h, w] that does not mix them.
        y: [..., c, h, w].
    Returns: z, of the same shape, dtype and device.
    """
    enough = (10 * torch.finfo(y.dtype).eps) ** 2 * _dot(y, y)
    z, residual, direction = torch.zeros_like(y), y, y
    left = _dot(residual, residual)
    for _ in range(_MOST_STEPS):
        unfinished = left > enough
        if not unfinished.any():
            break
        moved = operator(direction)
        length = torch.where(unfinished, left / _dot(direction, moved), 0)
        z, residual = z + length * direction, residual - length * moved
        before, left = left, torch.where(unfinished, _dot(residual, residual), left)
        direction = residual + torch.where(unfinished, left / before, 0) * direction
    return z


def _dot(x: Tensor, y: Tensor) -> Tensor:
    return (x * y).sum(dim=(-3, -2, -1), keepdim=True)
