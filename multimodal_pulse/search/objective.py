"""What the search minimises: a weighted sum of terms.

It always has the three terms of the report: fidelity to the LR target, PULSE's geodesic term and batch diversity. An
option file may add others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError


@dataclass(frozen=True)
class Iterate:
    """One iterate of a search, the input of every term. It has B = M * K samples, reference-major.

    Attributes:
        variables: the variables of the search, [B, ...] each.
        initial: their values at the start of the stage.
        w_plus: the generator's input, [B, num_ws, w_dim].
        images: the generated images of each problem, [P, S, 3, R, R], not clamped; S is K where a batch-diversity term
            couples the samples of a reference, else 1.
        fidelity: the LR mean squared error of each sample against its own target, [B], not clamped.
        lr_numel: the numbers in one LR picture, over which `fidelity` is a mean.
        progress: the share of the stage's steps that are done, from 0 at the first step to 1 at the last.
        noise_std: the standard deviation of the noise of each sample's reference, [B]; None: no reference has noise.
        parent, outside: the picture that each sample keeps, [B, 3, R, R], and how much of each pixel it keeps, [B, 1,
            R, R] in [0, 1]; None: it keeps nothing.
    """

    variables: Mapping[str, Tensor]
    initial: Mapping[str, Tensor]
    w_plus: Tensor
    images: Tensor
    fidelity: Tensor
    lr_numel: int
    progress: float = 0.0
    noise_std: Tensor | None = None
    parent: Tensor | None = None
    outside: Tensor | None = None

    def at_least_noise(self, variance: float) -> Tensor | float:
        """Returns the variance of LR pixels to which samples are fitted: the given one, at least the noise's."""
        return variance if self.noise_std is None else self.noise_std.square().clamp(min=variance)


class Term(Protocol):
    """An additional term of an objective.

    Attributes:
        weight: the weight of the term in the sum.
    """

    weight: float

    def __call__(self, iterate: Iterate, /) -> Tensor:
        """Returns the unweighted term of each sample, [B]."""
        ...


