"""Every command in README.md and docs/ is run here, on tiny settings, or says what it needs and is only looked at.

Of a sweep the first run is run, of an evaluation in shards all of them. Of what needs a network, a GPU, a key, data or
minutes, a search is composed and its configuration checked; of any other such command, its program, script, target of
make or extra of pip must exist.
"""

import re
import tomllib
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
import tiny_run
import torch
from doc_commands import PAGES, Command, commands, text
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image
from places import ROOT
from scripts import scripts

from multimodal_pulse.configuration.option_files import choices
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.interface.hydra_errors import composed
from multimodal_pulse.interface.subcommands import COMMANDS
from multimodal_pulse.references.pixels import save_png

PICTURES = {"photo.jpg": 48, "photo (1).jpg": 40, "small.png": 12, "old.png": 32, "photos/ada.png": 32}
"""The pictures that the pages speak of, with their sides in pixels; each is a picture of noise."""
OF_A_SHELL = ("git", "cd", "source", "wandb")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with the pictures that the pages speak of, in which commands run."""
    for name, side in PICTURES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_png(torch.rand(3, side, side, generator=torch.Generator().manual_seed(0)), tmp_path / name)
    Image.new("RGB", (1000, 470), "grey").save(tmp_path / "group.jpg")
    hidden = torch.zeros(1, 32, 32)
    hidden[:, 8:24, 8:24] = 1
    save_png(hidden, tmp_path / "hidden.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def first_run(arguments: Sequence[str]) -> list[str]:
    """The overrides of the first run of a sweep, without its launcher; those of a single run as they are."""
    if "-m" not in arguments:
        return list(arguments)
    words = [word for word in arguments if not word.startswith(("-", "hydra"))]
    overrides = zip(OverridesParser.create().parse_overrides(words), words, strict=True)
    return [
        f"{override.key_or_group}={next(override.sweep_string_iterator())}" if override.is_sweep_override() else word
        for override, word in overrides
    ]


def tiny(arguments: Sequence[str]) -> list[str]:
    """The arguments with the settings of tiny runs, where they do not say otherwise."""
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    settings = tiny_run.TINY | {"num_samples": 2}
    if choices("method", given.get("method", "explore")).get("latent_resampling", "").startswith("conditioned"):
        settings |= {"latent_resampling.draws": 20, "latent_resampling.nearest": 10}
    if "degradation" in given:
        del settings["degradation.factor"]
    return [*arguments, *tiny_run.overrides({key: value for key, value in settings.items() if key not in given})]


def search(arguments: Sequence[str]) -> None:
    """Does a search: all shards of an evaluation, the first run of another sweep, or a single run."""
    words = {word.partition("=")[0]: word.partition("=")[2] for word in arguments}
    if "shard.count" in words:
        assert tiny_run.run(*tiny(arguments)) == 0
    else:  # the same as the command, with one composition in place of two
        run_dir = words.get("hydra.run.dir") or f"outputs/{uuid.uuid4().hex}"
        overrides = [word for word in first_run(arguments) if not word.startswith("hydra.")]
        assert not run_overrides(tiny(overrides), run_dir).failure


def run(command: Command) -> None:
    """Runs a command in this process."""
    program, *words = command.words
    if program == "multimodal-pulse" or "--help" in words:
        assert tiny_run.run(*words) == 0
    elif command.search is not None:
        search(command.search)
    else:
        assert (program, words[0]) == ("python", "experiments/figures/comparison.py"), f"{command} is not run by a test"
        [comparison] = scripts("figures", "comparison")
        comparison.main(words[1:])


def exists(command: Command) -> bool:
    """Whether the program of a command that is no search can be found."""
    program, *words = command.words
    if program == "make":
        return bool(re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    if program == "multimodal-pulse":
        return words[0] in COMMANDS
    if program == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return words[-1].removeprefix(".[").removesuffix("]") in project["optional-dependencies"]
    if program == "python":
        return (ROOT / words[0]).is_file() or command.needs == "a GPU, and a checkout of stylegan3"
    return program in OF_A_SHELL


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page(page, place):
    for command in commands(page):
        if command.needs is None:
            run(command)
        elif command.search is None:
            assert exists(command), command
        else:
            cfg, job = composed(first_run(command.search), place)
            check_config(cfg, job.choices, job.overrides)


def test_every_block_of_commands_is_found():
    """No block is indented or has another name, and no page shows a command of this program outside of one."""
    for page in PAGES:
        fences = re.findall(r"^ *```(\w*)$", text(page), re.MULTILINE)
        assert set(fences[::2]) <= {"bash", "python", "text"} and set(fences[1::2]) <= {""}, page
        outside = re.sub(r"^```\w+\n.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
        assert not re.search(r"^ {4,}(python|make|multimodal-pulse|wandb|pip) ", outside, re.MULTILINE), page
