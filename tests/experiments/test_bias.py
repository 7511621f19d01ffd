"""The bias report: its estimates against independent computations, what the traits are, and the committed files."""

import csv

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from scipy.stats import binomtest
from scripts import scripts

from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.domains.portraits.factors import FACTORS, sample_factors, split_seeds
from multimodal_pulse.domains.portraits.renderer import render

FOLDER = ROOT / "experiments" / "bias"
traits, reader, readings, shares, bias, bias_plot = scripts(
    "bias", "traits", "reader", "readings", "shares", "bias", "bias_plot"
)


# --- estimates ---------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 40), st.integers(1, 40))
def test_with_one_sample_the_interval_is_wilsons(successes, failures):
    values = np.array([1.0] * successes + [0.0] * failures)
    found = shares.share(values, most=len(values))
    expected = binomtest(successes, len(values)).proportion_ci(method="wilson")
    assert found.value == pytest.approx(successes / len(values))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_samples_that_agree_count_as_one_and_independent_ones_as_many():
    rng = np.random.default_rng(0)
    alike = np.repeat(rng.random(50) < 0.4, 4).reshape(50, 4).mean(axis=1)
    independent = (rng.random((50, 4)) < 0.4).mean(axis=1)
    wide, narrow = (shares.share(values, most=200) for values in (alike, independent))
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(2, rel=0.2)
    nothing = shares.share(np.zeros(30), most=120)
    assert nothing.low == 0 and nothing.high == pytest.approx(binomtest(0, 30).proportion_ci(method="wilson").high)


