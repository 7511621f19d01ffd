"""The shipped weights, and that what is published about them was measured on them."""

import json

from places import ROOT

from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.domains.portraits.prior import WEIGHTS, load_prior

EVALUATION = ROOT / "experiments" / "prior_training" / "portraits" / "evaluation.json"


def test_the_prior_is_a_small_generator_of_128_pixels():
    prior = load_prior()
    assert (prior.resolution, prior.num_ws) == (128, 12)
    assert WEIGHTS.stat().st_size <= 12e6


def test_the_published_evaluation_is_of_the_shipped_weights():
    assert json.loads(EVALUATION.read_text(encoding="utf-8"))["weights_sha256"] == file_sha256(WEIGHTS)
