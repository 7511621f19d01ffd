"""`multimodal-pulse weights` and `multimodal-pulse convert`, as on the command line."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from file_server import FileServer, serve

from multimodal_pulse.cli import main
from multimodal_pulse.commands import HELP
from multimodal_pulse.generator import CheckpointError, load_generator
from multimodal_pulse.weights import NETWORKS

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT.parent / "shared" / "stylegan2"
CONTENT = b"\x80" + bytes(99_999)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def say(monkeypatch, capsys):
    """Runs a command in this process: (exit status, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["multimodal-pulse", *map(str, arguments)])
        try:
            main()
        except SystemExit as stopped:
            return int(stopped.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return run


def official(name: str) -> Path:
    """An official file, where there is one that this program reads."""
    path = FIXTURES / f"{name}.pkl"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: ../shared/stylegan2 is missing")
    return path


# --- weights


def test_the_list_names_every_network_with_its_address_and_state(say, tmp_path):
    status, listed, _ = say("weights")
    first, *lines = listed.splitlines()
    assert status == 0
    assert first == f"kept in {tmp_path / 'cache' / 'weights'}"
    assert [line.split()[0] for line in lines] == list(NETWORKS)
    for line, network in zip(lines, NETWORKS.values(), strict=True):
        assert network.address in line and " absent " in line


def test_one_is_fetched_and_its_sha256_and_path_are_printed(say, monkeypatch):
    with serve(FileServer(CONTENT)) as server:
        monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", server.address)
        status, printed, said = say("weights", "ffhq256")
    path = NETWORKS["ffhq256"].path
    assert status == 0 and "non-commercial" in said
    assert printed == f"{hashlib.sha256(CONTENT).hexdigest()}  {path}\n"
    _, listed, _ = say("weights")
    assert f"ffhq256        0.1 MB            {NETWORKS['ffhq256'].address}" in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["weights", "ffhq257"], "did you mean ffhq256?"),
        (["weights", "--all"], "usage: multimodal-pulse weights"),
        (["convert"], "usage: multimodal-pulse convert"),
        (["convert", "a.pkl"], "usage: multimodal-pulse convert"),
        (["convert", "a.pkl", "b.safetensors", "--froce"], "usage: multimodal-pulse convert"),
        (["convert", "a.pkl", "b.pt"], "b.pt must end in .safetensors"),
        (["convert", "a.pkl", "nowhere/b.safetensors"], "nowhere is no folder"),
        (["convert", "a.pkl", "b.safetensors"], "'a.pkl' does not exist"),
        (["generator=file"], "generator.path is not set"),
        (["generator.sha256=1"], "generator.sha256 belongs to"),
    ],
)
def test_mistakes_end_with_status_1_and_one_line(arguments, words, say, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, said = say(*arguments)
    assert status == 1
    assert said.startswith("multimodal-pulse: ") and said.count("\n") == 1
    assert words in said


def test_a_run_without_a_network_says_what_to_do_in_one_line(say, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, said = say("generator=ffhq256", "tracking=none")
    network = NETWORKS["ffhq256"]
    assert status == 1 and said.count("\n") == 1
    assert said.startswith(f"multimodal-pulse: {network.address} cannot be reached (")
    assert f"put it at {network.path}; generator=portraits works now" in said
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts] == []


@pytest.mark.parametrize("command", HELP)
def test_each_has_a_help_of_its_own(command, say):
    status, printed, _ = say(command, "--help")
    assert status == 0 and printed == HELP[command] + "\n"
    assert max(map(len, printed.splitlines())) <= 120
    assert f"multimodal-pulse {command} " in say("--help")[1]


def test_help_and_the_list_answer_without_torch():
    code = (
        "import sys; sys.argv = ['multimodal-pulse', *sys.argv[1:]]\n"
        "from multimodal_pulse.cli import main\n"
        "main()\n"
        "sys.exit('torch' in sys.modules)"
    )
    for arguments in (["weights"], ["weights", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, done.stderr


# --- convert


def same_to_the_last_bit(one: Path, other: Path) -> None:
    first, second = load_generator(one), load_generator(other)
    assert first.architecture == second.architecture
    z = torch.randn(2, first.z_dim, generator=torch.Generator().manual_seed(0))
    w_plus = first.mapping(z, truncation=0.7)
    assert torch.equal(w_plus, second.mapping(z, truncation=0.7))
    assert torch.equal(first.synthesis(w_plus), second.synthesis(w_plus))
    for a, b in zip(first.constant_noise(), second.constant_noise(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["random32", "random64"])
def test_an_official_network_stays_the_same_to_the_last_bit(name, say, tmp_path):
    source, target = official(name), tmp_path / "converted.safetensors"
    status, printed, said = say("convert", source, target)
    assert status == 0, said
    same_to_the_last_bit(source, target)
    first, second = printed.splitlines()
    side = name.removeprefix("random")
    assert first.startswith(f"{source}: {source.stat().st_size / 1e6:.1f} MB, {side} x {side} pixels, ")
    assert second == (
        f"{target}: {target.stat().st_size / 1e6:.1f} MB, sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}"
    )
    assert load_generator(target).sha256 in second


def test_our_own_format_is_read_too(own, say, tmp_path):
    target = tmp_path / "again.safetensors"
    assert say("convert", own, target)[0] == 0
    same_to_the_last_bit(own, target)


def test_a_file_is_replaced_with_force_only(own, say, tmp_path):
    target = tmp_path / "there.safetensors"
    target.write_text("precious")
    status, _, said = say("convert", own, target)
    assert status == 1 and "is there already: add --force to replace it" in said
    assert target.read_text() == "precious"
    assert say("convert", "--force", own, target)[0] == 0
    same_to_the_last_bit(own, target)


def test_what_cannot_be_read_leaves_nothing(say, tmp_path):
    (tmp_path / "page.pkl").write_text("<html>quota exceeded</html>")
    status, _, said = say("convert", tmp_path / "page.pkl", tmp_path / "out.safetensors")
    assert status == 1 and said.count("\n") == 1 and "page.pkl" in said
    assert not (tmp_path / "out.safetensors").exists()
    with pytest.raises(CheckpointError):
        load_generator(tmp_path / "page.pkl")
