"""Conditioned starts: the bank, the regression, Matheron's rule, and the choice of draws."""

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_search import FACTOR, tiny_generator, tiny_statistics

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Area, Bicubic, Inpainting
from multimodal_pulse.diversity.bank import Bank, Estimate, bank, estimate_file, lr_pictures
from multimodal_pulse.diversity.bank import stored as stored_numbers
from multimodal_pulse.diversity.conditioned import AroundParent, ConditionedLatents, SpreadConditionedLatents
from multimodal_pulse.generator.computed_once import Unfinished
from multimodal_pulse.generator.spaces.gaussian import Gaussian

DRAWS = 120
DEGRADATION = Bicubic(FACTOR)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch, tmp_path):
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path))
    for module in ("generator.spaces.sphere", "diversity.bank"):
        monkeypatch.setattr(f"multimodal_pulse.{module}.w_statistics", tiny_statistics)


@pytest.fixture
def stored() -> Bank:
    return bank(tiny_generator(), DEGRADATION, DRAWS)


def starts(kind, lr, num_samples=4, seed=0, temperature=1.0) -> torch.Tensor:
    """[K, num_ws, w_dim]."""
    space = Gaussian(tiny_generator())
    chosen = kind(draws=DRAWS, nearest=60, temperature=temperature)
    return chosen.draw(space, DEGRADATION, lr, seed, "r", num_samples)["latent"]


def test_the_bank_is_kept_and_its_latents_are_those_of_its_pictures(stored, tmp_path, monkeypatch):
    assert stored.latents.shape == (DRAWS, 16) and stored.lr.shape == (DRAWS, 48)
    monkeypatch.setattr("multimodal_pulse.diversity.bank.lr_pictures", lambda *rest: pytest.fail("drawn again"))
    again = bank(tiny_generator(), DEGRADATION, DRAWS)
    assert torch.equal(again.latents, stored.latents) and torch.equal(again.lr, stored.lr)
    generator = tiny_generator()
    images = generator.synthesis(stored.to_w_plus(stored.latents, generator.num_ws), None)
    apart = (DEGRADATION(images.clamp(0, 1)).flatten(1) - stored.lr).square().mean(dim=1)
    shuffled = (DEGRADATION(images.clamp(0, 1)).flatten(1) - stored.lr.roll(1, 0)).square().mean(dim=1)
    assert apart.mean() < shuffled.mean() / 3  # all that is left is noise maps


def test_a_larger_bank_begins_with_the_smaller_one():
    generator = tiny_generator()
    assert torch.equal(lr_pictures(generator, DEGRADATION, 70)[:30], lr_pictures(generator, DEGRADATION, 30))


def test_large_pictures_are_made_a_few_at_a_time(monkeypatch):
    generator = tiny_generator()
    whole, sizes = lr_pictures(generator, DEGRADATION, 60), []
    synthesis = generator.synthesis
    monkeypatch.setattr(
        generator, "synthesis", lambda w_plus, maps: sizes.append(len(w_plus)) or synthesis(w_plus, maps)
    )
    monkeypatch.setattr("multimodal_pulse.diversity.bank._PIXELS_AT_ONCE", 20 * generator.resolution**2 + 1)
    parts = lr_pictures(generator, DEGRADATION, 60)
    assert sizes == 2 * [20, 20, 10]
    assert (parts.int() - whole.int()).abs().max() <= 1  # the order of additions may differ


def test_a_damaged_file_is_drawn_again(stored, tmp_path):
    [file] = tmp_path.glob("bank-*")
    file.write_bytes(b"nothing")
    assert torch.equal(bank(tiny_generator(), DEGRADATION, DRAWS).lr, stored.lr)


def test_a_bank_that_was_killed_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr("multimodal_pulse.generator.computed_once._SECONDS_BETWEEN_SAVES", 0)
    unfinished, generator = Unfinished(tmp_path / "some.unfinished"), tiny_generator()
    lr_pictures(generator, DEGRADATION, 50, unfinished)  # one chunk
    drawn = []
    synthesis = generator.synthesis
    monkeypatch.setattr(generator, "synthesis", lambda *of: drawn.append(len(of[0])) or synthesis(*of))
    resumed = lr_pictures(generator, DEGRADATION, DRAWS, unfinished)
    assert drawn == [50, 50]  # of the three chunks, the first was kept
    assert torch.equal(resumed, lr_pictures(generator, DEGRADATION, DRAWS))


