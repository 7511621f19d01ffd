"""Folders that tests read from. `SHARED` is beside the checkout, and missing in a public clone."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "multimodal_pulse"
CONF = ROOT / "conf"
SHARED = ROOT.parent / "shared"
