"""The command line: its help, what it refuses in one line, and what it answers without PyTorch."""

import os
import re
import subprocess
import sys
import tomllib
from enum import Enum

import pytest
import yaml
from hydra._internal.hydra import Hydra
from hydra.errors import HydraException
from light_command import lightly
from omegaconf import OmegaConf
from picture_files import encoded, random_pixels
from PIL import Image
from places import ROOT, SHARED
from tiny_run import OVERRIDES, read, run

import multimodal_pulse
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.configuration.option_files import options, slots
from multimodal_pulse.configuration.run_config import write_config_once
from multimodal_pulse.interface.help import help_text
from multimodal_pulse.interface.hydra_errors import explain
from multimodal_pulse.references import picture_formats

PICTURE = encoded(Image.fromarray(random_pixels(64, 64)), "PNG")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("noise.lr_sdt=0.1", ["unknown key noise.lr_sdt. Did you mean noise.lr_std?"]),
        ("lr_std=0.1", ["Did you mean noise.lr_std?"]),
        ("nois.lr_std=0.1", ["unknown key nois.lr_std. Did you mean noise.lr_std?"]),
        ("objective.l2_wieght=1", ["Did you mean objective.l2_weight?"]),
        ("lr_nois=none", ["Did you mean lr_noise?"]),
        ("film=8", ["unknown key film. Did you mean film_frames?"]),
        ("search.num_samples=2", ["unknown key search.num_samples. Did you mean num_samples?"]),
        ("generator.pth=x", ["Did you mean generator.path? It belongs to generator=file: add it."]),
        ("references.xyzzy=x", ["unknown key references.xyzzy. There are: references.path, "]),
        ("xyzzy=1", ["unknown key xyzzy. --help lists all keys."]),
        ("references.path=x", ["references.path belongs to ", "references=image: add one of them."]),
        ("references.subset=[3]", ["references.subset belongs to references=celeba_hq: add it."]),
        ("generator.path=x", ["generator.path belongs to generator=file: add it."]),
        (
            "lr_noise=gauss",
            ["lr_noise=gauss is not an option of lr_noise: choose one of gaussian, masked, none, shared"],
        ),
        ("references=some/folder", ["references=some/folder is not", "references=folder references.path=<folder>"]),
        ("generator=/data/net.pkl", ["generator=/data/net.pkl is not", "generator=file generator.path=<file>"]),
        ("method=a/b", ["method=a/b is not an option of method: choose one of batch_diversity, bicubic, "]),
        ("hydra/launcher=a", ["hydra/launcher=a is not an option of hydra/launcher: choose one of "]),
        ("photo.jpg", ["photo.jpg: write key=value, such as references=image references.path=photo.jpg."]),
        ("references.path=a (1).png", ["cannot be read: write 'references.path=\"a (1).png\"'."]),
        ("generator.path=~/a.pkl", ["cannot be read: write generator.path=/home/me/a.pkl."]),
        ("references.path=a,b.png", ["quote the value"]),
        ("method=pulse,resampling", ["'method=pulse,resampling'", "add --multirun"]),
        ("seed=range(0,2)", ["'seed=range(0,2)' requires --multirun"]),
        ("steps=1.5", ["steps: Value '1.5' of type 'float' could not be converted to Integer."]),
        ("objective.eps=small", ["objective.eps: Value 'small'", "Float."]),
        ("references.split=train", ["references.split", "validation, test"]),
        ("trainer.accelerator=gpu", ["trainer.accelerator", "cpu, cuda, mps"]),
        ("hydra.run.dri=x", ["hydra.run.dri"]),
        ("noise=3", ["noise"]),
        ("lr_noise=null", ["group", "None"]),
    ],
)
def test_typing_errors_are_one_line_with_the_remedy(override, words, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    with pytest.raises((HydraException, ValueError)) as refused:
        compose_config(["method=report", override])
    said = explain(refused.value)
    assert "\n" not in said
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["noise.lr_sdt=0.1"],
        ["lr_noise=gauss"],
        ["method=resampling", "noise.lr_std=0.1"],
        ["noise.lr_std=-1"],
        ["num_samples=0"],
        ["references=folder"],
        ["references=folder", "references.path=nowhere"],
        ["generator=untrained", "degradation.factor=5"],
        ["render"],
        ["render", "nowhere"],
        ["hydra.run.dir=/dev/null/run"],
        ["-m", "hydra.sweep.dir=/dev/null/sweep"],
    ],
)
def test_bad_input_ends_with_status_1_and_one_line(arguments, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("multimodal-pulse: ")
    assert said.count("\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "combined"], "--method is no flag: knobs are written key=value"),
        (["--num-samples=4"], "--num-samples=4 is no flag"),
        (["--cfg"], "argument --cfg/-c: expected one argument"),
        (["--cfg", "everything"], "argument --cfg/-c: invalid choice: 'everything'"),
        (["method=", "pulse"], "pulse: write key=value"),
        (["method", "=pulse"], "method: write key=value"),
        (["seed=", "-1"], "-1: write key=value"),
        (["rendr", "outputs"], "unknown command rendr. Did you mean render?"),
        (["weigths"], "unknown command weigths. Did you mean weights?"),
        (["help"], "unknown command help. Did you mean --help?"),
        (["seed=null"], "seed=null: it must have a value."),
        (["noise.lr_std=null"], "noise.lr_std=null: it must have a value."),
        (["references=folder", "references.path=null"], "references.path is not set: add references.path=... to the"),
        (["generator=file", "generator.path=null"], "generator.path=null: it must have a value."),
        (["trainer=null"], "trainer=null is not an option of trainer: choose one of cpu, gpu, mps."),
        (["-m", "seed=null,1"], "seed=null: it must have a value."),
        (["experiment=null"], "experiment=null is not an option of experiment: choose one of"),
        (["+seed=1"], "+seed: nothing can be added to this configuration or taken from it; leave out the sign."),
        (["Seed=1"], "unknown key Seed. Did you mean seed?"),
    ],
)
def test_flags_and_spaces_end_with_status_1_and_one_line(arguments, words, capsys):
    assert run(*arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"multimodal-pulse: {words}") and said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["noise.lr_sdt=0.1"], "Did you mean noise.lr_std?"),
        (["lr_noise=gauss"], "lr_noise=gauss is not an option"),
        (["references=folder", "references.path=nowhere"], "references.path=nowhere does not exist."),
        (["generator=untrained", "degradation.factor=5"], "degradation.factor=5 does not divide"),
        (["seed=1"], "holds a run with another configuration (seed: 0 there, 1 now)"),
        (["-m", "references=folder", "references.path=nowhere"], "references.path=nowhere does not exist."),
    ],
)
def test_a_wrong_command_is_refused_without_torch(arguments, words, tmp_path):
    write_config_once(tmp_path, compose_config(), [])
    done = lightly(*arguments, f"hydra.run.dir={tmp_path}", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert done.returncode == 1
    assert done.stderr.startswith("multimodal-pulse: ") and words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("source", ["image", "folder"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a picture", "a.png is not a PNG, JPEG, "),
        (b"", "a.png is not a PNG, JPEG, "),
        (PICTURE[:-40], "a.png cannot be read, it is truncated or damaged"),
    ],
)
def test_a_picture_that_cannot_be_read_is_refused_without_torch(source, content, words, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(content)
    path = tmp_path / "photos" / ("a.png" if source == "image" else "")
    done = lightly(f"references={source}", f"references.path={path}", f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 1 and words in done.stderr
    assert done.stderr.startswith("multimodal-pulse: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "loading"),
    [
        (["steps=3"], "PyTorch and generator=portraits"),
        (["-m", "seed=0,1"], "PyTorch, to check 2 runs before the first begins"),
        (["render", "somewhere"], "PyTorch and the generator of the run"),
        (["convert", "a.pkl", "a.safetensors"], "PyTorch and a.pkl"),
    ],
)
def test_what_is_loaded_is_said_before_it_takes_seconds(arguments, loading, tmp_path):
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "multimodal_pulse", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr.startswith(f"loading {loading} ...\nmultimodal-pulse: stopped.")


def test_a_folder_without_pictures_is_refused_without_torch(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.txt").touch()
    done = lightly("references=folder", f"references.path={tmp_path / 'photos'}", f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 1
    suffixes = ", ".join(picture_formats.SUFFIXES)
    assert ".jpg, " in suffixes and done.stderr.count("\n") == 1
    assert done.stderr.endswith(f" has no picture ({suffixes}) in it; 1 file is left out: notes.txt.\n")


def test_a_picture_of_a_wrong_size_is_refused_without_lightning(tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURE)
    done = lightly(
        *OVERRIDES, "generator.resolution=128", "references=image", f"references.path={tmp_path / 'a.png'}",
        "references.as=hr",
        without="pytorch_lightning torchmetrics torchvision wandb",
    )  # fmt: skip
    loading, refused = done.stderr.splitlines()
    assert done.returncode == 1 and "a.png is 64 x 64 pixels" in refused
    assert loading == "loading PyTorch and generator=untrained ..."


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}, ASCII])
def test_a_file_is_taken_whatever_its_name(locale, tmp_path):
    name = 'größe 写真 {1} [2] (3) it\'s=#4, "5".png'
    (tmp_path / name).write_bytes(PICTURE)
    run_dir = tmp_path / "o'{5}"
    command = [
        sys.executable, "run.py", *OVERRIDES, "method=bicubic", "references=image",
        f"references.path={tmp_path / name}", f"hydra.run.dir={run_dir}",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=os.environ | locale, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(run_dir.glob("references/*/sr_00.png"))) == 1


def test_a_home_that_cannot_be_written_is_no_matter(tmp_path):
    """Not to matplotlib either, which Lightning imports."""
    home = tmp_path / "home"
    home.touch()  # a folder without permissions is writable for root
    command = [
        sys.executable, "run.py", *OVERRIDES, "method=bicubic", "metrics.lpips_net=alex",
        "metrics.lpips_download_seconds=0", f"hydra.run.dir={tmp_path / 'run'}",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    done = subprocess.run(command, cwd=ROOT, env=environment | {"HOME": str(home)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "atplotlib" not in done.stderr


def test_a_path_with_an_interpolation_in_it_is_a_path(command, tmp_path):
    """Nowhere from the command line to `render` is it resolved."""
    folder = tmp_path / "${seed}"
    folder.mkdir()
    (folder / "${x}.png").write_bytes(encoded(Image.fromarray(random_pixels(32, 32)), "PNG"))
    run_dir = tmp_path / "run"
    network = SHARED / "stylegan2" / "random32.pkl"
    (folder / "\\${generator}.pkl").symlink_to(network)
    arguments = (
        "method=lr_noise", "lr_noise=masked", f"noise.lr_mask={folder / '${x}.png'}", "references=folder",
        f"references.path={folder}", "generator=file", f"generator.path={folder}/\\${{generator}}.pkl",
        f"hydra.run.dir={run_dir}", "degradation.factor=2", "num_samples=1", "steps=1",
    )  # fmt: skip
    base = ["tracking=none", "metrics.lpips_net=null"]
    status, _, errors = command(*arguments, base=base)
    assert status == 0, errors
    picture = run_dir / "references" / "__x_" / "sr_00.png"
    before = picture.read_bytes()
    picture.unlink()
    assert command(*arguments, base=base)[0] == 0 and picture.read_bytes() == before
    assert run("render", picture.parent) == 0 and picture.read_bytes() == before


def test_a_file_whose_name_is_no_text_is_taken(command, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes(PICTURE)
    path = f"references.path={tmp_path / name}"
    status, _, errors = command("method=bicubic", "references=image", path, f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0, errors
    assert read(tmp_path / "run" / "provenance.json")
    assert [folder.name for folder in (tmp_path / "run" / "references").iterdir()] == ["caf_"]


def test_help_and_the_configuration_are_printed_without_torch():
    done = lightly("--help")
    assert (done.returncode, done.stdout.rstrip()) == (0, help_text())
    done = lightly("--cfg", "job", "seed=3")
    assert (done.returncode, yaml.safe_load(done.stdout)["seed"]) == (0, 3)


@pytest.mark.parametrize(("given", "composed", "runs"), [([], 1, 1), (["hydra.mode=MULTIRUN", "seed=0,1"], 2, 2)])
def test_hydra_composes_a_configuration_once_unless_it_may_ask_for_a_sweep(
    given, composed, runs, command, tmp_path, monkeypatch
):
    inner, calls = Hydra.compose_config, []
    monkeypatch.setattr(Hydra, "compose_config", lambda *args, **kwargs: calls.append(0) or inner(*args, **kwargs))
    folders = [f"hydra.run.dir={tmp_path / 'runs' / 'a'}", f"hydra.sweep.dir={tmp_path / 'runs'}"]
    status, _, errors = command("method=bicubic", *given, *folders)
    assert status == 0, errors
    assert (len(calls), len(list(tmp_path.rglob("records.jsonl")))) == (composed, runs)


def test_help_names_every_option_and_the_pinned_knobs():
    text = help_text()
    for slot in slots():
        for option in options(slot):
            assert f"{slot}={option} " in text
    for knob in (
        "num_samples", "steps", "seed", "noise.lr_std", "noise.lr_mask", "noise.synthesis_std", "references.path",
        "noise.synthesis_resolutions", "objective.l2_weight", "objective.geodesic_weight", "objective.diversity_weight",
        "objective.eps", "degradation.factor", "references.limit", "references.split", "references.as",
        "references.name", "references.recursive", "generator.path", "shard.index", "shard.count", "optimizer.lr",
        "tracking.mode", "metrics.lpips_net",
        "trainer.precision", "trainer.references_per_group",
    ):  # fmt: skip
        assert f"  {knob} = " in text, knob


def test_help_shows_the_values_of_the_default_configuration():
    cfg = compose_config(["method=report"])  # explore, the default, chooses options with other numbers
    shown = dict(re.findall(r"^  ([\w.]+) = (.+?)(?:  +| (?=\w))", help_text(), flags=re.MULTILINE))
    assert len(shown) > 25
    for knob, value in shown.items():
        if knob not in (
            "references.path",
            "references.as",
            "references.align",
            "references.name",
            "references.recursive",
            "generator.path",
            "generator.domain",
            "batch_diversity.metric",
            "batch_diversity.distance",
        ):  # of options that are not the default
            default = OmegaConf.select(cfg, knob)
            default = OmegaConf.to_container(default) if OmegaConf.is_config(default) else default
            assert value == yaml.safe_dump(default.name if isinstance(default, Enum) else default).split("\n")[0], knob


def test_version_is_the_programs_own(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"multimodal-pulse {multimodal_pulse.__version__}\n"


@pytest.mark.parametrize("program", [["run.py"], ["-m", "multimodal_pulse"]])
def test_run_py_and_the_module_are_the_same_command(program):
    done = subprocess.run([sys.executable, *program, "num_samples=x"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "multimodal-pulse: num_samples: Value 'x' of type 'str' could not be converted to Integer.\n"


INSTALLED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
MODULE, FUNCTION = INSTALLED["multimodal-pulse"].split(":")


@pytest.mark.parametrize(
    "program", [["run.py"], ["-m", "multimodal_pulse"], ["-c", f"from {MODULE} import {FUNCTION}; {FUNCTION}()"]]
)
def test_ctrl_c_during_the_imports_ends_in_one_line(program, tmp_path):
    (tmp_path / "hydra.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, *program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "multimodal-pulse: stopped.\n")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--cfg", "job"], ["weights"], ["--version"], ["num_samples=0", "2>&1"], ["method=bicubic"]],
)
def test_a_reader_that_goes_away_ends_nothing_loudly(arguments, tmp_path):
    """As in `| head -1`, with a reader that has gone before anything is printed."""
    ours, theirs = os.pipe()
    os.close(ours)
    both = "2>&1" in arguments
    run_dir = tmp_path / "run"
    search = [*OVERRIDES, f"hydra.run.dir={run_dir}"] if "=" in arguments[0] else []
    command = [sys.executable, "run.py", *(word for word in arguments if word != "2>&1"), *search]
    done = subprocess.run(
        command, cwd=ROOT, stdout=theirs, stderr=theirs if both else subprocess.PIPE, text=True, env=os.environ
    )
    os.close(theirs)
    assert done.returncode == (141 if both or "--cfg" in arguments else 0), done.stderr
    if not both:
        assert "Broken pipe" not in done.stderr and "BrokenPipeError" not in done.stderr
    if arguments == ["method=bicubic"]:  # the work is not lost
        assert read(run_dir / "metrics.json")["num_references"] == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_works_without_its_streams(closed, tmp_path):
    run_dir = tmp_path / "run"
    command = [sys.executable, "run.py", *OVERRIDES, "method=resampling", f"hydra.run.dir={run_dir}"]
    assert subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *command], cwd=ROOT).returncode == 0
    assert (run_dir / "references" / "test_000000" / "grid.png").is_file()


@pytest.mark.parametrize("key", ["run", "sweep"])
def test_a_quoted_home_folder_is_found(key, command, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    flags = ["-m"] if key == "sweep" else []
    assert command(*flags, "method=bicubic", f"hydra.{key}.dir='~/mine'")[0] == 0
    assert list((tmp_path / "home" / "mine").rglob("grid.png")) and not (tmp_path / "~").exists()
