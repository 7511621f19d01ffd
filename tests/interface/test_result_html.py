"""What a notebook shows of a result."""

import base64
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.interface.api import Result
from multimodal_pulse.metrics.evaluation import status_of
from multimodal_pulse.references.pixels import from_pil, quantise

VOID = {"img", "br"}


class Page(HTMLParser):
    """The pictures and the text of a page, of which every element must be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.addresses += [given[name] for name in ("src", "href", "srcset", "data", "action") if name in given]
        if tag == "img":
            self.images.append(given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def pixels(address: str) -> Tensor:
    """The picture in a data address, [3, H, W] in [0, 1]."""
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    return from_pil(Image.open(BytesIO(base64.b64decode(content, validate=True))))


@pytest.fixture
def result() -> Result:
    rng = torch.Generator().manual_seed(0)
    images, lr = quantise(torch.rand(3, 3, 32, 32, generator=rng)), quantise(torch.rand(3, 8, 8, generator=rng))
    lr_psnr = [78.66, 26.99, 27.0]
    records = [
        {"sample": sample, "lr_psnr": value, "status": status_of(value, 27.0)} for sample, value in enumerate(lr_psnr)
    ]
    return Result(images, lr, lr_psnr, diversity=104.27, records=records, folder=Path("run", "references", "ada"))


def test_the_reference_the_samples_and_where_they_differ_are_shown_with_their_pixels(result):
    page = Page(result._repr_html_())
    assert [image["alt"] for image in page.images] == [
        "Reference, 8 x 8", "Sample 0", "Sample 1", "Sample 2", "Where the 3 samples differ",
    ]  # fmt: skip
    shown = [pixels(str(image["src"])) for image in page.images]
    assert torch.equal(shown[0], result.lr)
    assert torch.equal(torch.stack(shown[1:4]), result.images)
    spread = (result.images.double().var(dim=0, unbiased=True).mean(dim=0)).sqrt()
    darkest, brightest = spread.flatten().argmin(), spread.flatten().argmax()
    lightness = shown[4].sum(dim=0).flatten()
    assert lightness[darkest] < lightness[brightest]


def test_its_numbers_are_those_of_the_result(result):
    text = Page(result._repr_html_()).text
    assert "ada: 3 samples; on average two of them differ by 104.3 of 255 grey levels" in text
    assert "faithful, 78.6 dB" in text and "not faithful, 26.9 dB" in text and "LR-PSNR: faithful, 27.0 dB" in text


@pytest.mark.parametrize(("apart", "end"), [(4, 8), (40, 32), (400, 128)])  # two samples: a deviation of 0.71 of it
def test_the_scale_of_the_spread_is_said(result, apart, end):
    images = torch.stack([torch.zeros(3, 32, 32), torch.full((3, 32, 32), min(1.0, apart / 255))])
    text = Page(replace(result, images=images, records=result.records[:2])._repr_html_()).text
    assert f"black: 0, light yellow: {end} grey levels or more" in text


def test_nothing_is_asked_for_from_elsewhere(result):
    page = Page(result._repr_html_())
    assert len(page.addresses) == 5 and all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "url(" not in result._repr_html_()


def test_a_name_is_text(result):
    hostile = '<img src="http://example.org/x">&amp;"'
    page = Page(replace(result, folder=Path("run", "references").joinpath(hostile.replace("/", "_")))._repr_html_())
    assert hostile.replace("/", "_") in page.text
    assert len(page.images) == 5


def test_failed_samples_have_no_part_in_the_spread(result):
    failed = dict(result.records[1]) | {"status": "failed", "lr_psnr": None}
    two = replace(result, records=[result.records[0], failed, result.records[2]])
    page, of_two = (
        Page(two._repr_html_()),
        Page(replace(two, images=two.images[[0, 2]], records=two.records[::2])._repr_html_()),
    )
    assert "failed, no picture" in page.text
    assert page.images[-1] == of_two.images[-1] and page.images[-1]["alt"] == "Where the 2 samples differ"


def test_a_single_sample_and_other_faces_are_shown(result):
    one = replace(result, images=result.images[:1], records=result.records[:1], diversity=None)
    page = Page(one._repr_html_())
    assert [image["alt"] for image in page.images] == ["Reference, 8 x 8", "Sample 0"]
    assert "ada: 1 sample." in page.text
    assert len(Page(replace(result, others=[one, one])._repr_html_()).images) == 5 + 2 + 2
