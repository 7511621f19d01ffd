"""The trainer of priors, on a folder of made-up pictures and tiny networks, and the functions of its evaluation."""

import importlib
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from places import ROOT, SHARED
from torch import Tensor
from torchvision.models import alexnet, squeezenet1_1
from torchvision.utils import make_grid

from multimodal_pulse.base.errors import Terminated, UserError
from multimodal_pulse.domains.portraits import load_prior
from multimodal_pulse.generator import Architecture, load_generator
from multimodal_pulse.generator.ops.plain import upsample
from multimodal_pulse.metrics.deep_features import Features
from multimodal_pulse.references.pixels import load_rgb, save_png

PLACE = ROOT / "experiments" / "prior_training"
MODULES = [path.stem for path in PLACE.glob("*.py")]
TINY = [
    "domain=folder", "discriminator=pixel", "start=nothing", "resolution=32", "batch=4", "images=24",
    "schedule.over=16", "evaluate_every=16", "trainer=cpu", "network.z_dim=8", "network.w_dim=8",
    "network.mapping_layers=1", "network.channel_base=256", "network.channel_max=8",
]  # fmt: skip
needs_backbones = pytest.mark.skipif(
    not (SHARED / "lpips" / "squeezenet1_1_features.pth").exists(), reason="no backbones in ../shared/lpips"
)


@pytest.fixture(scope="module")
def scripts() -> Iterator[SimpleNamespace]:
    """The modules of the trainer, which import each other by their names while the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PLACE))
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder of 64 smooth pictures of 40 x 36 pixels."""
    folder, rng = tmp_path_factory.mktemp("pictures"), torch.Generator().manual_seed(0)
    for index in range(64):
        coarse = torch.rand(1, 3, 4, 4, generator=rng)
        save_png(F.interpolate(coarse, (36, 40), mode="bilinear")[0], folder / f"{index}.png")
    return folder


def composed(*overrides: str, config: str = "train") -> Any:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(PLACE / "conf"), version_base="1.3"):
        return compose(config, list(overrides), return_hydra_config=True)


@pytest.fixture
def train(scripts, pictures) -> Callable[..., dict[str, Any]]:
    """Trains in a folder, and returns the state that it kept there."""

    def run(folder: Path, *overrides: str) -> dict[str, Any]:
        cfg = composed(*TINY, f"path={pictures}", f"folder={folder}", *overrides)
        scripts.train.train(cfg, dict(cfg.hydra.runtime.choices))
        return torch.load(folder / "resume.pt", weights_only=True)

    return run


def flat(state: Any, name: str = "") -> dict[str, Any]:
    """Every tensor and number of a state, by its path."""
    if isinstance(state, dict | list | tuple):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        return {path: leaf for key, value in items for path, leaf in flat(value, f"{name}/{key}").items()}
    return {} if isinstance(state, str | None) else {name: state}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """States are equal to the bit but for the seconds they took."""
    seconds = one["counters"][2], other["counters"][2]
    one, other = flat(one), flat(other)
    assert one.keys() == other.keys() and all(second > 0 for second in seconds)
    differing = [path for path in one if not torch.equal(torch.as_tensor(one[path]), torch.as_tensor(other[path]))]
    assert differing == ["/counters/2"]


# --- a training