@pytest.mark.parametrize(
    "rows", [torch.zeros(30, 48, dtype=torch.uint8), torch.zeros(50, 48), torch.zeros(200, 48).byte()]
)
def test_what_cannot_be_continued_is_drawn_again(rows, tmp_path):
    save_file({"rows": rows}, tmp_path / "some.unfinished")
    pictures = lr_pictures(tiny_generator(), DEGRADATION, DRAWS, Unfinished(tmp_path / "some.unfinished"))
    assert torch.equal(pictures, lr_pictures(tiny_generator(), DEGRADATION, DRAWS))


def test_an_estimate_that_comes_with_the_weights_is_used(stored, tmp_path):
    generator = tiny_generator()
    generator.companions = tmp_path
    other = Estimate(torch.zeros(48), torch.full((16,), 3.0), torch.zeros(48, 16))
    save_file(vars(other), tmp_path / estimate_file(generator, DEGRADATION))
    assert torch.equal(bank(generator, DEGRADATION, DRAWS).estimate(stored.lr[5]), torch.full((16,), 3.0))


def test_the_estimate_is_ridge_regression(stored):
    pictures, latents = stored.lr.double(), stored.latents.double()
    rows = torch.cat([pictures - pictures.mean(0), torch.eye(48, dtype=torch.float64)])
    targets = torch.cat([latents - latents.mean(0), torch.zeros(48, 16, dtype=torch.float64)])
    coefficients = torch.linalg.lstsq(rows, targets).solution
    expected = latents.mean(0) + (pictures[7] - pictures.mean(0)) @ coefficients
    assert torch.allclose(stored.estimate(stored.lr[7]).double(), expected, atol=1e-4)


@pytest.mark.parametrize("draws", [30, 47, 48, 49, 70])
def test_with_fewer_draws_than_lr_pixels_it_is_the_same_regression(draws):
    """As of a factor of 2, whose LR pictures have more pixels than the bank has draws."""
    rng = torch.Generator().manual_seed(0)
    lr, latents = torch.rand(draws, 48, generator=rng), torch.randn(draws, 16, generator=rng)
    rows = torch.cat([lr - lr.mean(0), torch.eye(48)]).double()
    targets = torch.cat([latents - latents.mean(0), torch.zeros(48, 16)]).double()
    expected = torch.linalg.lstsq(rows, targets).solution
    assert torch.allclose(Estimate.fit(lr, latents).coefficients.double(), expected, atol=1e-5)


def test_a_draw_conditioned_on_its_own_picture_is_itself(stored):
    index = torch.tensor([5])
    again = stored.estimate(stored.lr[5]) + stored.residuals(index)[0]
    assert torch.allclose(again, stored.latents[5], atol=1e-5)
    assert stored.nearest(stored.lr[5], 3)[0] == 5


def test_sample_k_does_not_depend_on_how_many_there_are(stored):
    lr = stored.lr[3].view(3, 4, 4)
    assert torch.equal(starts(ConditionedLatents, lr, 5)[:2], starts(ConditionedLatents, lr, 2))
    assert not torch.equal(starts(ConditionedLatents, lr, 2), starts(ConditionedLatents, lr, 2, seed=1))


def test_spread_starts_are_centred_and_farther_apart(stored):
    lr = stored.lr[3].view(3, 4, 4)
    spread, random = starts(SpreadConditionedLatents, lr), starts(ConditionedLatents, lr)
    assert torch.allclose(spread.mean(dim=0)[0], stored.estimate(lr.flatten()), atol=1e-4)
    distance = [torch.pdist(latents.flatten(1)).min() for latents in (spread, random)]
    assert distance[0] > distance[1]
    narrow = starts(SpreadConditionedLatents, lr, temperature=0.0)
    assert torch.allclose(narrow[0], narrow[3]) and torch.allclose(narrow[0], spread.mean(dim=0), atol=1e-4)


