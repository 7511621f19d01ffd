"""The domains: what the built-in generators and references show. Begin with `multimodal_pulse.domains.portraits`."""