@pytest.mark.parametrize(
    "discriminator, number, error",
    [
        ("pixel", signal.SIGTERM, Terminated),
        pytest.param("both", signal.SIGINT, KeyboardInterrupt, marks=needs_backbones),
    ],
)
def test_a_training_stopped_by_a_signal_and_resumed_ends_like_an_uninterrupted_one(
    scripts, train, tmp_path, monkeypatch, discriminator, number, error
):
    options = [f"discriminator={discriminator}"] + ["discriminator.heads.size=64"] * (discriminator == "both")
    whole = train(tmp_path / "whole", *options)
    item = scripts.training.Batches.__getitem__

    def stopping(batches, step: int) -> Tensor:
        if step == 2:
            os.kill(os.getpid(), number)
        return item(batches, step)

    # A shell that runs the tests in the background has them ignore SIGINT.
    before, handler = (
        signal.getsignal(number),
        signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL,
    )
    signal.signal(number, handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(scripts.training.Batches, "__getitem__", stopping)
            with pytest.raises(error) as stop:
                train(tmp_path / "stopped", *options)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    begun = torch.load(tmp_path / "stopped" / "resume.pt", weights_only=True)["counters"][0]
    assert 8 <= begun < 24  # the loader fetches a batch before its step
    assert f"stopped after {begun} images" in stop.value.__notes__[0]

    assert_same(train(tmp_path / "stopped", *options), whole)
    assert whole["counters"][:2] == [24, 6]


def test_a_training_of_another_seed_or_fall_of_the_rate_ends_elsewhere(train, tmp_path):
    changes: list[list[str]] = [[], ["seed=1"], ["schedule.to=1"]]
    states = [train(tmp_path / str(index), "images=12", *change) for index, change in enumerate(changes)]
    own, seed, fall = (state["generator"]["synthesis.b32.conv1.weight"] for state in states)
    assert not torch.equal(own, seed) and not torch.equal(own, fall)


def test_sigterm_ends_the_command_with_one_line_and_a_whole_state(pictures, tmp_path):
    command = [sys.executable, str(PLACE / "train.py"), *TINY, f"path={pictures}", f"folder={tmp_path / 'own'}"]
    with subprocess.Popen([*command, "images=4000000"], stderr=subprocess.PIPE, text=True) as process:
        lines = iter(process.stderr)
        assert any("image/s" in line and " 0/" not in line for line in lines)  # the bar moves: steps were done
        process.send_signal(signal.SIGTERM)
        last = [line for line in lines if "image/s" not in line]
    assert process.returncode == 128 + signal.SIGTERM
    state = torch.load(tmp_path / "own" / "resume.pt", weights_only=True)
    assert len(last) == 1 and last[0].startswith(f"stopped after {state['counters'][0]:,} images; the same command")


def test_a_snapshot_is_a_generator_that_can_be_searched(train, pictures, tmp_path, command):
    state = train(tmp_path / "own")
    snapshot = tmp_path / "own" / "folder-32.safetensors"
    weights = load_generator(snapshot).network.state_dict()
    assert all(torch.equal(tensor, state["average"][name]) for name, tensor in weights.items())
    run_dir = tmp_path / "run"
    options = ["method=combined", "degradation.factor=4", "steps=2", "num_samples=2", "metrics.lpips_net=null"]
    found = [f"references.path={pictures / '0.png'}", f"generator.path={snapshot}", f"hydra.run.dir={run_dir}"]
    status, _, err = command(
        "generator=file", "references=image", *found, *options, "objective=report", "tracking=none", base=()
    )
    assert status == 0, err
    assert load_rgb(run_dir / "references" / "0" / "sr_01.png").shape == (3, 32, 32)


def test_figures_and_sheets_are_written_every_so_many_images(train, tmp_path):
    train(tmp_path / "own")
    (line,) = [json.loads(line) for line in (tmp_path / "own" / "log.jsonl").read_text().splitlines()]
    assert line["images"] == 16 and line.keys() >= {"processor_seconds", "frechet", "precision", "recall"}
    assert load_rgb(tmp_path / "own" / "sheet-00000016.png").shape == (3, 4 * 34 + 2, 8 * 34 + 2)


def test_a_finished_training_is_left_as_it_is_until_more_images_are_asked_for(train, tmp_path, capsys):
    state = train(tmp_path / "own", "images=4")
    assert train(tmp_path / "own", "images=4")["counters"] == state["counters"]
    assert "has seen 4 images: a larger images=... goes on" in capsys.readouterr().err
    assert train(tmp_path / "own", "images=8")["counters"][:2] == [8, 2]


def test_a_folder_with_another_training_is_not_continued(train, tmp_path):
    train(tmp_path / "own", "images=4")
    with pytest.raises(UserError, match="holds a training with seed=0: name another folder"):
        train(tmp_path / "own", "seed=1")


def test_a_state_in_half_precision_without_moments_is_a_start(scripts, train, tmp_path):
    """As the faces' training was kept; a discriminator that it lacks begins anew."""
    state = train(tmp_path / "first")
    for name in ("average", "generator"):
        state[name] = {key: tensor.half() for key, tensor in state[name].items()}
    torch.save({name: state[name] for name in ("average", "generator", "counters")}, tmp_path / "start.pt")
    training = scripts.train.build(cfg := composed(*TINY, f"start={tmp_path / 'start.pt'}", f"folder={tmp_path}"))
    fresh = {key: tensor.clone() for key, tensor in training.critics["pixel"].learned.state_dict().items()}
    scripts.train.begin(training, cfg, {})
    assert (training.seen, training.steps) == (24, 6)
    for key, tensor in training.average.state_dict().items():
        assert torch.equal(tensor, state["average"][key].float())
    assert all(torch.equal(t, fresh[key]) for key, t in training.critics["pixel"].learned.state_dict().items())


def test_a_training_begins_with_the_images_of_the_prior(scripts):
    prior = load_prior().network
    for resolution in (32, 128):
        training = scripts.train.build(cfg := composed("discriminator=pixel", f"resolution={resolution}", "folder=x"))
        scripts.train.begin(training, cfg, {})
        own = training.average.state_dict()
        assert all(torch.equal(tensor, prior.state_dict()[name]) for name, tensor in own.items())
    training = scripts.train.build(cfg := composed(*TINY, "folder=x", "start=prior"))
    with pytest.raises(UserError, match="start=nothing"):
        scripts.train.begin(training, cfg, {})


@pytest.mark.parametrize("content", [b"", b"no state", None])
def test_a_file_that_is_no_state_is_refused_in_one_line(scripts, tmp_path, content):
    path = tmp_path / "state.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="state.pt"):
        scripts.train.read_state(path)


def test_a_grown_network_shows_at_first_what_the_smaller_one_did(scripts, train, tmp_path):
    state = train(tmp_path / "small")
    larger = ["resolution=64", f"grow={tmp_path / 'small' / 'resume.pt'}", f"folder={tmp_path / 'large'}"]
    training = scripts.train.build(cfg := composed(*TINY, *larger))
    scripts.train.begin(training, cfg, {})
    small = scripts.train.build(composed(*TINY, f"folder={tmp_path}"))
    small.restore(state)
    for grown, network in ((training.generator, small.generator), (training.average, small.average)):
        w = grown.mapping(torch.randn(3, 8, generator=torch.Generator().manual_seed(0)))[:, None]
        sides = grown.architecture.noise_resolutions
        silent = [torch.zeros(1, 1, r, r) for r in sides]
        large = grown.synthesis(w.expand(-1, len(sides) + 1, -1), silent)
        assert torch.allclose(
            large, upsample(network.synthesis(w.expand(-1, len(sides) - 1, -1), silent[:-2])), atol=1e-5
        )
        strengths = [layer.noise_strength.item() for layer in grown.synthesis.layers]
        assert strengths[-4:] == pytest.approx([0.1] * 4)
    blocks = training.critics["pixel"].learned.blocks
    assert torch.equal(blocks["16"].conv0.weight, small.critics["pixel"].learned.blocks["16"].conv0.weight)
    assert (training.seen, training.grown_at) == (24, 24)
    with pytest.raises(UserError, match="not smaller"):
        small.grow(state)


# --- its step


def test_a_step_is_that_of_a_plain_loop(scripts):
    """Logistic losses, R1 at the first step, Adam without momentum and the moving average, written out again."""
    architecture = Architecture(16, 4, 4, 1, 64, 4)
    pixel = instantiate(composed(*TINY, "folder=x").discriminator)["pixel"]
    training = scripts.training.Training(
        architecture, {"pixel": pixel}, scripts.augmentation.NoAugmentation(), scripts.schedules.Falling(1e-3, 8, 0.5),
        images=8, half_life=20, bf16=False,
    )  # fmt: skip
    training.manual_backward = lambda loss: loss.backward()  # without Lightning's trainer
    other = scripts.training.Training(
        architecture, {"pixel": pixel}, scripts.augmentation.NoAugmentation(), scripts.schedules.Constant(0), images=8
    )
    g, d, average = other.generator, other.critics["pixel"].learned, other.average
    adams = [torch.optim.Adam(network.parameters(), 1.0, betas=(0.0, 0.99)) for network in (g, d)]
    real = torch.rand(3, 4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    for step in range(3):
        training.training_step(real[step], step)

        rate = 1e-3 * max(0.5, min(1.0, (8 - 4 * step) / 8))
        for adam in adams:
            adam.param_groups[0]["lr"] = rate
        fake = other.sample(4, scripts.training.stream(0, step, "networks"))
        adams[1].zero_grad()
        loss = -F.logsigmoid(d(real[step])).mean() - F.logsigmoid(-d(fake.detach())).mean()
        if step == 0:
            shown = real[step].clone().requires_grad_()
            (gradient,) = torch.autograd.grad(d(shown).sum(), shown, create_graph=True)
            loss = loss + 16 * 0.3 / 2 * gradient.flatten(1).norm(dim=1).square().mean()
        loss.backward()
        adams[1].step()
        adams[0].zero_grad()
        (-F.logsigmoid(d(fake)).mean()).backward()
        adams[0].step()
        keep = 0.5 ** (4 / 20)
        with torch.no_grad():
            for mean, new in zip(average.parameters(), g.parameters(), strict=True):
                mean.mul_(keep).add_((1 - keep) * new)
    for mine, theirs in ((training.generator, g), (training.critics["pixel"].learned, d), (training.average, average)):
        for one, two in zip(mine.parameters(), theirs.parameters(), strict=True):
            assert torch.allclose(one, two, atol=2e-5)
    assert training.seen == 12


@needs_backbones
def test_the_projected_discriminator_has_the_hinge_losses(scripts):
    critic = scripts.critics.Projected(Architecture(32), size=64)
    real, fake = torch.tensor([[2.0, 0.5]]), torch.tensor([[-3.0, 0.25]])
    assert critic.loss(real, fake).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1.25) / 2)
    assert critic.generator_loss(fake).item() == pytest.approx(2.75 / 2)
    logits = critic.judge(critic.see(torch.zeros(2, 3, 32, 32)))
    assert logits.shape == (2, 4)


