"""The report's Table I: its configuration, and small runs with a random 32 x 32 generator."""

import json

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from scripts import scripts
from tiny_run import GENERATOR, overrides

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.metrics import lpips as module
from multimodal_pulse.metrics.lpips import Lpips
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.pictures.redraw import render_folder
from multimodal_pulse.run.build import renderer_loader

TINY = ["experiment=table1", *overrides(GENERATOR), "steps=2", "tracking=none"]
PORTRAITS = [*TINY, "references=portraits", "references.limit=2"]
WITHOUT_LPIPS = ["metrics.lpips_net=null", "metrics.lpips_required=false"]

[table] = scripts("table1", "table")


def test_the_settings_are_those_of_the_report():
    cfg, job = compose_job(["experiment=table1", "references.path=there"], "unused")
    assert (job.choices["references"], job.choices["generator"], job.choices["method"]) == (
        "celeba_hq", "ffhq256", "report",
    )  # fmt: skip
    assert (cfg.references.split.value, cfg.references.limit, cfg.references.expected.test) == ("test", None, 2824)
    assert (cfg.num_samples, cfg.steps, cfg.degradation.factor) == (4, 200, 8)
    assert (job.choices["optimizer"], cfg.optimizer.lr, job.choices["schedule"]) == ("ranger21", 0.4, "none")
    weights = (cfg.objective.l2_weight, cfg.objective.geodesic_weight, cfg.objective.diversity_weight)
    assert weights == (405, 0.058, 0.02)
    assert (cfg.lr_noise.std, cfg.synthesis_noise.std, cfg.synthesis_noise.resolutions) == (0.108, 0.02, None)
    assert (cfg.metrics.lpips_required, cfg.metrics.lpips_verify) == (True, True)


def test_the_program_differs_from_the_report_where_the_readme_says_so():
    report, _ = compose_job(["experiment=table1", "references.path=there"], "unused")
    program, job = compose_job(["experiment=table1_program", "references.path=there"], "unused")
    chosen = {
        "degradation": "plain_bicubic", "latent_space": "flat_sphere", "lr_noise": "shared",
        "synthesis_noise": "shared", "batch_diversity": "averaged",
        "optimizer": "ranger21_of_batch", "keep": "lowest_sum",
    }  # fmt: skip
    assert {slot: job.choices[slot] for slot in chosen} == chosen
    assert (report.objective.eps, program.objective.eps) == (0, 2e-3)
    keep = program.keep
    assert (keep.l2_weight, keep.geodesic_weight, keep.eps) == (405, 0.058, 2e-3)
    assert (program.optimizer.lr, program.optimizer.weight_decay) == (0.4, 1e-4)
    same = [slot for slot in program if slot not in {*chosen, "objective"}]
    assert OmegaConf.masked_copy(program, same) == OmegaConf.masked_copy(report, same)


def test_other_references_generators_and_methods_are_chosen_on_the_command_line():
    small = ["experiment=table1", "references=portraits", "generator=portraits", "references.limit=8", "method=pulse"]
    cfg, job = compose_job(small, "unused")
    assert (job.choices["references"], job.choices["generator"], cfg.references.limit) == ("portraits", "portraits", 8)
    assert (cfg.method, cfg.num_samples, cfg.steps) == ("pulse", 1, 100)  # what PULSE brings along


