"""The built-in domain: rendered portraits."""

from multimodal_pulse.domains.portraits.prior import load_prior

__all__ = ["load_prior"]