def test_a_new_resolution_is_blended_in(scripts):
    critic = scripts.critics.Pixel(Architecture(32, 4, 4, 1, 128, 4), fade=100)
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    own = critic.judge([pictures])
    critic.blend(100)
    assert torch.equal(critic.judge([pictures]), own)
    critic.blend(50)
    assert not torch.allclose(critic.judge([pictures]), own)
    assert torch.equal(critic.judge([pictures]), critic.learned(pictures, 0.5))


def test_without_squeezenet_the_line_says_where_it_was_looked_for_and_what_does_without(scripts, monkeypatch, tmp_path):
    monkeypatch.setattr(scripts.backbones, "SHARED", tmp_path / "shared")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(UserError) as error:
        scripts.train.build(composed("discriminator=both", "folder=x"))
    for part in (tmp_path / "shared" / "lpips", tmp_path / "torch" / "hub" / "checkpoints", "discriminator=pixel"):
        assert str(part) in str(error.value)
    assert set(scripts.train.build(composed(*TINY, "folder=x")).critics) == {"pixel"}
    assert isinstance(scripts.figures.figures_of(torch.zeros(8, 3, 32, 32), "alexnet"), scripts.figures.NoFigures)


# --- pictures and augmentation


def test_a_folder_keeps_a_tenth_out_and_leaves_out_what_it_cannot_use(scripts, pictures, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in pictures.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "again.png").write_bytes((pictures / "0.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no picture")
    save_png(torch.zeros(3, 8, 50), folder / "small.png")
    found = scripts.folder.Folder(32, str(folder))
    assert (len(found.held), len(found.pixels)) == (6, 58)
    everything = {pixels.numpy().tobytes() for part in (found.held, found.pixels) for pixels in part}
    assert len(everything) == 64
    assert "2 pictures are left out" in capsys.readouterr().err
    batch = found.batch(5, torch.Generator().manual_seed(0))
    assert batch.shape == (5, 3, 32, 32) and -1 <= batch.min() < 0 < batch.max() <= 1
    known = torch.cat([found.pixels, found.pixels.flip(3)]).float()
    shown = ((batch + 1) * 127.5).round()
    assert all((known == picture).flatten(1).all(dim=1).any() for picture in shown)


def test_a_square_is_the_middle_of_its_picture(scripts, tmp_path):
    picture = torch.zeros(3, 32, 60)
    picture[:, :, 14:46] = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    save_png(picture, tmp_path / "wide.png")
    squares, left_out = scripts.folder._squares([tmp_path / "wide.png"], 32)
    (square,) = squares.values()
    assert not left_out and torch.equal(square.float() / 255, load_rgb(tmp_path / "wide.png")[:, :, 14:46])


@pytest.mark.parametrize("path", [None, "missing", "few"])
def test_a_folder_that_is_too_small_or_missing_is_refused_in_one_line(scripts, tmp_path, path):
    (tmp_path / "few").mkdir()
    save_png(torch.zeros(3, 32, 32), tmp_path / "few" / "one.png")
    with pytest.raises(UserError, match="path="):
        scripts.folder.Folder(32, path and str(tmp_path / path))


def test_portraits_are_rendered_once(scripts, tmp_path, monkeypatch):
    portraits = scripts.rendered.RenderedPortraits(32, str(tmp_path), count=3, held=2)
    first = portraits.trained_on(2)
    monkeypatch.setattr(scripts.rendered, "render_seeds", lambda *_: pytest.fail("rendered again"))
    assert torch.equal(portraits.trained_on(2), first)
    monkeypatch.undo()
    assert torch.equal(portraits.trained_on()[:2], first) and len(portraits.trained_on()) == 3
    assert portraits.batch(4, torch.Generator().manual_seed(0)).shape == (4, 3, 32, 32)
    assert portraits.kept_out().shape == (2, 3, 32, 32)
    assert (portraits.detail_energy(2) > 0).all()


def test_pictures_are_shifted_and_holes_cut_as_in_a_loop(scripts):
    images = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    down, right = torch.tensor([0, 3, -2]), torch.tensor([-1, 2, 0])
    moved = scripts.augmentation.shifted(images, down, right)
    mask = scripts.augmentation.kept(8, 3, down, right)
    for n in range(3):
        for y in range(8):
            for x in range(8):
                a, b = y - int(down[n]), x - int(right[n])
                inside = 0 <= a < 8 and 0 <= b < 8
                assert torch.equal(moved[n, :, y, x], images[n, :, a, b] if inside else torch.zeros(2))
                assert mask[n, 0, y, x] == (0.0 if 0 <= a < 3 and 0 <= b < 3 else 1.0)


def test_augmentation_of_no_strength_only_cuts_holes(scripts):
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) + 0.5
    plain = scripts.augmentation.DiffAugment(colour=0, shift=0, hole=0.5)(images, torch.Generator().manual_seed(0))
    untouched = plain != 0
    assert torch.allclose(plain[untouched], images[untouched], atol=1e-6)
    assert (~untouched).flatten(1).sum(dim=1).max() <= 3 * 8 * 8
    coloured = scripts.augmentation.DiffAugment(colour=1)(images, torch.Generator().manual_seed(0))
    assert not torch.allclose(coloured, plain)


