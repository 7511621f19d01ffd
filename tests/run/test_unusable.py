"""An evaluation in which some pictures cannot be used."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_run import contents, read, sweep_rows


@pytest.fixture
def release(tmp_path) -> Path:
    """CelebAMask-HQ with five test images of 32 x 32."""
    folder = tmp_path / "release"
    (folder / "CelebA-HQ-img").mkdir(parents=True)
    rows = ["idx orig_idx orig_file"] + [f"{idx} {idx + 9} {idx + 10:06d}.jpg" for idx in range(5)]
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(rows), encoding="utf-8")
    codes = "".join(f"{number:06d}.jpg 2\n" for number in range(1, 20))
    (folder / "list_eval_partition.txt").write_text(codes, encoding="utf-8")
    repair(folder, *range(5))
    return folder


def repair(release: Path, *numbers: int) -> None:
    """Writes these images whole."""
    for idx in numbers:
        pixels = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(idx)).mul(255).byte().numpy()
        Image.fromarray(pixels).save(release / "CelebA-HQ-img" / f"{idx}.jpg", quality=95)


def cut(release: Path, *numbers: int) -> None:
    """Cuts these images short."""
    for idx in numbers:
        path = release / "CelebA-HQ-img" / f"{idx}.jpg"
        path.write_bytes(path.read_bytes()[:-200])


def test_what_cannot_be_used_is_named_and_left_out_until_it_is_repaired(command, release, tmp_path):
    run_dir = tmp_path / "run"
    arguments = (
        "references=celeba_hq", f"references.path={release}", "references.expected=null", "num_samples=1",
        "trainer.references_per_group=2", f"hydra.run.dir={run_dir}",
    )  # fmt: skip
    cut(release, 1, 2)
    status, said, errors = command(*arguments)
    assert status == 1 and "mean of 3" in said
    assert errors.index("note: 2 references cannot be used and are left out:") < errors.index("3/3 references")
    last = errors.splitlines()[-1]
    assert last.startswith("multimodal-pulse: 2 references could not be used (00001, 00002): ")
    metrics = read(run_dir / "metrics.json")
    assert metrics["num_references"] == 3
    assert {name: "jpg" in reason for name, reason in metrics["unusable"].items()} == {"00001": True, "00002": True}
    assert read(run_dir / "plan.json")["groups"] == [[0, 1], [2, 3], [4]]
    groups = {path.parent.name: read(path)["group"] for path in (run_dir / "references").glob("*/record.json")}
    assert groups == {"00000": ["00000"], "00003": ["00003"], "00004": ["00004"]}

    before = contents(run_dir / "references")
    status, _, errors = command(*arguments)
    assert status == 1 and "everything else was finished already; nothing to do" in errors
    assert contents(run_dir / "references") == before

    repair(release, 1)
    cut(release, 0)  # finished, and not missed
    status, _, errors = command(*arguments)
    assert status == 1 and "(00002)" in errors.splitlines()[-1]
    assert list(read(run_dir / "metrics.json")["unusable"]) == ["00002"]
    assert read(run_dir / "references" / "00001" / "record.json")["group"] == ["00001"]

    repair(release, 0, 2)
    status, _, errors = command(*arguments)
    assert status == 0, errors
    assert read(run_dir / "metrics.json")["unusable"] == {}
    assert read(run_dir / "references" / "00002" / "record.json")["group"] == ["00002", "00003"]
    after = contents(run_dir / "references")
    assert all(after[name] == before[name] for name in before)


def test_a_sweep_goes_on_after_a_run_with_a_reference_that_cannot_be_used(command, release, tmp_path):
    cut(release, 3)
    status, said, errors = command(
        "-m", "seed=0,1", "references=celeba_hq", f"references.path={release}", "references.expected=null",
        "method=bicubic", f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )  # fmt: skip
    assert status == 1 and errors.count("1 reference could not be used (00003)") == 2
    assert "Traceback" not in errors
    rows = sweep_rows(tmp_path / "sweep")
    assert all(float(row["psnr"]) > 0 and "could not be used" in row["error"] for row in rows)
    assert [line.split()[:2] for line in said.splitlines()[-5:-2]][1:] == [["0", "seed=0"], ["1", "seed=1"]]
