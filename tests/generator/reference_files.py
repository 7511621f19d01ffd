"""Where the reference checkpoints and their outputs lie."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "stylegan2"
needs_reference = pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/stylegan2 is not here")
