"""The site that `make docs` builds: strictly, without anything from elsewhere, with every option and public name."""

import json
import os
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from places import ROOT

import multimodal_pulse
from multimodal_pulse.configuration.option_files import all_keys, options, slots


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site of this checkout; a link or anchor that leads nowhere ends its build."""
    pytest.importorskip("material", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class Fetched(HTMLParser):
    """The addresses that a browser fetches by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag != "a":
            self.addresses += [str(given[name]) for name in ("src", "href", "data", "srcset") if given.get(name)]


def test_a_browser_fetches_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for path in pages:
        page = Fetched()
        page.feed(path.read_text(encoding="utf-8"))
        assert page.addresses and not [a for a in page.addresses if "//" in a and not a.startswith("data:")], path
    for path in site.rglob("*.css"):
        assert "url(http" not in path.read_text(encoding="utf-8") and "@import" not in path.read_text(encoding="utf-8")


def test_every_option_and_key_is_in_the_reference(site):
    page = unescape((site / "reference" / "options.html").read_text(encoding="utf-8"))
    for slot in slots():
        for option in options(slot):
            assert f'id="{slot}-{option}"' in page
    for key in all_keys().keys() - slots().keys():
        assert f"<code>{key}</code>" in page, key


def test_the_public_python_is_in_the_reference(site):
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in set(multimodal_pulse.__all__) - {"__version__"}:
        assert f'id="multimodal_pulse.interface.api.{name}"' in page


def test_the_search_knows_the_pages(site):
    found = {entry["location"] for entry in json.loads((site / "search" / "search_index.json").read_text())["docs"]}
    assert {"index.html", "tutorial.html", "reference/options.html", "experiments/methods/index.html"} <= found
