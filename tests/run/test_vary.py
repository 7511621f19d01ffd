"""More like one sample, which changes inside of a mask only: from the command line to the pictures and the record."""

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_run import OVERRIDES, contents, overrides, read

from multimodal_pulse.references.pixels import load_rgb, save_png

BANK = overrides({"latent_resampling.draws": 60, "latent_resampling.nearest": 20})
OF_THE_FOLDER = [override for override in OVERRIDES if not override.startswith(("generator", "degradation"))]
"""What is not taken from the parent."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished reference with two samples, for all tests; none writes there."""
    from tiny_run import run

    run_dir = tmp_path_factory.mktemp("parent") / "run"
    assert run(*OVERRIDES, *BANK, "method=explore", "num_samples=2", "seed=3", f"hydra.run.dir={run_dir}") == 0
    return run_dir / "references" / "test_000000"


@pytest.fixture
def mask(tmp_path):
    """White in the middle of the left half."""
    picture = torch.zeros(1, 32, 32)
    picture[:, 8:24, 2:16] = 1
    save_png(picture, tmp_path / "mask.png")
    return tmp_path / "mask.png"


@pytest.fixture
def vary(command, finished, mask, tmp_path):
    """Varies sample 1 in tmp_path/<name>: (exit status, stdout, stderr)."""

    def vary(*more, name="run", base=OF_THE_FOLDER):
        given = ("method=vary", f"vary.folder={finished}", "vary.sample=1", f"vary.mask={mask}", *BANK)
        return command(*given, "steps=10", "num_samples=3", *more, f"hydra.run.dir={tmp_path / name}", base=base)

    return vary


def test_samples_differ_inside_of_the_mask_alone(vary, finished, mask, tmp_path):
    status, said, errors = vary()
    assert status == 0, errors
    folder = tmp_path / "run" / "references" / "test_000000"
    parent = load_rgb(finished / "sr_01.png")
    samples = torch.stack([load_rgb(folder / f"sr_{k:02d}.png") for k in range(3)])
    inside = load_rgb(mask)[0] > 0.5
    assert torch.equal(samples[:, :, ~inside], parent[:, ~inside].expand(3, -1, -1))
    assert torch.equal(load_rgb(folder / "lr.png"), load_rgb(finished / "lr.png"))
    assert torch.equal(load_rgb(folder / "hr.png"), load_rgb(finished / "hr.png"))

    entry = read(folder / "record.json")
    of_pixels = 255 * samples.double().var(dim=0).mean(dim=0).sqrt()
    assert entry["vary"]["inside"] == pytest.approx(of_pixels[inside].mean().item()) and entry["vary"]["inside"] > 1
    assert entry["vary"]["outside"] == 0
    assert f"spread: {entry['vary']['inside']:.1f} inside of the mask, 0.0 outside" in said
    assert all(record["lr_psnr"] > 60 for record in entry["records"])

    files = {"parent": finished / "sr_01.png", "mask": mask}
    digests = {
        what: {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for what, path in files.items()
    }
    assert {what: entry["vary"][what] for what in files} == digests
    provenance, plan = (read(tmp_path / "run" / f"{name}.json") for name in ("provenance", "plan"))
    assert provenance["vary"] == plan["varied"] == digests
    taken = read(finished / "record.json")["settings"]
    assert {slot: entry["settings"][slot] for slot in ("generator", "degradation")} == {
        slot: taken[slot] for slot in ("generator", "degradation")
    }
    maps = [load_file(where / "latents.safetensors") for where in (finished, folder)]
    for name in (name for name in maps[1] if name.startswith("noise.")):
        assert torch.equal(maps[1][name], maps[0][name][1:].expand(3, -1, -1, -1))


def test_it_is_the_same_again_and_is_resumed_and_drawn_again(vary, command, tmp_path):
    assert vary()[0] == vary(name="again")[0] == 0
    folder, again = (tmp_path / name / "references" / "test_000000" for name in ("run", "again"))
    before = contents(folder)
    without_record = {name: data for name, data in before.items() if name != "record.json"}  # it has the seconds
    assert without_record == {name: data for name, data in contents(again).items() if name != "record.json"}
    assert "nothing to do" in vary()[2] and contents(folder) == before
    for name in ("sr_00.png", "grid.png"):
        (folder / name).unlink()
    assert command("render", str(folder), base=())[0] == 0
    assert contents(folder) == before
    shutil.rmtree(folder)
    assert vary()[0] == 0
    assert {name: data for name, data in contents(folder).items() if name != "record.json"} == without_record


def test_what_was_varied_can_be_varied(vary, command, mask, tmp_path):
    assert vary()[0] == 0
    folder = tmp_path / "run" / "references" / "test_000000"
    assert vary(f"vary.folder={folder}", "vary.sample=2", name="second")[0] == 0
    second = tmp_path / "second" / "references" / "test_000000"
    outside = load_rgb(mask)[0] <= 0.5
    assert torch.equal(load_rgb(second / "sr_00.png")[:, outside], load_rgb(folder / "sr_02.png")[:, outside])


def test_another_seed_gives_other_pictures_and_a_white_mask_has_no_outside(vary, tmp_path):
    save_png(torch.ones(1, 32, 32), tmp_path / "white.png")
    white = f"vary.mask={tmp_path / 'white.png'}"
    assert vary(white)[0] == vary(white, "seed=1", name="other")[0] == 0
    one, other = (tmp_path / name / "references" / "test_000000" for name in ("run", "other"))
    assert read(one / "record.json")["vary"]["outside"] is None
    assert (one / "sr_00.png").read_bytes() != (other / "sr_00.png").read_bytes()


def test_a_mask_that_was_painted_over_is_refused_by_name(vary, mask, tmp_path):
    assert vary()[0] == 0
    save_png(torch.ones(1, 32, 32), mask)
    status, _, errors = vary()
    assert status == 1 and errors.count("\n") == 1
    assert f"{mask} has changed since" in errors


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["vary.sample=2"], "has the samples 0 to 1"),
        (["vary.sample=-1"], "vary.sample=-1: it must be at least 0"),
        (["vary.folder=null"], "vary.folder is not set"),
        (["vary.mask=null"], "vary.mask is not set"),
        (["vary.mask=there.png"], "vary.mask=there.png does not exist"),
        (["vary.folder=there"], "vary.folder=there does not exist"),
        (["references=portraits"], "choose references=found"),
        (["generator=untrained", *overrides({"generator.resolution": 32})], "give generator=found"),
        (["degradation=area", "degradation.factor=4"], "give degradation=found"),
    ],
)
def test_what_cannot_be_varied_is_one_sentence(vary, more, words, tmp_path):
    status, _, errors = vary(*more)
    assert status == 1 and errors.count("\n") == 1 and words in errors, errors
    assert not (tmp_path / "run" / "plan.json").exists()


