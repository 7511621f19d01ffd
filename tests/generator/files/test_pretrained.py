"""Generators from files, held to their sha256; the official ones come from a server on this machine."""

import hashlib
from dataclasses import replace

import pytest
import torch
from file_server import FileServer, serve
from places import SHARED

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.generator import CheckpointError, load_generator
from multimodal_pulse.generator.files.pretrained import load_file, load_official
from multimodal_pulse.generator.files.weights import NETWORKS
from multimodal_pulse.run.build import build

FIXTURE = SHARED / "stylegan2" / "random32.pkl"
OPTIONS = ["ffhq256", "ffhq512", "ffhq1024"]
OTHER = "0" * 64


@pytest.fixture
def content(tmp_path, monkeypatch):
    """A server that gives a small network, for which those of the options stand; the content of its file."""
    if not FIXTURE.exists():
        pytest.skip(f"{FIXTURE.name} is not here: ../shared/stylegan2 is missing")
    content = FIXTURE.read_bytes()
    with serve(FileServer(content)) as server:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", server.address)
        monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))
        for name in OPTIONS:
            monkeypatch.setitem(NETWORKS, name, replace(NETWORKS[name], file=f"stylegan2-{name}-32x32.pkl"))
        yield content


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_pinned_file(own):
    pin = sha256(own.read_bytes())
    assert load_file(own, pin).sha256 == load_file(own, pin.upper()).sha256 == load_file(own).sha256 == pin
    with pytest.raises(UserError) as refused:
        load_file(own, OTHER)
    assert OTHER in str(refused.value) and pin in str(refused.value) and str(own) in str(refused.value)


@pytest.mark.parametrize("pin", ["", "abc", OTHER[:-1], OTHER + "0", "g" * 64])
def test_a_pin_that_is_no_sha256(own, pin):
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        load_file(own, pin)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_options_name_official_networks(option, content):
    generator = build(compose_config([f"generator={option}"]).generator)
    assert NETWORKS[option].path.read_bytes() == content
    assert generator.sha256 == sha256(content)
    expected = load_generator(FIXTURE)
    z = torch.randn(1, generator.z_dim)
    assert torch.equal(generator.synthesis(generator.mapping(z)), expected.synthesis(expected.mapping(z)))


@pytest.mark.parametrize("option", OPTIONS)
def test_they_come_with_the_reports_weights(option):
    report = compose_config(["method=report", "objective=report"]).objective
    assert compose_config([f"generator={option}", "method=report"]).objective == report


def test_an_official_network_is_held_to_its_pin(content):
    assert load_official("ffhq256", sha256(content)).resolution == 32
    with pytest.raises(UserError) as refused:
        load_official("ffhq256", OTHER)
    assert OTHER in str(refused.value) and sha256(content) in str(refused.value)


def test_a_bad_pin_is_refused_before_anything_is_fetched(content):
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        load_official("ffhq256", "abc")
    assert not NETWORKS["ffhq256"].path.exists()


@pytest.mark.parametrize("change", [lambda content: content[:-100], lambda content: content + b"more"])
def test_a_cached_file_that_has_changed_is_refused_as_such(content, change):
    load_official("ffhq256")
    path = NETWORKS["ffhq256"].path
    path.write_bytes(change(content))
    with pytest.raises(UserError, match="was recorded when it came") as refused:
        load_official("ffhq256")
    assert sha256(content) in str(refused.value) and sha256(change(content)) in str(refused.value)


def test_a_wrong_file_put_there_by_hand_can_be_replaced(content):
    path = NETWORKS["ffhq256"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(content[:1000])
    with pytest.raises(CheckpointError, match="; delete it to fetch it again$"):
        load_official("ffhq256")
    path.write_bytes(content)
    assert load_official("ffhq256").sha256 == sha256(content)


def test_a_record_of_a_file_that_is_no_network_is_named(content):
    path = NETWORKS["ffhq256"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(content[:1000])
    path.with_name(f"{path.name}.sha256").write_text(sha256(content[:1000]))
    with pytest.raises(CheckpointError, match=f"; delete it and {path.name}.sha256 to fetch it again$"):
        load_official("ffhq256")


def test_a_network_of_another_resolution_is_refused_under_an_official_name(content, monkeypatch):
    monkeypatch.setitem(NETWORKS, "ffhq256", replace(NETWORKS["ffhq256"], file="stylegan2-ffhq-256x256.pkl"))
    with pytest.raises(CheckpointError, match="pictures of 32 x 32 pixels, ffhq256 those of 256 x 256; delete it"):
        load_official("ffhq256")
    assert not list(NETWORKS["ffhq256"].path.parent.glob("*.sha256"))
