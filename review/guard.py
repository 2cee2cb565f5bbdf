"""The guard before the page: who may ask, from where, for how much; and the headers of every answer.

The page listens on loopback only, yet any website that is open in the reviewer's browser can send requests there.
So whoever asks needs the key of this start, in a cookie that no other site's requests carry, and names that
another site may have pointed at this machine (DNS rebinding) are refused.
"""

import hmac
import html
from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 1024 * 1024
READING = ("GET", "HEAD")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

_STRANGER = "This address alone opens nothing. Use the whole address, with its key, that the command printed."


class Guard:
    """Lets through what comes from the review's own page with this start's key.

    Args:
        app: What is guarded.
        key: The key of this start.
    """

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] != "http":
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, sent)
            return
        try:
            await self._app(scope, _limited(receive), sent)
        except _TooLargeError:
            await _too_large(scope)(scope, receive, sent)
        except ClientDisconnect:
            return

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that does not come through."""
        headers, port = Headers(scope=scope), scope["server"][1]
        host = headers.get("host", "").lower()
        own = [f"{name}{'' if port == 80 else f':{port}'}" for name in ("127.0.0.1", "localhost")]
        if host not in own:
            return _told(scope, 421, f"This review is at http://{own[0]} and has no other name.")
        cookie = f"storycast-review-{port}"
        if not self._is_key(_cookies(headers.getlist("cookie")).get(cookie, "")):
            return self._greeting(scope, cookie)
        if scope["method"] in READING:
            # The key leaves the address, so that it is in no history and on no screenshot.
            return RedirectResponse("/", 303) if scope["path"] == "/" and _asked_key(scope) else None
        return _post_refusal(scope, headers, f"http://{host}")

    def _greeting(self, scope: Scope, cookie: str) -> Response:
        """Answer who comes without the cookie: with it where they have the key, and refuse them where not."""
        if scope["path"] == "/" and scope["method"] in READING and self._is_key(_asked_key(scope)):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(cookie, self._key, httponly=True, samesite="strict", path="/")
            return answer
        return _told(scope, 403, _STRANGER)

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._key.encode())


def _post_refusal(scope: Scope, headers: Headers, origin: str) -> Response | None:
    if headers.get("origin", origin) != origin:
        return _told(scope, 403, "Another website asked for this. Nothing was done.")
    # What a plain form can send is not taken, nor what a script of another site may send without asking.
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return _told(scope, 415, "Send application/json.")
    length = headers.get("content-length", "0")
    return None if length.isdecimal() and int(length) <= MOST_BODY_BYTES else _too_large(scope)


class _TooLargeError(Exception):
    """A body is larger than :data:`MOST_BODY_BYTES`."""


def _limited(receive: Receive) -> Receive:
    """Count a body while it comes: its length in the headers may be missing or wrong."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BODY_BYTES:
            raise _TooLargeError
        return message

    return counted


def _too_large(scope: Scope) -> Response:
    return _told(scope, 413, f"A request has at most {MOST_BODY_BYTES:,} bytes. Decide on fewer pictures at once.")


def _cookies(lines: Iterable[str]) -> dict[str, str]:
    return {name: value for line in lines for name, value in cookie_parser(line).items()}


def _asked_key(scope: Scope) -> str:
    asked: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])
    return asked[0]


def _told(scope: Scope, status: int, message: str) -> Response:
    """Return a refusal as its asker reads it: JSON to the page's own script, a page to people."""
    if scope["path"].startswith("/api/"):
        return JSONResponse({"message": message}, status)
    title = "Storycast review"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<h1>{title}</h1><p>{html.escape(message)}</p><p><a href="/">Try again</a></p></html>',
        status,
    )