def test_the_rate_falls_over_the_last_images(scripts):
    falling = scripts.schedules.Falling(0.01, over=100, to=0.1)
    assert [falling(left) for left in (1000, 100, 50, 5, 0)] == pytest.approx([0.01, 0.01, 0.005, 0.001, 0.001])
    assert scripts.schedules.Constant(0.01)(5) == 0.01


# --- figures and the evaluation


def test_the_frechet_distance_is_that_of_scipy(scripts):
    linalg = pytest.importorskip("scipy.linalg")
    rng = torch.Generator().manual_seed(0)
    a = torch.randn(50, 5, generator=rng, dtype=torch.float64) @ torch.randn(5, 5, generator=rng, dtype=torch.float64)
    b = torch.randn(40, 5, generator=rng, dtype=torch.float64) + 1
    first, second = torch.cov(a.T).numpy(), torch.cov(b.T).numpy()
    cross = linalg.sqrtm(first @ second).real
    means = ((a.mean(0) - b.mean(0)) ** 2).sum().item()
    assert scripts.figures.frechet(a, b) == pytest.approx(means + (first + second - 2 * cross).trace(), rel=1e-6)
    assert scripts.figures.frechet(a, a) == pytest.approx(0, abs=1e-6)


def test_pictures_of_seeds_depend_on_the_seed_alone(scripts):
    network = scripts.train.build(composed(*TINY, "folder=x")).average
    together = scripts.figures.generate(network, range(27))
    assert torch.allclose(scripts.figures.generate(network, [26, 3]), together[[26, 3]], atol=1e-6)


