"""Several faithful and different high-resolution pictures for one low-resolution picture, from a frozen StyleGAN2."""

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