def test_conditioned_starts_fit_better_than_draws_of_the_prior(stored):
    generator, lr = tiny_generator(), stored.lr[3].view(3, 4, 4)
    space = Gaussian(generator)
    conditioned = space.to_w_plus(starts(ConditionedLatents, lr, 16))
    prior = stored.to_w_plus(stored.latents[20:36], generator.num_ws)
    error = [(DEGRADATION(generator.synthesis(w_plus)) - lr).square().mean() for w_plus in (conditioned, prior)]
    assert error[0] < error[1] / 2


@pytest.mark.parametrize(
    ("numbers", "message"),
    [((10, 11, 1.0), "nearest=11"), ((10, 0, 1.0), "nearest=0"), ((10, 5, -1.0), "temperature=-1")],
)
def test_numbers_out_of_range_are_refused(numbers, message):
    with pytest.raises(UserError, match=message):
        ConditionedLatents(*numbers)


def test_operators_of_one_name_do_not_share_a_bank(tmp_path):
    masks = []
    for number in range(2):
        picture = Image.new("L", (16, 16))
        picture.paste(255, (0, 0, 8, 8) if number else (8, 8, 16, 16))
        picture.save(tmp_path / f"{number}.png")
        masks.append(Inpainting(str(tmp_path / f"{number}.png")))
    first, second = (bank(tiny_generator(), mask, 20) for mask in masks)
    assert masks[0].name == masks[1].name and not torch.equal(first.lr, second.lr)
    assert len(list(tmp_path.glob("bank-*"))) == 2
    kept = ConditionedLatents(draws=20, nearest=5, temperature=1.0)
    banks = [kept._bank(tiny_generator(), mask).lr for mask in masks]
    assert torch.equal(banks[0], first.lr) and torch.equal(banks[1], second.lr)


@pytest.mark.parametrize(("side", "kept"), [(16, 16), (32, 32), (33, 17), (64, 32), (128, 32), (100, 25)])
def test_large_pictures_are_stored_smaller(side, kept):
    pictures = torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(0))
    small = stored_numbers(pictures)
    assert small.shape == (5, 3 * kept * kept) and torch.allclose(small[2], stored_numbers(pictures[2]))
    if side % kept == 0:
        assert torch.allclose(small, Area(side // kept)(pictures).flatten(1), atol=1e-6)


def test_a_bank_of_another_size_is_drawn_again(stored, tmp_path):
    [file] = tmp_path.glob("bank-*")
    save_file({"lr": torch.zeros(DRAWS, 12, dtype=torch.uint8)}, file)
    assert torch.equal(bank(tiny_generator(), DEGRADATION, DRAWS).lr, stored.lr)


def test_starts_lie_around_the_parent_and_at_it_without_a_temperature():
    generator = tiny_generator()
    space, rng = Gaussian(generator), torch.Generator().manual_seed(5)
    latent = torch.randn(generator.num_ws, generator.w_dim, generator=rng)  # another one for each layer
    lr = torch.rand(3, 4, 4, generator=rng)

    def around(temperature):
        chosen = AroundParent(space.to_w_plus(latent), draws=DRAWS, nearest=60, temperature=temperature)
        return chosen.draw(space, DEGRADATION, lr, 0, "r", 4)["latent"]

    assert torch.allclose(around(0.0), latent.expand(4, -1, -1), atol=1e-4)
    near, far = around(0.5), around(1.0)
    assert torch.allclose(far.mean(dim=0), latent, atol=1e-4)
    moves = far - latent
    assert torch.allclose(moves, moves[:, :1].expand_as(moves), atol=1e-3)  # the same in all layers
    assert torch.allclose(near - latent, moves / 2, atol=1e-3)
    free = starts(SpreadConditionedLatents, lr)  # the same residuals, around E(y)
    assert torch.allclose(moves, free - free.mean(dim=0), atol=1e-3)
