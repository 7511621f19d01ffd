"""The search of latents: the algorithm, what it minimises, and what is done to what it finds."""

from multimodal_pulse.search.after_step import NoAfterStep, Retract
from multimodal_pulse.search.baselines import BicubicSearch, MeanImageSearch
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency
from multimodal_pulse.search.keep import BestIterate, LastIterate
from multimodal_pulse.search.latent_optimization import LatentOptimization
from multimodal_pulse.search.objective import Iterate, Objective, Term
from multimodal_pulse.search.optimizers import adam, ranger21, sgd
from multimodal_pulse.search.schedules import FixedSchedule, Linear1Cycle, Linear1CycleDrop, NoSchedule
from multimodal_pulse.search.stages import Stage

__all__ = [
    "BestIterate",
    "BicubicSearch",
    "ExactConsistency",
    "FixedSchedule",
    "Iterate",
    "LastIterate",
    "LatentOptimization",
    "Linear1Cycle",
    "Linear1CycleDrop",
    "MeanImageSearch",
    "NoAfterStep",
    "NoConsistency",
    "NoSchedule",
    "Objective",
    "Retract",
    "Stage",
    "Term",
    "adam",
    "ranger21",
    "sgd",
]