class Pixels:
    """Stands in for LPIPS: the squared distance of pixels."""

    def features(self, x: Tensor) -> Features:
        return Features([x], (x.shape[-2], x.shape[-1]))


ALIKE = torch.nn.Conv2d(3, 3, 1)
"""Stands in for AlexNet's convolutions."""


def test_nearest_training_pictures_are_those_of_a_full_search(scripts):
    rng = torch.Generator().manual_seed(0)
    trained_on = (torch.rand(30, 3, 8, 8, generator=rng) * 255).byte()
    asked = torch.rand(7, 3, 8, 8, generator=rng)
    asked[0], asked[1] = trained_on[4].float() / 255, trained_on[9].float().flip(2) / 255
    neighbours = scripts.nearest.Neighbours(trained_on, True, Pixels(), ALIKE, candidates=60)
    found = neighbours(asked)
    real = trained_on.float() / 255
    everything = torch.cat([real, real.flip(3)])
    distances = (asked[:, None] - everything[None]).square().sum(dim=2).mean(dim=(2, 3))
    assert torch.allclose(found.distances, distances.min(dim=1).values)
    assert torch.equal(found.indices + 30 * found.mirrored, distances.argmin(dim=1))
    assert (found.indices[0], found.mirrored[0], found.indices[1], found.mirrored[1]) == (4, False, 9, True)
    assert torch.equal(neighbours.pictures(found), everything[distances.argmin(dim=1)])


