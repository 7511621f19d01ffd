"""Python's collector of unreachable objects, which waits until the imports of the program are over.

PyTorch and Lightning are a million objects that stay. The collector looks at all of them again whenever their number
has grown by a quarter, and now and then afterwards: a fifth of a short run.
"""

import gc

_postponed = False


def postpone_collections() -> None:
    """Switches the collector off until `collect_again`. Only for a process that is this program's own."""
    global _postponed
    _postponed = True
    gc.disable()


def collect_again() -> None:
    """Ends what `postpone_collections` began, and leaves what is there by now alone; otherwise does nothing."""
    global _postponed
    if _postponed:
        gc.freeze()
        gc.enable()
    _postponed = False