def test_without_lpips_nothing_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="LPIPS .alex. is required: .*metrics.lpips_required=false"):
        run_overrides([*PORTRAITS, "metrics.lpips_download_seconds=0"], tmp_path / "run")
    with pytest.raises(UserError, match="metrics.lpips_net=null, but metrics.lpips_required=true"):
        run_overrides([*PORTRAITS, "metrics.lpips_net=null"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unverified_backbone_is_refused_before_anything_begins(tmp_path, monkeypatch):
    unverified = Lpips.__new__(Lpips)
    unverified.net, unverified.sha256, unverified.verified = "alex", "0" * 64, False
    monkeypatch.setattr(module, "load_lpips", lambda *_: unverified)
    with pytest.raises(UserError, match="sha256 00000000.* metrics.lpips_verify=false"):
        run_overrides(PORTRAITS, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_table_has_the_report_and_the_run(tmp_path, capsys):
    run_overrides([*PORTRAITS, *WITHOUT_LPIPS], tmp_path / "run")
    table.main([str(tmp_path / "run")])
    said = capsys.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    psnr, ssim = metrics["psnr"], metrics["ssim"]
    assert "| the report | 18.28 ± 1.65 dB | 49.61 ± 8.41 % | 37.32 ± 8.03 % |\n" in said
    ours = f"{psnr['mean']:.2f} ± {psnr['std']:.2f} dB | {100 * ssim['mean']:.2f} ± {100 * ssim['std']:.2f} % | - |\n"
    assert f"| `{tmp_path / 'run'}` | {ours}" in said
    assert "over 2 images: all 4 samples of each, averaged first; LPIPS: none." in said


def test_the_programs_readings_run_and_their_pictures_are_drawn_again_from_the_records(tmp_path):
    arguments = ["experiment=table1_program", *PORTRAITS[1:], *WITHOUT_LPIPS]
    found = run_overrides(arguments, tmp_path / "run")
    for entry in found.entries:
        folder = tmp_path / "run" / "references" / entry["reference"]
        render_folder(folder, renderer_loader(), tmp_path / entry["reference"])
        for sample in range(4):
            again, saved = (load_rgb(of / f"sr_{sample:02d}.png") for of in (tmp_path / entry["reference"], folder))
            assert torch.equal(again, saved)


def test_a_run_without_scores_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match="metrics.json is missing"):
        table.main([str(tmp_path)])


def test_a_small_release_of_celeba_hq_runs(tmp_path):
    """Three images, whose numbers are not those of their originals: two of the originals are in the test partition."""
    release = tmp_path / "CelebAMask-HQ"
    (release / "CelebA-HQ-img").mkdir(parents=True)
    for index in range(3):
        pixels = torch.randint(256, (40, 40, 3), generator=torch.Generator().manual_seed(index), dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(release / "CelebA-HQ-img" / f"{index}.jpg")
    originals = ["000003.jpg", "000001.jpg", "000002.jpg"]
    rows = [f"{index} {int(name[:6]) - 1} {name}" for index, name in enumerate(originals)]
    (release / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(["idx orig_idx orig_file", *rows]) + "\n")
    (release / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n000003.jpg 2\n")
    arguments = [*TINY, *WITHOUT_LPIPS, f"references.path={release}", "references.expected=null"]
    found = run_overrides(arguments, tmp_path / "run")
    assert [entry["reference"].lstrip("0") or "0" for entry in found.entries] == ["0", "2"]
    assert found.metrics["num_records"] == 8


TABLE1 = {
    "num_references": 2824,
    "num_samples": 4,
    "psnr": {"mean": 18.2849, "std": 1.65},
    "ssim": {"mean": 0.4961, "std": 0.08412},
    "lpips": {"mean": 0.3732, "std": 0.0803},
    "status": {"ok": 11296, "loose": 0, "failed": 0},
}


def test_the_table_has_a_row_for_each_run():
    unmeasured = TABLE1 | {"lpips": {"mean": None, "std": None}}
    assert table.markdown({"combined": TABLE1, "pulse": unmeasured}).splitlines() == [
        "|  | PSNR | SSIM | LPIPS |",
        "| --- | --- | --- | --- |",
        "| combined | 18.28 ± 1.65 dB | 49.61 ± 8.41 % | 37.32 ± 8.03 % |",
        "| pulse | 18.28 ± 1.65 dB | 49.61 ± 8.41 % | - |",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "2824 images: all 4 samples of each, averaged first"),
        ({"num_scored": 2820}, "2820 images: all 4 samples of each, averaged first"),
        ({"num_samples": 1, "num_scored": 1}, "1 image: the one sample of each"),
        ({"status": {"failed": 3}}, "2824 images: all 4 samples of each, averaged first, but for 3 that failed"),
    ],
)
def test_what_enters_table_1_is_stated(changes, said):
    assert table.samples(TABLE1 | changes) == f"mean ± standard deviation over {said}"
