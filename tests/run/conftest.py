import pytest


@pytest.fixture
def run_of_photos(photos, tmp_path) -> tuple[str, ...]:
    """The arguments of a run of both photographs, one by one, in tmp_path/run."""
    run_dir = f"hydra.run.dir={tmp_path / 'run'}"
    return "references=folder", f"references.path={photos}", "trainer.references_per_group=1", run_dir


@pytest.fixture
def machine(monkeypatch):
    """Sets how much memory the machine has."""
    return lambda gigabytes: monkeypatch.setattr(
        "multimodal_pulse.search.group_size.memory_bytes", lambda device: int(gigabytes * 1e9)
    )