def test_few_candidates_give_upper_bounds(scripts):
    rng = torch.Generator().manual_seed(0)
    trained_on, asked = (torch.rand(30, 3, 8, 8, generator=rng) * 255).byte(), torch.rand(7, 3, 8, 8, generator=rng)
    few, all_ = (scripts.nearest.Neighbours(trained_on, False, Pixels(), ALIKE, candidates=n)(asked) for n in (3, 30))
    assert (few.distances >= all_.distances).all() and few.distances.isfinite().all() and not few.mirrored.any()


def test_generated_pictures_nearer_than_all_others_are_counted(scripts):
    generated, others = torch.tensor([0.1, 0.3, 0.2]), torch.tensor([0.2, 0.4, 0.6])
    report = scripts.evaluate.compare(generated, others)
    assert report["generated_nearer_than_all_kept_out"] == 1
    assert report["generated"]["min"] == 0.1 and report["kept_out"]["50 %"] == 0.4
    assert report["kept_out"]["25 %"] == pytest.approx(0.3)


def test_an_inversion_finds_a_picture_of_the_generator(scripts):
    from multimodal_pulse.generator import untrained

    generator = untrained(16, z_dim=8, w_dim=8, channel_base=128, channel_max=8)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    targets = generator.synthesis(generator.mapping(z)).detach().clamp(0, 1)
    few, many = (scripts.inversion.invert(generator, targets, steps) for steps in (1, 60))
    assert (many > few + 3).all()