def test_the_interval_covers_the_share_of_a_population_of_references():
    """References differ (a beta distribution), and each has four samples."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        values = rng.binomial(4, rng.beta(0.6, 1.4, size=40)) / 4
        found = shares.share(values, most=160)
        covered += found.low <= 0.3 <= found.high
    assert 0.93 <= covered / 1000 <= 0.98


def test_samples_that_are_misread_at_random_are_right_on_the_average():
    confusion = np.array([[80, 20, 0], [5, 90, 5], [0, 30, 70]])
    rows = confusion / confusion.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    truth = np.array([0, 0, 1, 2])
    read = np.array([[rng.choice(3, p=rows[true]) for true in truth] for _ in range(4000)])
    plain = np.bincount(read.ravel(), minlength=3) / read.size
    assert abs(plain[1] - 0.25) > 0.1
    found = shares.corrected(read, confusion)
    assert found.mean(axis=0) == pytest.approx([0.5, 0.25, 0.25], abs=0.02)
    assert found.sum(axis=1) == pytest.approx(np.ones(4000))


def test_the_bootstrap_is_about_as_wide_as_the_normal_interval():
    values = np.random.default_rng(0).normal(0.2, 1.0, size=100)
    found = shares.mean(values)
    half = 1.96 * values.std(ddof=1) / 10
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def certain(size: int) -> dict[str, np.ndarray]:
    """The confusions of a reader without mistakes."""
    return {read: 1000 * np.eye(size, dtype=int) for read in ("pictures", "projected", "lr")}


def synthetic(sample: str, references: int = 400) -> dict:
    """Readings of all traits by a reader without mistakes; `sample` says how samples come about.

    The last class of a trait has a probability of 0.05, 0.5 or 0.95 given the LR picture.
    """
    rng = np.random.default_rng(0)
    found = {}
    for trait in traits.TRAITS:
        size = len(trait.classes)
        last = rng.choice([0.05, 0.5, 0.95], size=references)
        posterior = np.column_stack([np.outer(1 - last, np.ones(size - 1)) / (size - 1), last])
        draws = np.array([rng.choice(size, size=5, p=row) for row in posterior])
        known, samples = draws[:, 0], draws[:, 1:]
        if sample == "most probable":
            samples = np.repeat(posterior.argmax(axis=1)[:, None], 4, axis=1)
        found[trait.name] = readings.Readings(certain(size), known, known, posterior, {"method": samples})
    return found


def test_posterior_samples_have_conditional_proportional_representation():
    for row in shares.rows(synthetic("posterior")):
        if not row.given.startswith("reference"):
            assert row.difference.value == pytest.approx(0, abs=0.08)
        assert row.share.value == pytest.approx(row.read)


def test_the_most_probable_class_alone_is_found_out():
    rows = [row for row in shares.rows(synthetic("most probable")) if row.name == "glasses"]
    by_given = {row.given: row for row in rows}
    assert by_given["LR picture: open"].share.value in (0, 1)
    assert by_given["LR picture: open"].expected == pytest.approx(0.5)
    likely = by_given["LR picture: likely"]
    assert likely.share.value == 1 and likely.difference.low == pytest.approx(0.05)
    groups = [by_given[f"LR picture: {group}"].references for group in shares.GROUPS]
    of_classes = [by_given[f"reference: {name}"].references for name in ("no glasses", "glasses")]
    assert sum(groups) == sum(of_classes) == by_given["all"].references == 400


def test_of_references_of_a_class_the_samples_are_counted():
    known, samples = np.array([1, 1, 0, 0]), np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]])
    read = readings.Readings(certain(2), known, known, np.eye(2)[known], {"explore": samples})
    blank = {trait.name: read for trait in traits.TRAITS if len(trait.classes) == 2}
    others = {trait.name: synthetic("posterior", 8)[trait.name] for trait in traits.TRAITS if len(trait.classes) == 3}
    rows = {row.given: row for row in shares.rows(blank | others) if row.name == "glasses"}
    assert rows["reference: glasses"].share.value == pytest.approx(6 / 8)
    assert rows["reference: no glasses"].share.value == pytest.approx(1 / 8)
    assert (rows["all"].expected, rows["all"].share.value) == pytest.approx((1 / 2, 7 / 16))
    assert rows["all"].difference.value == pytest.approx(7 / 16 - 1 / 2)


# --- traits and readers ------------------------------------------------------------------------------------------


def test_traits_are_those_that_one_sees():
    """A portrait with a trait and its twin without it differ where the trait is drawn."""
    column = {factor.name: index for index, factor in enumerate(FACTORS)}
    plain = sample_factors([3])
    plain[0, column["glasses"]], plain[0, column["presentation"]], plain[0, column["beard"]] = 0.5, 0.1, 0.9
    for factor, value, trait, box in (
        ("glasses", 0.9, "glasses", (slice(50, 75), slice(30, 98))),
        ("beard", 0.1, "beard", (slice(75, 118), slice(30, 98))),
    ):
        changed = plain.clone()
        changed[0, column[factor]] = value
        index = [of.name for of in traits.TRAITS].index(trait)
        assert traits.classes_of(torch.cat([plain, changed]))[:, index].tolist() == [0, 1]
        before, after = render(plain, [0]), render(changed, [0])
        rows, columns = box
        assert (before - after).abs()[0, :, rows, columns].mean() > 0.01
    classes = traits.classes_of(sample_factors(split_seeds("train", 3000)))
    glasses, beard, dark = (classes[:, 0] == 1), (classes[:, 1] == 1), (classes[:, 2] == 2)
    assert [share.float().mean().item() for share in (glasses, beard, dark)] == pytest.approx(
        [0.23, 0.15, 1 / 3], abs=0.03
    )


def test_a_twin_differs_in_wearing_glasses_alone():
    factors = sample_factors(split_seeds("train", 300))
    twins = reader.with_or_without_glasses(factors)
    own, others = traits.classes_of(factors), traits.classes_of(twins)
    assert torch.equal(others[:, 0], 1 - own[:, 0]) and torch.equal(others[:, 1:], own[:, 1:])
    column = [factor.name for factor in FACTORS].index("glasses")
    assert ((twins != factors).sum(dim=0) > 0).nonzero().flatten().tolist() == [column]
    assert twins.min() >= 0 and twins.max() <= 1
    assert torch.allclose(reader.with_or_without_glasses(twins), factors, atol=1e-5)


def test_every_second_picture_has_the_lr_pixels_of_its_twin_and_the_lr_view_none():
    shown = reader.portraits("train", 4, 0)
    seeds = split_seeds("train", 4)
    drawn = render(sample_factors(seeds), seeds)
    twins = render(reader.with_or_without_glasses(sample_factors(seeds)), seeds)
    plain = F.avg_pool2d(drawn, 2)
    away = (shown.seen["pictures"] / 255 - plain).abs().flatten(1).max(dim=1).values
    assert shown.projected.tolist() == [False, True, False, True]
    assert (away[[0, 2]] <= 0.5 / 255 + 1e-6).all() and (away[[1, 3]] > 0.02).all()
    mean_lr = F.avg_pool2d(shown.seen["pictures"] / 255, 4) - F.avg_pool2d(twins, 8)  # nearly A, and easier to see
    assert mean_lr[[1, 3]].abs().mean() < 0.3 * F.avg_pool2d(drawn - twins, 8)[[1, 3]].abs().mean()
    assert torch.equal(shown.seen["lr"], reader.in_8_bits(Bicubic(8)(drawn)))


@pytest.mark.parametrize("view", ["pictures", "lr"])
def test_a_reader_learns_to_read(view):
    """A few hundred portraits teach skin tone, the easiest trait, and leave chance far behind."""
    shown, others = reader.portraits("train", 400, 0), reader.portraits("validation", 200, 0)
    assert shown.seen[view].shape[-1] == reader.SIDES[view] and shown.seen[view].dtype == torch.uint8
    trained = reader.train(shown.seen[view], shown.classes, epochs=6, softening=view == "pictures")
    probabilities = reader.probabilities(trained, others.seen[view])
    assert [list(of.shape) for of in probabilities] == [[200, len(trait.classes)] for trait in traits.TRAITS]
    assert all(torch.allclose(of.sum(dim=1), torch.ones(200)) for of in probabilities)
    right = (probabilities[2].argmax(dim=1) == others.classes[:, 2]).float().mean()
    assert right > 0.6  # a third by chance


# --- the committed files -----------------------------------------------------------------------------------------


def test_bias_csv_is_what_the_readings_give(tmp_path):
    for name in ("confusion", "references", "samples"):
        (tmp_path / f"{name}.csv").write_bytes((FOLDER / f"{name}.csv").read_bytes())
    bias.main(["--computed", "--out", str(tmp_path)])
    assert (tmp_path / "bias.csv").read_text() == (FOLDER / "bias.csv").read_text()
    assert (tmp_path / "bias.png").stat().st_size > 10_000


def test_the_committed_readings_are_complete_and_their_references_have_the_known_classes():
    read = readings.read_back(FOLDER)
    known = traits.classes_of(sample_factors(split_seeds("test", bias.PORTRAITS))).T
    for trait, of_trait in zip(traits.TRAITS, known, strict=True):
        found = read[trait.name]
        assert found.known.tolist() == of_trait.tolist()
        assert set(found.samples) == set(readings.METHODS)
        assert all(of.shape == (bias.PORTRAITS, readings.NUM_SAMPLES) for of in found.samples.values())
        assert found.posterior.sum(axis=1) == pytest.approx(np.ones(bias.PORTRAITS), abs=1e-3)
        assert found.confusion.sum() == found.confusions["lr"].sum() == reader.HELD_OUT
        assert min(shares.accuracy(counts) for counts in found.confusions.values()) > 0.9


def test_the_readme_has_the_table_of_the_committed_files():
    read = readings.read_back(FOLDER)
    assert bias.table(list(shares.rows(read)), read) in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_a_row_of_the_csv_has_every_column():
    with (FOLDER / "bias.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == bias.COLUMNS and {len(line) for line in lines} == {len(bias.COLUMNS)}
