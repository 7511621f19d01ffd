"""Where a run is tracked: `NullTracker`, `CsvTracker` or `WandbTracker`."""

from multimodal_pulse.results.tracking.trackers import CsvTracker, NullTracker
from multimodal_pulse.results.tracking.wandb_tracker import WandbTracker

__all__ = ["CsvTracker", "NullTracker", "WandbTracker"]
