"""`multimodal-pulse weights` and `multimodal-pulse convert`, as on the command line."""

import errno
import hashlib
import os
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from file_server import FileServer, serve
from light_command import lightly
from places import ROOT, SHARED
from tiny_run import run

from multimodal_pulse.generator import CheckpointError, load_generator
from multimodal_pulse.generator.files.weights import NETWORKS
from multimodal_pulse.interface.subcommands import COMMANDS

FIXTURES = SHARED / "stylegan2"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def say(capsys):
    """Runs a command in this process: (exit status, stdout, stderr)."""
    return lambda *arguments: (run(*arguments), *capsys.readouterr())


def official(name: str) -> Path:
    """An official file, where there is one that this program reads."""
    path = FIXTURES / f"{name}.pkl"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: ../shared/stylegan2 is missing")
    return path


@pytest.fixture
def faces(monkeypatch) -> Path:
    """A small network, for which ffhq256 stands."""
    monkeypatch.setitem(NETWORKS, "ffhq256", replace(NETWORKS["ffhq256"], file="stylegan2-ffhq-32x32.pkl"))
    return official("random32")


# --- weights


def test_the_list_names_every_network_with_its_address_and_state(say, tmp_path):
    status, listed, _ = say("weights")
    first, *lines = listed.splitlines()
    assert status == 0
    assert first == f"kept in {tmp_path / 'cache' / 'weights'}"
    assert [line.split()[0] for line in lines] == list(NETWORKS)
    for line, network in zip(lines, NETWORKS.values(), strict=True):
        assert network.address in line and " absent " in line


def test_one_is_fetched_and_its_sha256_and_path_are_printed(faces, say, monkeypatch):
    content = faces.read_bytes()
    with serve(FileServer(content)) as server:
        monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", server.address)
        status, printed, said = say("weights", "ffhq256")
    path = NETWORKS["ffhq256"].path
    assert status == 0 and "non-commercial" in said
    assert printed == f"{hashlib.sha256(content).hexdigest()}  {path}\n"
    _, listed, _ = say("weights")
    assert f"ffhq256        {len(content) / 1e6:.1f} MB            {NETWORKS['ffhq256'].address}" in listed


def test_what_is_no_network_is_not_recorded_and_a_good_file_can_take_its_place(faces, say):
    path = NETWORKS["ffhq256"].path
    path.parent.mkdir(parents=True)
    path.write_text("<html>quota exceeded</html>")
    status, printed, said = say("weights", "ffhq256")
    assert (status, printed) == (1, "") and said.count("\n") == 1
    assert str(path) in said and "it is a web page" in said and said.endswith("delete it to fetch it again\n")
    content = faces.read_bytes()
    path.write_bytes(content)
    assert say("weights", "ffhq256") == (0, f"{hashlib.sha256(content).hexdigest()}  {path}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["weights", "ffhq257"], "did you mean ffhq256?"),
        (["weights", "--all"], "unrecognized arguments: --all; multimodal-pulse weights --help"),
        (["convert"], "are required: source, target; multimodal-pulse convert --help says more."),
        (["convert", "a.pkl"], "are required: target"),
        (
            ["convert", "a.pkl", "b.safetensors", "--froce"],
            "unrecognized arguments: --froce; multimodal-pulse convert --help",
        ),
        (["render"], "are required: folder"),
        (["draw"], "are required: folder"),
        (["draw", "nowhere", "--count", "0"], "--count=0 must be at least 1"),
        (["draw", "nowhere"], "nowhere is not the folder of a finished reference"),
        (["merge"], "are required: shard"),
        (["convert", "a.pkl", "b.pt"], "b.pt must end in .safetensors"),
        (["convert", "a.pkl", "nowhere/b.safetensors"], "nowhere is not a folder"),
        (["convert", "a.pkl", "b.safetensors"], "'a.pkl' does not exist"),
        (["convert", "~nobody-here/a.pkl", "b.safetensors"], "a.pkl' does not exist"),
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
    assert f"put it at {network.path}; generator=faces (photographs)" in said
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_has_a_help_of_its_own(command, say):
    status, printed, _ = say(command, "--help")
    assert status == 0 and printed.startswith(f"usage: multimodal-pulse {command} ")
    assert f"\n  multimodal-pulse {command} " in printed  # an example
    assert max(map(len, printed.splitlines())) <= 120
    assert f"multimodal-pulse {command} " in say("--help")[1]


def test_help_and_the_list_answer_without_torch():
    for arguments in (["weights"], ["weights", "--help"]):
        done = lightly(*arguments)
        assert done.returncode == 0, done.stderr


def test_ctrl_c_says_that_the_download_goes_on(say, monkeypatch):
    def stopped(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("multimodal_pulse.generator.files.weights.download", stopped)
    status, _, said = say("weights", "ffhq256")
    assert status == 130
    assert said == "multimodal-pulse: stopped. What has arrived stays; the same command goes on there.\n"


# --- render


def test_a_run_is_rendered_with_one_generator_while_its_settings_are_the_same(say, monkeypatch):
    runs = {"ada": {"seed": 0}, "bob": {"seed": 0}, "eve": {"seed": 1}}
    loaded = []
    monkeypatch.setattr("multimodal_pulse.results.pictures.redraw.reference_folders", lambda folder: list(runs))
    monkeypatch.setattr(
        "multimodal_pulse.results.pictures.redraw.render_folder", lambda folder, load: [load(runs[folder])]
    )
    monkeypatch.setattr(
        "multimodal_pulse.run.build.load_renderer", lambda settings: loaded.append(settings) or settings
    )
    status, drawn, _ = say("render", "run")
    assert status == 0 and drawn.splitlines() == [str(settings) for settings in runs.values()]
    assert loaded == [{"seed": 0}, {"seed": 1}]


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
    assert status == 1 and "exists already: add --force to replace it" in said
    assert target.read_text() == "precious"
    assert say("convert", "--force", own, target)[0] == 0
    same_to_the_last_bit(own, target)


def test_the_same_network_gives_the_same_bytes(own, say, tmp_path):
    contents = set()
    for number in range(12):
        assert say("convert", own, tmp_path / f"{number}.safetensors")[0] == 0
        contents.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(contents) == 1


def test_the_permissions_are_those_of_the_umask(own, say, tmp_path):
    before = os.umask(0o027)
    try:
        assert say("convert", own, tmp_path / "converted.safetensors")[0] == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "converted.safetensors").stat().st_mode) == 0o640


