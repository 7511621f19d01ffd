"""What visitors do to a running studio: searches, and everything that should not be."""

import base64
import io
import json
import threading
import time
import zipfile

import pytest
from PIL import Image

httpx = pytest.importorskip("httpx", reason="asks the studio without a browser")


@pytest.fixture
def visitor(studio):
    with httpx.Client(base_url=studio.address, timeout=120) as client:
        client.get("/api/choices").raise_for_status()
        yield client


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def square(side=128, box=(40, 70, 90, 100)):
    picture = Image.new("L", (side, side))
    picture.paste(255, box)
    return base64.b64encode(png(picture)).decode()


def portrait(visitor, number=0):
    return visitor.post(f"/api/portraits/{number}").raise_for_status().json()


def begin(visitor, picture, **asked):
    asked = {"method": "explore", "knobs": {"num_samples": 2, "steps": 2}} | asked
    return visitor.post("/api/runs", json={"picture": picture["id"], **asked})


def states(visitor, run):
    """Everything that the page hears of a run, to its end."""
    with visitor.stream("GET", f"/api/runs/{run['id']}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                state = json.loads(line[6:])
                yield state
                if state["state"] in ("done", "failed", "cancelled"):
                    return


def test_a_search_from_the_portrait_to_the_bundle(visitor):
    picture = portrait(visitor)
    reference = picture["references"][0]
    assert reference["lr_size"] == [16, 16] and picture["resolution"] == 128
    lr = Image.open(io.BytesIO(visitor.get(f"/api/pictures/{picture['id']}/{reference['lr']}").content))
    assert lr.size == (16, 16)
    heard = list(states(visitor, begin(visitor, picture).raise_for_status().json()))
    done = heard[-1]
    assert done["state"] == "done" and any(state["progress"].get("pictures") for state in heard)
    [found] = done["references"]
    assert len(found["samples"]) == 2 and all(sample["faithful"] for sample in found["samples"])
    address = f"/api/runs/{done['id']}/files/{found['name']}/"
    pictures = [visitor.get(address + sample["picture"]).content for sample in found["samples"]]
    assert Image.open(io.BytesIO(pictures[0])).size == (128, 128) and pictures[0] != pictures[1]
    with zipfile.ZipFile(io.BytesIO(visitor.get(f"/api/runs/{done['id']}/bundle.zip").content)) as archive:
        assert archive.read(f"run/references/{found['name']}/sr_01.png") == pictures[1]
        assert "run/references/test_000000/latents.safetensors" in archive.namelist()


def test_a_search_is_stopped_and_keeps_what_it_has(visitor):
    run = begin(visitor, portrait(visitor), knobs={"num_samples": 1, "steps": 900}).raise_for_status().json()
    for state in states(visitor, run):
        if state["progress"].get("step", 0) >= 1 and not state["stopped"]:
            visitor.post(f"/api/runs/{run['id']}/stop").raise_for_status()
    assert state["state"] == "done" and state["stopped"]
    [sample] = state["references"][0]["samples"]
    assert state["references"][0]["stopped"] and 1 <= sample["steps"] < 900 and sample["faithful"]


def test_one_search_at_a_time_for_a_visitor(visitor):
    picture = portrait(visitor)
    run = begin(visitor, picture, knobs={"steps": 900}).raise_for_status().json()
    refused = begin(visitor, picture)
    assert refused.status_code == 503 and "has not ended yet" in refused.json()["error"]
    visitor.post(f"/api/runs/{run['id']}/stop").raise_for_status()
    assert list(states(visitor, run))[-1]["state"] in ("done", "cancelled")


def test_a_scribble_is_the_mask_of_the_noise(visitor, studio):
    run = begin(visitor, portrait(visitor), method="combined", scribble=square()).raise_for_status().json()
    assert list(states(visitor, run))[-1]["state"] == "done"
    assert "lr_noise=masked" in run["command"]
    masks = list(studio.outputs.rglob("mask.png"))
    assert any(Image.open(mask).getpixel((60, 80)) == 255 and Image.open(mask).getpixel((5, 5)) == 0 for mask in masks)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.jpg", b"Dear diary, this is no picture.", "notes.jpg is not a PNG, JPEG"),
        ("tiny.png", png(Image.new("RGB", (3, 3))), "tiny.png is 3 x 3 pixels: at least 8"),
        ("huge.png", png(Image.new("1", (10_000, 10_000))), "has 100 million pixels, and the studio takes up to 50"),
        ("cut.png", png(Image.effect_noise((64, 64), 50))[:1500], "cut.png cannot be read, it is truncated or damaged"),
        ("empty.png", b"", "empty.png is not a PNG, JPEG"),
    ],
    ids=["text", "three pixels", "a hundred megapixels", "truncated", "empty"],
)
def test_a_picture_that_cannot_be_used_gets_a_sentence(name, content, sentence, visitor, studio):
    before = set(studio.outputs.rglob("*"))
    answer = visitor.post("/api/pictures", params={"name": name}, content=content)
    assert answer.status_code == 400 and sentence in answer.json()["error"]
    assert str(studio.folder) not in answer.text and "upload" not in answer.json()["error"]
    assert {path for path in set(studio.outputs.rglob("*")) - before if path.is_file()} == set()


