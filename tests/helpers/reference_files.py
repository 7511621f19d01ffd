"""Where the reference checkpoints and their outputs lie."""

import pytest
from places import SHARED

FOLDER = SHARED / "stylegan2"
needs_reference = pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/stylegan2 is not here")
