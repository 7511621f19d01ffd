"""The operators of the synthesis network."""