def test_an_animated_gif_is_taken_by_its_first_frame(visitor):
    frames = [Image.new("L", (48, 48), level) for level in (60, 200)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    picture = visitor.post("/api/pictures", params={"name": "moving.gif"}, content=file.getvalue()).raise_for_status()
    preview = visitor.get(f"/api/pictures/{picture.json()['id']}/preview.jpg").raise_for_status()
    assert abs(Image.open(io.BytesIO(preview.content)).convert("L").getpixel((24, 24)) - 60) < 4
    assert any("its first is used" in notice for notice in picture.json()["notices"])


def test_the_name_of_an_upload_is_never_a_path(visitor, studio):
    content = png(Image.effect_noise((64, 64), 80).convert("RGB"))
    name = "../../../evil/..\\face.png"
    picture = visitor.post("/api/pictures", params={"name": name}, content=content).raise_for_status().json()
    assert picture["references"][0]["name"] == "face"
    inside = [path.relative_to(studio.folder) for path in studio.folder.rglob("*")]
    assert not any("evil" in path.as_posix() for path in inside)


def test_more_than_the_page_offers_is_refused(visitor):
    picture = portrait(visitor)
    answer = begin(visitor, picture, knobs={"num_samples": 1000})
    assert answer.status_code == 413 and "Samples must be from 1 to 16" in answer.json()["error"]
    for nonsense in ({"picture": picture["id"]}, {"picture": 3, "method": "explore"}, {"command": "rm"}):
        assert "not one that the page makes" in visitor.post("/api/runs", json=nonsense).json()["error"]
    for scribble in ("no base64", base64.b64encode(b"no picture").decode(), square(64, (1, 1, 5, 5))):
        answer = begin(visitor, picture, scribble=scribble)
        assert answer.status_code == 400 and answer.json()["error"].endswith(".")


def test_nobody_sees_what_another_visitor_has(visitor, studio):
    picture = portrait(visitor)
    run = begin(visitor, picture).raise_for_status().json()
    done = list(states(visitor, run))[-1]
    found = done["references"][0]
    with httpx.Client(base_url=studio.address, timeout=60) as other:
        assert other.get("/api/choices").json()["history"] == []
        addresses = [
            f"/api/pictures/{picture['id']}/lr_0.png",
            f"/api/runs/{run['id']}",
            f"/api/runs/{run['id']}/bundle.zip",
        ]
        addresses.append(f"/api/runs/{run['id']}/files/{found['name']}/sr_00.png")
        assert [other.get(address).status_code for address in addresses] == [404] * 4
        assert begin(other, picture).status_code == 404
        names = [row["run"] for row in other.get("/api/outputs").json()]
        assert not any("studio" in name for name in names)
        sneaking = {"run": f"studio/{done['command'].split('outputs/studio/')[1].split()[0].removesuffix('-again')}"}
        sneaking |= {"reference": found["name"], "name": "sr_00.png"}
        assert other.get("/api/outputs/picture", params=sneaking).status_code == 404


def test_who_is_not_known_gets_no_session(studio):
    with httpx.Client(base_url=studio.address, timeout=60) as stranger:
        answer = stranger.get("/api/pictures/0001/lr_0.png", headers={"cookie": "studio_session=old"})
        assert answer.status_code == 404 and "reload the page" in answer.json()["error"]
        assert "set-cookie" not in answer.headers


def test_five_requests_at_once_are_one_search(visitor):
    picture = portrait(visitor)
    answers = []

    def ask():
        answers.append(begin(visitor, picture, knobs={"num_samples": 1, "steps": 900}))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503, 503, 503]
    [run] = [answer.json() for answer in answers if answer.status_code == 200]
    visitor.post(f"/api/runs/{run['id']}/stop").raise_for_status()
    assert list(states(visitor, run))[-1]["state"] in ("done", "cancelled")


def test_a_forged_name_or_origin_is_refused(visitor):
    assert visitor.get("/api/choices", headers={"host": "evil.example"}).status_code == 421
    assert visitor.post("/api/portraits/0", headers={"origin": "http://evil.example"}).status_code == 403


def test_a_dropped_connection_ends_the_search_and_nothing_else(visitor, studio):
    run = begin(visitor, portrait(visitor), knobs={"num_samples": 1, "steps": 1000}).raise_for_status().json()
    watching = states(visitor, run)
    while next(watching)["progress"].get("step", 0) < 1:
        pass
    watching.close()  # the browser has gone
    deadline = time.monotonic() + 120
    while (state := visitor.get(f"/api/runs/{run['id']}").json())["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert state["stopped"] and state["references"][0]["samples"][0]["faithful"]


def test_twenty_visitors_at_once_are_all_served(studio):
    """Each draws a portrait and looks at it."""
    answers = []

    def visit(number):
        with httpx.Client(base_url=studio.address, timeout=120) as client:
            client.get("/api/choices").raise_for_status()
            picture = portrait(client, number % 6)
            answers.append(client.get(f"/api/pictures/{picture['id']}/lr_0.png").status_code)

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(20)]
    for thread in visitors:
        thread.start()
    for thread in visitors:
        thread.join()
    assert answers == [200] * 20
    with httpx.Client(base_url=studio.address) as client:
        assert client.get("/").status_code == 200
