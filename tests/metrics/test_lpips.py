import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from file_server import FileServer, serve
from places import SHARED
from torch import Tensor

from multimodal_pulse.base import download as download_module
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.metrics import lpips as module
from multimodal_pulse.metrics.lpips import Lpips, NullLpips, backbone_file, build_lpips, choose_net
from multimodal_pulse.references.pixels import load_rgb

LPIPS_FILES = SHARED / "lpips"


def example(name: str) -> Tensor:
    return load_rgb(LPIPS_FILES / "examples" / f"ex_{name}.png")


@pytest.fixture
def squeeze(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> Lpips:
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    lpips = build_lpips("squeeze")
    assert isinstance(lpips, Lpips)
    return lpips


@pytest.mark.parametrize(("net", "far", "near"), [("alex", 0.7219, 0.1376), ("squeeze", 0.7110, 0.1479)])
def test_known_answers(torch_home: Path, monkeypatch: pytest.MonkeyPatch, net: str, far: float, near: float):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    distances = build_lpips(net)(torch.stack([example("p0"), example("p1")]), example("ref"))
    assert distances is not None
    assert distances.tolist() == pytest.approx([far, near], abs=6e-5)


def test_the_network_is_loaded_once(squeeze: Lpips):
    assert build_lpips("squeeze") is squeeze


def test_loading_moves_no_random_stream(torch_home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    module.load_lpips.cache_clear()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    build_lpips("squeeze")
    assert torch.equal(torch.rand(3), expected)


def test_autocast_does_not_coarsen_it(squeeze: Lpips):
    expected = squeeze(example("p0")[None], example("ref"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        distance = squeeze(example("p0")[None].bfloat16().float(), example("ref"))
        same = squeeze(example("p0")[None], example("ref"))
    assert distance is not None and expected is not None and same is not None
    assert distance.dtype == torch.float32 and torch.equal(same, expected)


def test_many_pictures_equal_one_at_a_time(squeeze: Lpips, monkeypatch: pytest.MonkeyPatch):
    pictures = torch.stack([example("p0"), example("p1"), example("ref")])
    single = torch.cat([squeeze(picture[None], example("ref")) for picture in pictures])  # type: ignore[arg-type]
    monkeypatch.setattr(module, "_PIXELS_AT_ONCE", 2 * pictures.shape[-1] * pictures.shape[-2])
    together = squeeze(pictures, example("ref"))
    assert together is not None
    torch.testing.assert_close(together, single, rtol=0, atol=1e-6)
    assert float(together[2]) == pytest.approx(0, abs=1e-9)


def test_a_picture_that_is_not_finite_gives_nan_alone(squeeze: Lpips):
    pictures = torch.stack([example("p0"), example("p1")])
    pictures[0, 0, 0, 0] = torch.nan
    distances = squeeze(pictures, example("ref"))
    assert distances is not None
    assert distances.isnan().tolist() == [True, False]
    assert float(distances[1]) == pytest.approx(0.1479, abs=6e-5)


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_the_smallest_picture_works_and_a_smaller_one_is_none_said_once(
    torch_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, net: str
):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    lpips = build_lpips(net)
    caplog.clear()
    side = module.SMALLEST[net]
    distance = lpips(torch.zeros(1, 3, side, side), torch.ones(3, side, side))
    assert distance is not None and float(distance) > 0.1
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert lpips(torch.zeros(2, 3, side - 1, 64), torch.ones(3, side - 1, 64)) is None
    assert lpips.features(torch.zeros(2, 3, side - 1, 64)).pairwise().isnan().all()
    assert len(caplog.records) == 1 and f"{side} pixels" in caplog.text


def test_an_unverified_file_is_used_with_one_warning_recorded_and_refused_on_request(
    torch_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    module.load_lpips.cache_clear()
    with caplog.at_level(logging.WARNING):
        lpips = build_lpips("squeeze")
        build_lpips("squeeze")
    sha256 = hashlib.sha256(backbone_file("squeeze").read_bytes()).hexdigest()
    assert lpips.state == {"net": "squeeze", "weights": "unverified", "sha256": sha256, "reason": None}
    assert len(caplog.records) == 1 and "unverified" in caplog.text
    with pytest.raises(UserError, match="lpips_verify=false"):
        build_lpips("squeeze", verify=True)


def test_a_file_with_the_hash_in_its_name_is_verified(
    torch_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    module.load_lpips.cache_clear()
    prefix = hashlib.sha256(backbone_file("squeeze").read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(module, "promised_prefix", lambda path: prefix)
    with caplog.at_level(logging.WARNING):
        lpips = build_lpips("squeeze", verify=True)
    assert lpips.state["weights"] == "verified" and not caplog.records
    module.load_lpips.cache_clear()


def test_a_missing_file_gives_no_number_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            lpips = build_lpips("vgg", verify=True)
    assert isinstance(lpips, NullLpips) and lpips.state["weights"] == "absent"
    assert lpips(torch.zeros(1, 3, 64, 64), torch.zeros(3, 64, 64)) is None
    [said] = [record.getMessage() for record in caplog.records]
    assert said == ("LPIPS (vgg, 528 MB) is left out: its weights could not be fetched; metrics.json says what helps.")
    assert lpips.state["reason"].startswith(
        "its weights are not at hand, and metrics.lpips_download_seconds=0 forbids to fetch https://"
    )
    assert lpips.state["reason"].endswith(
        f"vgg16-397923af.pth; put the file at {backbone_file('vgg')} or set TORCH_HOME to a folder that has it in"
        " hub/checkpoints"
    )
    assert not list(tmp_path.rglob("*.pth"))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Gives the weights of "vgg", which are none; nothing is in TORCH_HOME."""
    content = b"weights" * 1000
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with serve(FileServer(content)) as running:
        address = f"{running.address}/vgg-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        monkeypatch.setattr(module, "_address", lambda net: address)
        yield running


def left_out(caplog: pytest.LogCaptureFixture, seconds: float = 20) -> str:
    """Why the null object is there, as metrics.json has it; what is printed is a short line."""
    module._warn_once.cache_clear()
    module.load_lpips.cache_clear()
    caplog.clear()
    lpips = build_lpips("vgg", download_seconds=seconds)
    assert isinstance(lpips, NullLpips)
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith("LPIPS (vgg, 528 MB) is left out: its weights ") and len(said) < 110
    why = lpips.state["reason"]
    assert "TORCH_HOME" in why and str(backbone_file("vgg")) in why
    assert "Error" not in why and "[Errno" not in why and "\n" not in why
    return why


def test_a_missing_file_is_fetched_after_its_size_was_said(
    server: FileServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    begun: list[str] = []
    receive = download_module._receive

    def watched(*arguments):
        begun.append(capsys.readouterr().err)
        receive(*arguments)

    monkeypatch.setattr(download_module, "_receive", watched)
    module._fetch("vgg", backbone_file("vgg"), seconds=20)
    assert backbone_file("vgg").read_bytes() == server.content
    assert begun == ["fetching the weights of LPIPS (vgg), 528 MB\n"]
    backbone_file("vgg").unlink()
    module._fetch("squeeze", backbone_file("squeeze"), seconds=20)
    assert begun[1].endswith(
        "fetching the weights of LPIPS (squeeze), 5 MB; metrics.lpips_net=alex fetches what this project's tables use,"
        " 233 MB\n"
    )


@pytest.mark.parametrize(
    ("there", "chosen", "said"),
    [
        ((), "squeeze", ""),
        (("alex",), "alex", ""),
        (("alex", "squeeze"), "alex", ""),
        (("squeeze",), "squeeze", "note: LPIPS uses squeeze; metrics.lpips_net=alex fetches what this project's"),
    ],
)
def test_auto_takes_alex_where_it_is_and_else_the_smallest(there, chosen, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for net in there:
        backbone_file(net).parent.mkdir(parents=True, exist_ok=True)
        backbone_file(net).touch()
    assert choose_net() == chosen
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ({"statuses": [404]}, "is refused: the server answers 404 Not Found;"),
        ({"content": b"other weights"}, "gives another file than the one that was asked for: its sha256 differs;"),
        ({"content": b"<html>", "content_type": "text/html"}, "gives a web page (a quota, a login) in place of"),
        ({"stall": True, "break_after": [3000]}, "could not be fetched in 1 attempts (timed out"),
        ({"pause": 0.2}, "takes longer than 1 s; the same command goes on after"),
    ],
)
def test_a_download_that_fails_is_one_sentence_in_plain_words(
    server: FileServer, caplog: pytest.LogCaptureFixture, does: dict, why: str
):
    for name, value in does.items():
        setattr(server, name, value)
    assert f"its weights are not at hand, and {module._address('vgg')} {why}" in left_out(caplog, seconds=1)
    assert not backbone_file("vgg").exists()


def test_a_server_that_cannot_be_reached(server: FileServer, caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr(module, "_address", lambda net: "http://127.0.0.1:9/vgg-00000000.pth")
    assert "http://127.0.0.1:9/vgg-00000000.pth cannot be reached (Connection refused);" in left_out(caplog)


def test_a_folder_that_cannot_be_written(server: FileServer, caplog: pytest.LogCaptureFixture):
    backbone_file("vgg").parent.parent.write_text("")
    assert "checkpoints cannot be written (" in left_out(caplog)


def test_a_truncated_file_gives_no_number(
    torch_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    whole = backbone_file("squeeze").read_bytes()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    backbone_file("squeeze").parent.mkdir(parents=True)
    backbone_file("squeeze").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        assert isinstance(build_lpips("squeeze"), NullLpips)
    [said] = [record.getMessage() for record in caplog.records]
    assert "the file of its weights is damaged;" in said and len(said) < 110
    why = build_lpips("squeeze").state["reason"]
    assert "the file of its weights is damaged (" in why and str(backbone_file("squeeze")) in why
    assert "\n" not in why and len(why) < 600


def test_a_run_that_requires_it_is_refused_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match="required: its weights .* metrics.lpips_required=false"):
        build_lpips("vgg", required=True)
    with pytest.raises(UserError, match="lpips_net=null, but metrics.lpips_required=true"):
        build_lpips(None, required=True)
    assert not caplog.records  # nothing is left out: the run does not start


def test_one_that_is_required_and_there_is_used(torch_home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    assert isinstance(build_lpips("squeeze", required=True), Lpips)


def test_no_lpips_and_unknown_networks():
    assert build_lpips(None)(torch.zeros(1, 3, 64, 64), torch.zeros(3, 64, 64)) is None
    with pytest.raises(UserError, match="alex, squeeze, vgg"):
        build_lpips("resnet")
