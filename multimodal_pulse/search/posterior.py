"""A posterior density under a Gaussian prior on W+, to be maximised or sampled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.search.objective import Iterate, Term, completed, latents_of_layers, refuse_negative, weights_of


@dataclass(frozen=True)
class PosteriorObjective:
    """The negative logarithm of a posterior density whose prior is that of W, loosened for W+.

    Per sample it is |A G(x) - y|^2 / (2 sigma^2) + |m|^2 / 2 + sum over l of |x_l - m|^2 / (2 layer_std^2), where x_l
    are the style inputs' latents in `latent_space=whitened` and m is their mean. Regularized Latent Search (Gheisari &
    Genovesio 2023) has the same three terms: the likelihood, the log-density of W (there by a normalising flow, here by
    a normal distribution), and a penalty on the distance between the layers, which keeps W+ near W.

    While a stage proceeds, sigma falls by equal ratios from `start_sigma`: the annealing of Song & Ermon (2019),
    "Generative modeling by estimating gradients of the data distribution", algorithm 1.

    Attributes:
        sigma: standard deviation of the LR pixels around the target at the last step, in units of the [0, 1] range.
            For a reference with noise it is at least that of the noise.
        layer_std: standard deviation of the layers around their mean, in those of the prior of W.
        diversity_weight: weight of the batch-diversity term.
        start_sigma: `sigma` at the first step; None: the same.
        terms: additional terms, by name.

    Raises:
        UserError: a standard deviation is not positive, a weight is negative, or (when used) the latent space has one
            vector for all style inputs.
    """

    sigma: float
    layer_std: float
    diversity_weight: float
    start_sigma: float | None = None
    terms: Mapping[str, Term] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("sigma", "layer_std", "start_sigma"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"objective.{name}={value} must be positive.")
        refuse_negative({"diversity_weight": self.diversity_weight} | weights_of(self.terms))

    def __call__(self, iterate: Iterate, coupling: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss of each problem, [P], and the terms of each sample by name, [B] each."""
        start = self.sigma if self.start_sigma is None else self.start_sigma
        sigma = start * (self.sigma / start) ** iterate.progress
        terms = {"fidelity": iterate.fidelity, "prior": layered_normal(latents_of_layers(iterate), self.layer_std)}
        of_samples = terms["fidelity"] * (iterate.lr_numel / (2 * iterate.at_least_noise(sigma**2))) + terms["prior"]
        return completed(of_samples, terms, iterate, self.terms, self.diversity_weight * coupling)


def layered_normal(latent: Tensor, layer_std: float) -> Tensor:
    """Returns |m|^2 / 2 + sum_l |x_l - m|^2 / (2 layer_std^2), m the mean over l: [B, num_ws, w_dim] -> [B]."""
    mean = latent.mean(dim=1, keepdim=True)
    apart = (latent - mean).square().sum(dim=(1, 2)) / layer_std**2
    return 0.5 * (mean.square().sum(dim=(1, 2)) + apart)
