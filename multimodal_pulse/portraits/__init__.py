"""The built-in domain: rendered portraits, and a generator trained on them."""