def test_a_place_that_cannot_be_written_is_named(own, say, tmp_path, monkeypatch):
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    target = tmp_path / "converted.safetensors"
    status, _, said = say("convert", own, target)
    assert (status, said) == (1, f"multimodal-pulse: {target} cannot be written: No space left on device.\n")


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("name", ["folder", "folder.safetensors"])
def test_a_folder_is_no_target(name, force, own, say, tmp_path):
    (tmp_path / name).mkdir()
    status, _, said = say("convert", own, tmp_path / name, *force)
    assert status == 1
    assert said == (
        f"multimodal-pulse: {tmp_path / name} is a folder: give a file in it, {tmp_path / name / 'own.safetensors'}.\n"
    )


@pytest.mark.parametrize("arguments", [["own", "target"], ["target", "own"]])
def test_what_lies_below_a_folder_that_may_not_be_entered_is_out_of_reach(arguments, say, tmp_path, closed):
    paths = {"own": tmp_path / "own.safetensors", "target": closed / "network.safetensors"}
    status, _, said = say("convert", *(paths[name] for name in arguments), "--force")
    assert status == 1 and said.count("\n") == 1
    assert str(paths["target"]) in said and "Permission denied" in said and "Errno" not in said


def test_what_cannot_be_read_leaves_nothing(say, tmp_path):
    (tmp_path / "page.pkl").write_text("<html>quota exceeded</html>")
    status, _, said = say("convert", tmp_path / "page.pkl", tmp_path / "out.safetensors")
    assert status == 1 and said.count("\n") == 1 and "page.pkl" in said
    assert not (tmp_path / "out.safetensors").exists()
    with pytest.raises(CheckpointError):
        load_generator(tmp_path / "page.pkl")


def test_every_command_that_the_source_names_exists():
    named = {
        word
        for path in (ROOT / "multimodal_pulse").rglob("*.py")
        for word in re.findall(r"(?:`|\n  )multimodal-pulse ([a-z][\w-]*)", path.read_text(encoding="utf-8"))
    }
    assert named == set(COMMANDS)


# --- wandb-report


def test_a_report_without_its_library_says_what_to_install(say, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    monkeypatch.delitem(sys.modules, "multimodal_pulse.results.tracking.wandb_report", raising=False)
    monkeypatch.delattr("multimodal_pulse.results.tracking.wandb_report", raising=False)
    status, _, said = say("wandb-report", tmp_path)
    assert status == 1 and "pip install 'multimodal-pulse[wandb-report]'" in said
    assert "wandb_workspaces" in said and said.count("\n") == 1
