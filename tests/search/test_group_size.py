"""What a search takes of the memory, compared with what autograd keeps, and the groups that come of it."""

import logging
from pathlib import Path

import pytest
import torch

from multimodal_pulse.domains.portraits.prior import load_prior
from multimodal_pulse.generator import Generator
from multimodal_pulse.generator.stylegan2 import Architecture, StyleGAN2
from multimodal_pulse.search import group_size as memory
from multimodal_pulse.search.group_size import (
    control_group_limits,
    kept_bytes,
    peak_bytes,
    references_per_group,
    search_bytes,
)

CPU = torch.device("cpu")
ARCHITECTURES = [
    Architecture(128, z_dim=8, w_dim=8, mapping_layers=1, channel_base=2048, channel_max=128),
    Architecture(64, z_dim=8, w_dim=8, mapping_layers=1, channel_base=8192, channel_max=64),
    Architecture(32, z_dim=8, w_dim=8, mapping_layers=1, channel_base=2048, channel_max=64, conv_clamp=256.0),
]


def saved_for_backward(generator: Generator, batch: int) -> int:
    """Bytes of all storages that autograd keeps, the generator's own apart."""
    own = {tensor.untyped_storage().data_ptr() for tensor in generator.state_dict().values()}
    sizes: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    w_plus = torch.randn(batch, generator.num_ws, generator.w_dim, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        images = generator.synthesis(w_plus)
        total = sum(sizes.values())  # while the graph stands: no storage has taken another one's address
    assert images.requires_grad
    return total


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: str(architecture.resolution))
def test_the_architecture_tells_what_autograd_keeps_of_an_image(architecture):
    generator = Generator(StyleGAN2(architecture))
    of_two_images = saved_for_backward(generator, 3) - saved_for_backward(generator, 1)
    assert kept_bytes(architecture) == pytest.approx(of_two_images / 2, rel=0.03)
    assert kept_bytes(architecture, element_size=8) == 2 * kept_bytes(architecture)


@pytest.fixture
def machine(monkeypatch):
    """Sets how much memory the machine has."""
    return lambda gigabytes: monkeypatch.setattr(memory, "memory_bytes", lambda device: int(gigabytes * 1e9))


def test_the_portraits_have_four_references_of_four_samples(machine, caplog):
    generator = load_prior()
    for gigabytes in (8, 16, 1000):  # the caches of a processor bind, not its memory
        machine(gigabytes)
        assert references_per_group(generator, 4, CPU, "32-true") == 4
    assert references_per_group(generator, 4, CPU, "bf16-mixed") == 4
    assert references_per_group(generator, 1, CPU, "32-true") == 16
    assert references_per_group(generator, 4, CPU, "64-true") == 2
    assert references_per_group(generator, 4, torch.device("cuda"), "32-true") == 16
    assert not caplog.records


def test_a_small_memory_makes_small_groups_but_never_none(machine, caplog):
    generator, num_samples = load_prior(), 4
    kept = num_samples * kept_bytes(generator.architecture)
    for references in (3, 2, 1):
        machine(search_bytes(generator, kept * (references + 0.01)) / 0.5e9)
        assert references_per_group(generator, num_samples, CPU, "32-true") == references
    assert not caplog.records
    machine(search_bytes(generator, kept * 0.9) / 0.5e9)
    with caplog.at_level(logging.WARNING):
        assert references_per_group(generator, num_samples, CPU, "32-true") == 1
    assert "One reference with 4 samples may take 1.0 GB" in caplog.text


def test_a_tiny_generator_is_bound_by_the_number_of_samples(machine):
    machine(16)
    generator = Generator(StyleGAN2(Architecture(16, z_dim=4, w_dim=4, mapping_layers=1, channel_max=4)))
    assert [references_per_group(generator, k, CPU, "32-true") for k in (1, 2, 4, 5, 64, 65)] == [64, 32, 16, 12, 1, 1]


@pytest.fixture
def control_groups(tmp_path):
    """Makes /proc/self/cgroup and the files below /sys/fs/cgroup, and reads the limits from them."""

    def limits(membership: str, files: dict[str, str]) -> list[int]:
        (tmp_path / "membership").write_text(membership, encoding="utf-8")
        for name, content in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n", encoding="utf-8")
        return sorted(control_group_limits(tmp_path / "membership", tmp_path / "root"))

    return limits


def test_the_limits_of_version_2_hold_for_all_groups_below(control_groups):
    files = {"slurm/memory.max": "8000", "slurm/job_1/memory.max": "max", "slurm/job_1/step_0/memory.max": "9000"}
    files |= {"slurm/job_2/memory.max": "5", "memory.max": "10000"}
    assert control_groups("0::/slurm/job_1/step_0\n", files) == [8000, 9000, 10000]


def test_the_limits_of_version_1_and_a_path_of_the_host(control_groups):
    files = {"memory/memory.limit_in_bytes": "7000", "cpu/memory.limit_in_bytes": "1", "memory.max": "max"}
    assert control_groups("5:cpu:/a\n4:cpuacct,memory:/docker/abc\n0::/\n", files) == [7000]


def test_a_system_without_control_groups_has_its_own_memory(tmp_path, monkeypatch):
    assert list(control_group_limits(tmp_path / "nothing", tmp_path)) == []
    assert 100e6 < memory.memory_bytes(CPU) < 1e15
    monkeypatch.setattr(memory, "control_group_limits", lambda *paths: iter([12345]))
    assert memory.memory_bytes(CPU) == 12345


def test_the_peak_is_of_this_process_in_bytes():
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no /proc here to compare with")
    ballast = torch.ones(40_000_000 // 4)
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    assert len(ballast) and peak_bytes(CPU) == pytest.approx(int(line.split()[1]) * 1024, rel=0.05)
