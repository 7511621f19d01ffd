"""The page itself, driven in Chromium as a person would.

MULTIMODAL_PULSE_SCREENSHOTS=<folder> keeps what it looks like.
"""

import io
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from tiny_run import run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: it drives the page")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: it checks the page")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")
SECONDS = 240_000
"""How long the page may take, in milliseconds, on a machine with much else to do."""
expect = playwright.expect
expect.set_options(timeout=SECONDS)
SCREENSHOTS = os.environ.get("MULTIMODAL_PULSE_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, studio):
    """The page, in a browser that has not been there before; what it asks elsewhere, or complains of, is an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(SECONDS)
    opened = context.new_page()
    troubles: list[str] = []
    # A refusal, whose sentence the page shows, is an error to the console too.
    opened.on(
        "console",
        lambda said: troubles.append(said.text) if said.type == "error" and "status of 4" not in said.text else None,
    )
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith((studio.address, "data:", "blob:")) else troubles.append(asked.url),
    )
    opened.goto(studio.address)
    opened.wait_for_selector("#portraits button")
    yield opened
    context.close()
    assert troubles == []


def keep(page, name: str) -> None:
    """Keeps a screenshot, if somebody wants them."""
    if SCREENSHOTS:
        page.eval_on_selector_all("img", "images => images.forEach(image => (image.loading = 'eager'))")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.jpg", type="jpeg", quality=80, full_page=True)


def scribble(page, board: str, points: list[tuple[float, float]]) -> None:
    """Draws a stroke through points, as shares of the board's sides."""
    page.locator(f"{board} canvas").scroll_into_view_if_needed()
    box = page.locator(f"{board} canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def take_portrait(page, number: int) -> None:
    """Takes a built-in portrait, from 1."""
    page.click(f"#portraits button:nth-child({number})")
    page.wait_for_selector("#search:not([hidden])")


def begin_long_search(page) -> None:
    """Begins a search of 900 passes, and waits for its first pictures."""
    page.fill("#num_samples", "1")
    page.fill("#steps", "900")
    page.click("#start")
    page.wait_for_selector("#live img")


def samples(page) -> list[np.ndarray]:
    """The pixels of the samples in the gallery."""
    addresses = page.eval_on_selector_all("#gallery .found", "images => images.map(image => image.src)")
    return [np.asarray(Image.open(io.BytesIO(page.request.get(address).body()))) for address in addresses]


def search(page) -> list[np.ndarray]:
    """Presses Search, watches the progress move, and returns the samples."""
    page.click("#start")
    page.wait_for_selector("#live img", state="attached")  # a short search may have ended
    expect(page.locator("#bar")).not_to_have_js_property("value", 0)
    page.wait_for_selector("#results:not([hidden])")
    page.wait_for_selector("#progress", state="hidden")
    return samples(page)


def test_from_a_portrait_to_samples_that_are_made_again_by_their_command(page, studio, tmp_path):
    page.click("#portraits button:nth-child(2)")
    page.wait_for_selector("#seen:not([hidden])")
    assert "16 × 16 pixels" in page.inner_text("#lr-words")
    found = search(page)
    assert len(found) == 4 and all(picture.shape == (128, 128, 3) for picture in found)
    assert all((one != other).any() for i, one in enumerate(found) for other in found[:i])
    assert "4 of 4 samples agree with the reference" in page.inner_text("#results-words")
    assert page.locator("#gallery .good:has-text('LR-PSNR')").count() == 4
    keep(page, "studio")

    with page.expect_download() as waiting:
        page.click("#bundle")
    with zipfile.ZipFile(waiting.value.path()) as archive:
        archive.extractall(tmp_path)
    command = (tmp_path / "command.sh").read_text().splitlines()[-1]
    words = [sys.executable, "-m", "multimodal_pulse", *shlex.split(command)[1:]]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, env=environment)
    for name in (f"sr_{k:02d}.png" for k in range(4)):
        first, again = (next((tmp_path / run_).rglob(name)) for run_ in ("run", "again"))
        assert np.array_equal(np.asarray(Image.open(first)), np.asarray(Image.open(again)))


def test_a_photograph_with_a_scribble(page, tmp_path):
    """Noise instead of a photograph: no face is found, the frame is added by hand, and moved by the keyboard."""
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    photograph = tmp_path / "photo.png"
    Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC).save(photograph)
    page.set_input_files("#file", photograph)
    page.wait_for_selector("#whole-figure:not([hidden])")
    page.click("#add-frame")
    page.wait_for_selector(".frame")
    expect(page.locator("#picture-status")).to_have_text("")
    before = page.get_attribute("#lr", "src")
    page.focus(".frame")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#lr")).not_to_have_attribute("src", before)
    page.click("#scribble-part summary")
    assert not page.is_visible("[id='noise.lr_std']")
    scribble(page, "#scribble", [(0.3, 0.5), (0.7, 0.5)])
    page.wait_for_selector("[id='noise.lr_std']")
    page.click("#scribble button:has-text('Undo')")
    page.wait_for_selector("[id='noise.lr_std']", state="detached")
    scribble(page, "#scribble", [(0.3, 0.5), (0.7, 0.5)])
    page.fill("#num_samples", "2")
    page.fill("#steps", "2")
    assert len(search(page)) == 2
    assert "lr_noise=masked" in page.inner_text("#command")
    assert page.locator("#gallery a:has-text('In the photograph')").count() == 2


