"""What a visitor may ask for: enough for every use of the page, and little enough that twenty of them do no harm."""

from multimodal_pulse.base.errors import UserError

UPLOAD_BYTES = 32 * 2**20
"""The most bytes of an uploaded picture."""
UPLOAD_PIXELS = 50 * 10**6
"""The most pixels of an uploaded picture: decoding takes 0.15 GB, and searching it 0.6 GB as 32-bit numbers."""
REQUEST_BYTES = 2 * 2**20
"""The most bytes of any other request: knobs, and a scribble of 1024 x 1024 pixels."""
SESSION_BYTES = 2 * 10**9
"""The most bytes of a visitor's files; they stay until somebody deletes them."""
SESSIONS = 64
"""The most visitors whose pictures are remembered; the one that has been idle the longest makes room."""
PICTURES = 20
"""The most pictures of a visitor that are remembered."""
RUNS = 100
"""The most runs of a visitor that are remembered."""
WAITING = 32
"""The most searches that wait for their turn."""
SAMPLES = 16
"""The most samples of a search."""
PASSES = 1000
"""The most passes of a search."""


class TooMuchError(UserError):
    """A visitor asks for more than the limits allow."""


class NotFoundError(UserError):
    """A picture, a run or a file that this visitor does not have."""


class BusyError(UserError):
    """Nothing further is taken on at the moment."""