@dataclass(frozen=True)
class Objective:
    """The weighted sum of the terms. It sums over samples, so no sample's gradient depends on their number.

    Attributes:
        l2_weight: the weight of the fidelity term. PULSE: 100; the report: 405.
        geodesic_weight: the weight of the geodesic term. PULSE: 0.05; the report: 0.058.
        diversity_weight: the weight of the batch-diversity term. The report: 0.02.
        eps: the LR mean squared error below which the fidelity term is constant. PULSE: 2e-3; the report: 0. For a
            reference with noise it is at least the variance of the noise.
        geodesic: the vectors of the geodesic term: "w_plus" as in PULSE's code, or "sphere", the latents, as in PULSE's
            paper.
        terms: additional terms, by name.

    Raises:
        UserError: a weight or `eps` is negative, or `geodesic` is another word.
    """

    l2_weight: float
    geodesic_weight: float
    diversity_weight: float
    eps: float
    geodesic: str = "w_plus"
    terms: Mapping[str, Term] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in ("l2_weight", "geodesic_weight", "diversity_weight", "eps")}
        refuse_negative(numbers | weights_of(self.terms))
        if self.geodesic not in ("w_plus", "sphere"):
            raise UserError(f"objective.geodesic={self.geodesic} must be w_plus or sphere.")

    def __call__(self, iterate: Iterate, coupling: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss of each problem, [P], and the unweighted terms of each sample by name, [B] each.

        Args:
            coupling: the batch-diversity term of each problem, [P], see `BatchDiversity`.
        """
        vectors = iterate.w_plus if self.geodesic == "w_plus" else latents_of_layers(iterate)
        terms = {"fidelity": iterate.fidelity, "geodesic_spread": geocross(vectors)}
        of_samples = self.l2_weight * terms["fidelity"].clamp(min=iterate.at_least_noise(self.eps))
        of_samples = of_samples + self.geodesic_weight * terms["geodesic_spread"]
        return completed(of_samples, terms, iterate, self.terms, self.diversity_weight * coupling)


@dataclass(frozen=True)
class MapObjective:
    """The negative logarithm of a posterior density: latents near their start, LR pixels near the target.

    Per sample it is |A G(theta) - y|^2 / (2 sigma^2) + |theta - theta_start|^2 / 2. With theta_start a draw of the
    posterior, its minimum is a corrected draw ("randomise, then optimise": Bardsley et al. 2014); with theta_start = 0
    it would be the maximum a posteriori.

    Attributes:
        sigma: standard deviation of the LR pixels around the target, in units of the [0, 1] range. For a reference with
            noise it is at least that of the noise.
        diversity_weight: weight of the batch-diversity term.
        terms: additional terms, by name.

    Raises:
        UserError: `sigma` is not positive, or a weight is negative.
    """

    sigma: float
    diversity_weight: float
    terms: Mapping[str, Term] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise UserError(f"objective.sigma={self.sigma} must be positive.")
        refuse_negative({"diversity_weight": self.diversity_weight} | weights_of(self.terms))

    def __call__(self, iterate: Iterate, coupling: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss of each problem, [P], and the terms of each sample by name, [B] each."""
        moved = iterate.variables["latent"] - iterate.initial["latent"]
        terms = {"fidelity": iterate.fidelity, "anchor": 0.5 * moved.square().flatten(1).sum(dim=1)}
        of_samples = (
            terms["fidelity"] * (iterate.lr_numel / (2 * iterate.at_least_noise(self.sigma**2))) + terms["anchor"]
        )
        return completed(of_samples, terms, iterate, self.terms, self.diversity_weight * coupling)


class AnyObjective(Protocol):
    """What a search minimises."""

    def __call__(self, iterate: Iterate, coupling: Tensor, /) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss of each problem, [P], and the unweighted terms of each sample by name, [B] each."""
        ...


def latents_of_layers(iterate: Iterate) -> Tensor:
    """Returns the latents of the style inputs, [B, num_ws, d].

    Raises:
        UserError: the latent space has one vector for the whole picture.
    """
    latent = iterate.variables["latent"]
    if latent.ndim != 3:
        raise UserError("This objective compares the latents of style inputs, and latent_space has only one vector.")
    return latent


def per_problem(of_samples: Tensor, problems: int) -> Tensor:
    """Adds the losses [B] of the samples that are minimised together: [P]."""
    return of_samples.view(problems, -1).sum(dim=1)


def squared_error(generated_lr: Tensor, targets: Tensor) -> Tensor:
    """Returns each sample's fidelity, its mean squared error against its target: twice [B, 3, h, w] -> [B].

    Raises:
        ValueError: the shapes differ.
    """
    if generated_lr.shape != targets.shape:
        raise ValueError(f"generated LR is {list(generated_lr.shape)}, its targets {list(targets.shape)}")
    return (generated_lr - targets).square().mean(dim=(1, 2, 3))


def geocross(vectors: Tensor) -> Tensor:
    """Computes PULSE's pairwise geodesic distance between the layers' vectors (Menon et al. 2020, section 3.3).

    The angle of a pair is 2 atan2(|x - y|, |x + y|); its square, times w_dim / 8, is averaged over all ordered pairs,
    including the pair of each vector with itself.

    Args:
        vectors: one vector per layer, [B, num_ws, w_dim].
    Returns: the term of each sample, [B].
    """
    x, y = vectors[:, :, None], vectors[:, None, :]
    # Without the epsilon the root would have no derivative at x = y.
    difference = ((x - y).square().sum(dim=-1) + 1e-9).sqrt()
    total = ((x + y).square().sum(dim=-1) + 1e-9).sqrt()
    angle = 2 * torch.atan2(difference, total)
    return angle.square().mean(dim=(1, 2)) * (vectors.shape[-1] / 8)


def completed(
    of_samples: Tensor, own: dict[str, Tensor], iterate: Iterate, further: Mapping[str, Term], coupling: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Adds the further terms and the coupling, [P], to an objective's own loss [B]; what an objective returns."""
    terms = own | {name: term(iterate) for name, term in further.items()}
    for name, term in further.items():
        of_samples = of_samples + term.weight * terms[name]
    return per_problem(of_samples, len(coupling)) + coupling, terms


def weights_of(terms: Mapping[str, Term]) -> dict[str, float]:
    """Returns the weights of further terms by their keys below `objective`."""
    return {f"terms.{name}.weight": term.weight for name, term in terms.items()}


def refuse_negative(numbers: Mapping[str, float]) -> None:
    """Raises UserError if a number, by its key below `objective`, is negative or NaN."""
    for name, value in numbers.items():
        if not value >= 0:
            raise UserError(f"objective.{name}={value} must not be negative; 0 switches it off.")
