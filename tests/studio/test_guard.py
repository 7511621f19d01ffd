"""Who may talk to the studio."""

import pytest

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from multimodal_pulse.studio.guard import TOKEN_COOKIE, Guard
from multimodal_pulse.studio.limits import REQUEST_BYTES


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def client(host="127.0.0.1", token=None, address="http://127.0.0.1:8000"):
    routes = [Route(path, echo, methods=["GET", "POST"]) for path in ("/", "/api/runs", "/api/pictures")]
    return TestClient(Guard(Starlette(routes=routes), host, token, ("studio-machine",)), base_url=address)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_its_own_names_are_answered(address):
    assert client(address=address).get("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.7", "", "[::1"]
)
def test_other_names_are_not(host):
    answer = client().get("/", headers={"host": host})
    assert answer.status_code == 421 and "does not answer to the name" in answer.text


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000"])
def test_another_page_changes_nothing(origin):
    answer = client().post("/api/runs", headers={"origin": origin})
    assert answer.status_code == 403 and "from its own page only" in answer.text
    assert client().post("/api/runs", headers={"origin": "http://127.0.0.1:8000"}).status_code == 200


def test_another_page_reads_nothing():
    assert client().get("/api/runs", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client().get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link to the page


def test_elsewhere_a_token_is_asked_for_once():
    visitor = client("0.0.0.0", "secret", "http://192.168.1.5:8000")
    refused = visitor.get("/")
    assert refused.status_code == 403 and "asks for a token" in refused.text and "secret" not in refused.text
    assert visitor.get("/?token=guess").status_code == 403
    assert visitor.get("/?token=secret").status_code == 200
    assert visitor.cookies[f"{TOKEN_COOKIE}_8000"] == "secret"
    assert visitor.get("/").status_code == 200
    assert visitor.get("/", headers={"host": "studio-machine:8000"}).status_code == 200
    assert visitor.get("/", headers={"host": "evil.example:8000"}).status_code == 421


def test_cookies_of_other_programs_are_no_trouble():
    visitor = client("0.0.0.0", "secret", "http://192.168.1.5:8000")
    for others in ("a/b=1; ", 'x={"a": 1}; ', "=; ;; "):
        assert visitor.get("/", headers={"cookie": f"{others}{TOKEN_COOKIE}_8000=secret"}).status_code == 200
    assert visitor.get("/", headers={"cookie": f"{TOKEN_COOKIE}_9000=secret"}).status_code == 403  # of another studio


def test_a_name_with_capital_letters_is_the_same_name():
    visitor = TestClient(Guard(Starlette(), "MyBox", "secret", ("Other-Box",)), base_url="http://mybox:8000")
    for host in ("mybox:8000", "MyBox:8000", "other-box:8000"):
        assert visitor.get("/?token=secret", headers={"host": host}).status_code == 404  # and not 421


def test_too_much_is_refused_whether_it_is_announced_or_not():
    most = b"x" * REQUEST_BYTES
    assert client().post("/api/runs", content=most).text == str(REQUEST_BYTES)
    assert client().post("/api/runs", content=most + b"x").status_code == 413

    def bit_by_bit():
        for _ in range(REQUEST_BYTES // 2**16 + 1):
            yield b"x" * 2**16

    answer = client().post("/api/runs", content=bit_by_bit())
    assert answer.status_code == 413 and "more than 2 megabytes" in answer.text
    assert client().post("/api/pictures", content=most + b"x").text == str(REQUEST_BYTES + 1)
    assert client().post("/api/runs", headers={"content-length": "-5"}, content=b"").status_code == 413


def test_a_browser_loads_nothing_from_elsewhere_and_shows_it_in_no_other_page():
    policy = client().get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "http" not in policy
    assert client().get("/").headers["x-content-type-options"] == "nosniff"
    assert client().get("/").headers["cache-control"] == "private, no-store"
    assert "content-security-policy" in client().get("/", headers={"host": "evil.example"}).headers
