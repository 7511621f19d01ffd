"""Who may talk to the studio: the page itself, on an address that the studio was started for.

A page of somebody else that is open in the same browser can send requests to 127.0.0.1 too, under a name of its own
that leads there. So a request must name an address of the studio as its Host, and what changes something must come from
a page of that address (Origin). On an address that other machines reach, a token is required besides.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from multimodal_pulse.studio.limits import REQUEST_BYTES, UPLOAD_BYTES

TOKEN_COOKIE = "studio_token"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
UPLOAD = "/api/pictures"

HEADERS = {
    # Everything comes from here; blobs and data are the pictures that the page itself makes.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' blob: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-store",  # the next visitor's pictures have the same addresses
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Refuses requests from elsewhere, without the token, or too large; adds the headers that bind a browser.

    Args:
        app: what answers the others.
        host: the address that the studio listens on.
        token: what a visitor must show; None: nothing.
        names: further names under which the studio may be reached.
    """

    def __init__(self, app: ASGIApp, host: str, token: str | None, names: tuple[str, ...] = ()) -> None:
        self.app, self.token = app, token
        self.names = {name.lower() for name in (*LOOPBACK, host, *names)}
        self.any_address = token is not None  # a literal address cannot be somebody else's name for this machine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        limited = Limited(receive, UPLOAD_BYTES if scope["path"] == UPLOAD else REQUEST_BYTES)
        if refusal is None and limited.announced(headers):
            refusal = PlainTextResponse(limited.sentence, 413)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self.app(scope, limited, _with_headers(send, self._cookie(scope)))

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(
                f"The studio does not answer to the name {host[:100]!r}: open the address that it printed.", 421
            )
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("The studio takes requests from its own page only.", 403)
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope["path"].startswith("/api/"):
            return PlainTextResponse("The studio takes requests from its own page only.", 403)
        if self.token is not None and not self._shows_token(scope, headers):
            return PlainTextResponse("This studio asks for a token: open the whole address that it printed.", 403)
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address

    def _shows_token(self, scope: Scope, headers: Headers) -> bool:
        # Cookies of other programs on this machine come along; the parser of the standard library gives up on some.
        cookies = cookie_parser(headers.get("cookie", ""))
        shown = [value for name, value in cookies.items() if name == _token_cookie(headers)]
        return any(hmac.compare_digest(one.encode(), (self.token or "").encode()) for one in shown + _asked(scope))

    def _cookie(self, scope: Scope) -> str | None:
        """Returns the cookie that keeps a token which came in the address, so that it need not stay there."""
        if self.token is None or self.token not in _asked(scope):
            return None
        return f"{_token_cookie(Headers(scope=scope))}={self.token}; Path=/; HttpOnly; SameSite=Strict"


def _token_cookie(headers: Headers) -> str:
    """Returns the cookie's name: browsers share cookies among the ports of a machine, which may have two studios."""
    return f"{TOKEN_COOKIE}_{urlsplit('//' + headers.get('host', '')).port}"


def _asked(scope: Scope) -> list[str]:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [])


class Limited:
    """Receives a request of at most `most` bytes.

    Args:
        receive: receives it.
        most: the bytes.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.most, self.come = receive, most, 0
        self.sentence = (
            f"That is more than {most // 2**20} megabytes, the most that the studio takes: reduce the picture."
        )

    def announced(self, headers: Headers) -> bool:
        """Returns whether the request says itself that it is too large."""
        length = headers.get("content-length", "0")
        return not length.isdigit() or int(length) > self.most

    async def __call__(self) -> Message:
        """Receives the next part.

        Raises:
            HTTPException: it is too much.
        """
        message = await self.receive()
        self.come += len(message.get("body", b""))
        if self.come > self.most:
            raise HTTPException(413, self.sentence)
        return message


def _with_headers(send: Send, cookie: str | None = None) -> Callable[[Message], Awaitable[None]]:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if cookie is not None:
                headers.append("set-cookie", cookie)
        await send(message)

    return with_headers