def test_masks_that_cannot_be_used_are_one_sentence(vary, tmp_path):
    for side, colour, words in ((16, 1.0, "16 x 16 pixels; it must be 32 x 32"), (32, 0.0, "black everywhere")):
        save_png(torch.full((1, side, side), colour), tmp_path / "bad.png")
        status, _, errors = vary(f"vary.mask={tmp_path / 'bad.png'}")
        assert status == 1 and errors.count("\n") == 1 and words in errors, errors


def test_folders_that_no_search_has_finished_are_one_sentence(vary, command, finished, tmp_path):
    assert command("method=bicubic", f"hydra.run.dir={tmp_path / 'bicubic'}")[0] == 0
    bicubic, edited = tmp_path / "bicubic" / "references" / "test_000000", tmp_path / "edited"
    shutil.copytree(finished, edited)
    entry = read(edited / "record.json")
    entry["settings"]["generator"]["_target_"] = "os.system"
    (edited / "record.json").write_text(json.dumps(entry))
    damaged = tmp_path / "damaged"
    shutil.copytree(finished, damaged)
    save_file({"w_plus": torch.zeros(1, 8, 4)}, damaged / "latents.safetensors")
    for folder, sample, words in (
        (damaged, 0, "latents.safetensors is damaged"),
        (finished.parents[1], 0, "is not the folder of a finished reference"),
        (bicubic, 0, "has no latents.safetensors"),
        (edited, 0, "settings.generator is none of this program's options"),
    ):
        status, _, errors = vary(f"vary.folder={folder}", f"vary.sample={sample}")
        assert status == 1 and errors.count("\n") == 1 and words in errors, errors


def test_a_knob_of_it_is_refused_by_other_methods(command, tmp_path):
    status, _, errors = command("method=explore", "vary.sample=1", f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 1 and "choose references=found or a method that has it (vary)" in errors
