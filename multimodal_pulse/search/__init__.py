"""The search of latents: the algorithm, what it minimises, and what is done to what it finds."""

from multimodal_pulse.search.baselines import BicubicSearch, MeanImageSearch
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency
from multimodal_pulse.search.latent_optimization import LatentOptimization
from multimodal_pulse.search.objective import Objective
from multimodal_pulse.search.optimizers import adam, ranger21, sgd
from multimodal_pulse.search.schedules import FixedSchedule, Linear1Cycle, Linear1CycleDrop, NoSchedule

__all__ = [
    "BicubicSearch",
    "ExactConsistency",
    "FixedSchedule",
    "LatentOptimization",
    "Linear1Cycle",
    "Linear1CycleDrop",
    "MeanImageSearch",
    "NoConsistency",
    "NoSchedule",
    "Objective",
    "adam",
    "ranger21",
    "sgd",
]
