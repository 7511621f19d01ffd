"""Where a run is watched. The only room that imports wandb."""

from multimodal_pulse.results.tracking.trackers import CsvTracker, NullTracker, WandbTracker

__all__ = ["CsvTracker", "NullTracker", "WandbTracker"]