def test_sheets_pair_pictures_and_stay_small(scripts, tmp_path):
    above, below = torch.zeros(4, 3, 2, 2), torch.ones(4, 3, 2, 2)
    assert scripts.sheets.in_pairs(above, below, 2)[:, 0, 0, 0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    noise = torch.rand(64, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    scripts.sheets.save_sheet(noise, 96, 8, tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size < 400_000
    assert load_rgb(tmp_path / "sheet.jpg").shape == (3, 8 * 98 + 2, 8 * 98 + 2)


@needs_backbones
@pytest.mark.parametrize("columns", [1, 3, 7, 8])
def test_a_sheet_is_that_of_torchvision(scripts, columns):
    images = torch.rand(7, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = make_grid(images, nrow=columns, padding=2, pad_value=0.5)
    assert torch.equal(scripts.sheets.tiled(images, columns, between=0.5), expected)


@needs_backbones
@pytest.mark.parametrize("name, torchvisions", [("alexnet", alexnet), ("squeezenet", squeezenet1_1)])
def test_the_features_are_those_of_torchvision(scripts, name, torchvisions):
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    network = torchvisions().features.eval()
    file = next(place for place in scripts.backbones.places(name) if place.exists())
    weights = torch.load(file, weights_only=True)
    network.load_state_dict(
        {key.removeprefix("features."): value for key, value in weights.items() if "features." in key}
    )
    assert torch.equal(scripts.backbones.frozen_features(name)(images.clone()), network(images.clone()))


def test_an_evaluation_reports_every_figure(scripts, train, pictures, tmp_path):
    train(tmp_path / "own", "images=4")
    options = [f"weights={tmp_path / 'own' / 'folder-32.safetensors'}", f"path={pictures}", f"out={tmp_path / 'out'}"]
    cfg = composed("domain=folder", *options, "inversion.count=2", "inversion.steps=2", config="evaluate")
    report = scripts.evaluate.evaluate(cfg, "folder")
    assert (report["kept_out"], report["trained_on"]) == (6, 58)
    for name in ("generated", "untrained", "real_against_real"):
        assert report[name]["frechet"] >= 0 and 0 <= report[name]["precision"] <= 1 and 0 <= report[name]["recall"] <= 1
    assert math.isfinite(report["inversion"]["psnr_median"])
    json.dumps(report, allow_nan=False)
    assert load_rgb(tmp_path / "out" / "contact_sheet.jpg").shape == (3, 4 * 34 + 2, 8 * 34 + 2)


# --- its configuration


def options() -> Sequence[tuple[str, str]]:
    files = (PLACE / "conf").glob("*/*.yaml")
    return sorted((path.parent.name, path.stem) for path in files if path.parent.name not in ("domain", "trainer"))


@pytest.mark.parametrize("group, option", options())
def test_every_option_makes_what_it_names(scripts, group, option):
    """A key that its class does not know fails here, and not after the pictures were read."""
    made = instantiate(composed(f"{group}={option}", "folder=x")[group])
    assert made is not None and (group != "discriminator" or all(callable(part) for part in made.values()))
