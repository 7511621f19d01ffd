"""The shipped prior of faces: its card is of this file, and what belongs to it lies beside it."""

import json
from pathlib import Path

import torch

from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.diversity.bank import estimate_file
from multimodal_pulse.domains.faces import load_prior
from multimodal_pulse.domains.faces.prior import DOMAIN, RESOLUTION, WEIGHTS
from multimodal_pulse.domains.real_pictures import kept_features

EVALUATION = Path(__file__).parents[3] / "experiments" / "prior_training" / "faces" / "evaluation.json"


def test_the_evaluation_is_of_the_shipped_file_and_meets_its_aims():
    found = json.loads(EVALUATION.read_text(encoding="utf-8"))
    assert found["weights_sha256"] == load_prior().sha256
    assert found["generated"]["precision"] >= 0.6 and found["generated"]["recall"] >= 0.3


def test_no_generated_face_was_nearer_to_a_training_portrait_than_the_kept_out_ones():
    nearest = json.loads(EVALUATION.read_text(encoding="utf-8"))["nearest"]
    assert nearest["generated_nearer_than_all_kept_out"] == 0
    for quantile, distance in nearest["generated"].items():
        assert distance >= nearest["kept_out"][quantile], quantile


def test_a_first_run_need_not_wait_for_what_was_computed_from_the_weights():
    generator, degradation = load_prior(), Bicubic(8)
    beside = {path.name for path in WEIGHTS.parent.glob("*.safetensors")}
    assert {name.split("-")[0] for name in beside if generator.sha256[:16] in name} == {"bank", "estimate", "w"}
    assert estimate_file(generator, degradation) in beside


def test_its_pictures_are_faces_of_the_resolution_that_realism_knows():
    generator = load_prior()
    assert (generator.domain, generator.resolution) == (DOMAIN, RESOLUTION)
    assert kept_features(DOMAIN, RESOLUTION).shape == (404, 512)
    assert kept_features(DOMAIN, 256) is None and kept_features("photographs/cats", RESOLUTION) is None
    z = torch.randn(2, generator.z_dim, generator=torch.Generator().manual_seed(0))
    images = generator.synthesis(generator.mapping(z), None)
    assert images.shape == (2, 3, RESOLUTION, RESOLUTION) and images.std() > 0.1