def test_a_search_is_stopped_and_the_best_so_far_stays(page):
    take_portrait(page, 1)
    begin_long_search(page)
    page.click("#stop")
    page.wait_for_selector("#results:not([hidden])")
    assert "stopped early" in page.inner_text("#results-words") and page.locator("#gallery .found").count() == 1


def test_a_page_that_is_loaded_again_goes_on_with_its_search(page):
    take_portrait(page, 1)
    begin_long_search(page)
    page.reload()
    page.wait_for_selector("#live img")
    page.click("#stop")
    page.wait_for_selector("#results:not([hidden])")
    assert page.locator("#gallery .found").count() == 1


def test_vary_only_here_changes_what_was_scribbled_on(page):
    take_portrait(page, 3)
    page.fill("#num_samples", "2")
    search(page)
    page.click("#gallery .sample:nth-child(1) button")
    page.wait_for_selector("#vary:not([hidden])")
    page.click("#vary-start")
    assert "Scribble first" in page.inner_text("#vary-error")
    scribble(page, "#vary-scribble", [(0.4, 0.68), (0.5, 0.7), (0.6, 0.68)])
    keep(page, "studio-vary")
    page.click("#vary-start")
    expect(page.locator("#results-words")).to_contain_text("where you scribbled")
    assert page.locator("#summary img[alt='The sample that these are like']").count() == 1
    found = np.stack(samples(page)).astype(float)
    spread = found.std(axis=0).mean(axis=2)
    rows, columns = np.mgrid[:128, :128] / 128
    inside = (abs(rows - 0.69) < 0.06) & (abs(columns - 0.5) < 0.13)
    outside = (abs(rows - 0.69) > 0.15) | (abs(columns - 0.5) > 0.25)
    assert spread[inside].mean() > 3 * spread[outside].mean()


def test_a_picture_that_cannot_be_used_is_said_on_the_page(page, tmp_path):
    (tmp_path / "diary.jpg").write_text("Dear diary")
    page.set_input_files("#file", tmp_path / "diary.jpg")
    expect(page.locator("#picture-error")).to_contain_text("diary.jpg is not a PNG")


@pytest.fixture(scope="module")
def sweep(studio):
    """A sweep of six runs in the studio's outputs."""
    common = ["method=combined", "references.limit=2", "num_samples=2", "tracking=csv", "metrics.lpips_net=null"]
    common += ["trainer.references_per_group=1"]
    values = "noise.lr_std=0.02,0.05,0.1,0.2,0.3,0.4"
    assert run("-m", *common, values, f"hydra.sweep.dir={studio.outputs / 'six'}") == 0


def test_the_runs_of_a_sweep_in_a_table_and_a_plot(page, studio, sweep):
    page.goto(f"{studio.address}runs.html")
    page.wait_for_selector("#table tbody tr")
    assert page.locator("#table tbody tr").count() == 6 and page.locator("#scatter circle").count() == 6
    assert page.locator("#scatter circle.best").count() >= 1 and page.locator("#scatter .front").count() == 1
    page.click("#table th button:has-text('PSNR')")
    column = page.eval_on_selector_all(
        "#table tbody tr", "rows => rows.map(row => parseFloat(row.children[4].textContent))"
    )
    assert column == sorted(column, reverse=True)
    page.locator("#scatter circle").nth(2).click()
    page.wait_for_selector("#one:not([hidden]) img")
    assert page.locator("#references h3").count() == 2 and page.locator("#curves .curve").count() == 2
    keep(page, "studio-runs")


@pytest.mark.parametrize("where", ["", "runs.html"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(where, width, page, studio, sweep):
    """By axe: contrast, labels, names, order; and nothing is wider than a telephone."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{studio.address}{where}")
    if where:
        page.wait_for_selector("#table tbody tr")
    else:
        page.click("#portraits button:nth-child(1)")
        page.wait_for_selector("#search:not([hidden])")
        page.click("#scribble-part summary")
        page.fill("#num_samples", "2")
        page.fill("#steps", "2")
        search(page)
        page.click("#gallery .sample:nth-child(1) button")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if not where:
        keep(page, f"studio-{width}")


def test_the_keyboard_alone_reaches_every_control(page):
    take_portrait(page, 1)
    page.focus("#file")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"set-explore", "set-report", "method", "num_samples", "steps", "seed", "start"} <= reached
