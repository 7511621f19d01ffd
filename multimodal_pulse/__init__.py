"""Several faithful and different high-resolution pictures for one low-resolution picture, from a frozen StyleGAN2.

Begin with `upsample`, which searches the samples of one picture and returns a `Result`. The packages, in the order in
which data passes: `references`, `degradation`, `diversity`, `generator`, `search`, `metrics`, `results`.
"""

from typing import TYPE_CHECKING, Any

from multimodal_pulse.base.version import __version__

if TYPE_CHECKING:
    from multimodal_pulse.interface.api import Result, upsample

__all__ = ["Result", "__version__", "upsample"]


def __getattr__(name: str) -> Any:
    # PEP 562: torch is imported when somebody upsamples, not when the command line prints its help.
    if name in ("Result", "upsample"):
        from multimodal_pulse.interface import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
