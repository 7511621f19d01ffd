import pytest


@pytest.fixture
def machine(monkeypatch):
    """Sets how much memory the machine has."""
    return lambda gigabytes: monkeypatch.setattr(
        "multimodal_pulse.search.group_size.memory_bytes", lambda device: int(gigabytes * 1e9)
    )
