"""`degradation=estimate`: finds the degradation of the references before anything is searched."""

from dataclasses import replace

import torch
from omegaconf import DictConfig

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.candidates import CANDIDATES, candidate
from multimodal_pulse.diversity.blind import NOISE_STDS, Finding, most_likely, priors
from multimodal_pulse.run.build import Parts

MOST_REFERENCES = 32
"""Of more references, the first tell."""
GREY_LEVELS = 255
SURE = 30.0
"""A margin, in nats, from which the answer was right for every validation portrait; see experiments/degradations."""


def with_degradation_found(cfg: DictConfig, parts: Parts) -> tuple[DictConfig, Parts]:
    """Finds the degradation that explains the references best, if it is asked for, and says which with its margin.

    Args:
        cfg: the configuration of the run.
        parts: the objects of the run.

    Returns: the configuration as the records name it, and the parts with that degradation; both unchanged if a
        degradation was chosen.

    Raises:
        UserError: a reference has an original, which this program degrades itself, so that there is nothing to find.
    """
    if "choice" not in cfg.degradation or cfg.degradation.choice is not None:
        return cfg, parts
    references = [parts.references[index] for index in range(min(MOST_REFERENCES, len(parts.references)))]
    for reference in references:
        if reference.hr is not None:
            raise UserError(
                f"degradation=estimate: {reference.name} is an original, which this program degrades itself. Give"
                " pictures that are degraded already (references.as=lr), or choose another degradation."
            )
    factor = cfg.degradation.factor
    of_candidates = priors(parts.generator, {name: make(factor) for name, make in CANDIDATES.items()})
    finding = most_likely(torch.stack([reference.lr for reference in references]), of_candidates)
    parts.references.add_notice(in_words(finding, len(references)))
    found = cfg.copy()
    found.degradation.choice = finding.name
    return found, replace(parts, degradation=candidate(factor, finding.name))


def in_words(finding: Finding, references: int) -> str:
    """Says what was found, and what to do about noise."""
    what = "the reference" if references == 1 else f"the first {references} references"
    by = f"by {finding.margin:.0f} nats before {finding.second}"
    sentences = [f"degradation=estimate: {finding.name} explains {what} best, {by}"]
    if finding.margin < SURE:
        sentences.append(f"That is little: degradation.choice={finding.second} may be the true one")
    if finding.noise_std > NOISE_STDS[2]:
        levels = finding.noise_std * GREY_LEVELS
        sentences.append(
            f"It has noise of about {levels:.0f} grey levels, which the samples should not have:"
            f" references.noise_std={finding.noise_std:.3g}"
        )
    return ". ".join(sentences) + "."
