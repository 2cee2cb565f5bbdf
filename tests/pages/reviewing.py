"""The review page before a test: its real server over a run in memory, and a reviewer's browser."""

import contextlib
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from review.pictures import Pictures
from review.server import make_app
from storycast.decisions import Decision
from storycast.review import Review
from tests.fakes.reviews import Waiting, put_pictures

KEY = "the-key-of-this-start"
SOON_S = 10.0


@contextlib.contextmanager
def started_chromium() -> Iterator[Browser]:
    """Start the system's Chromium."""
    chromium = os.environ.get("STORYCAST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is not installed: apt-get install chromium, or set STORYCAST_CHROMIUM to its path."
    with sync_playwright() as playwright:
        # As root, as in most containers, Chromium's own sandbox refuses to start; the pages are ours.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


class ServedReview:
    """One reviewer's server over a run; several of them are several reviewers' machines."""

    def __init__(self, waiting: Waiting, me: str = "anna") -> None:
        self.waiting = waiting
        self._socket = _listening(0)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        pictures = Pictures(waiting.review, waiting.store)
        self._app = make_app(waiting.new_desk(), waiting.review, pictures, me=me, key=KEY)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; after a stop at the same address again."""
        if self._server:
            self._socket = _listening(self.port)
        config = uvicorn.Config(self._app, log_level="critical", ws="none", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        eventually(lambda: bool(self._server and self._server.started))

    def stop(self) -> None:
        """Be gone, as after Ctrl-C."""
        if self._server and self._thread:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join()
        self._socket.close()


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(64)
    return listening


def waiting_for(review: Review, *, has_pictures: bool = True) -> Waiting:
    """Return a run that waits for this review, with its pictures or with none."""
    waiting = Waiting(review)
    if has_pictures:
        put_pictures(waiting.store, review)
    return waiting


class Reviewer:
    """Somebody with a browser: the page, all that it asked for, and all that it said on the console."""

    def __init__(self, browser: Browser, url: str, *, address: str = "", **context: Any) -> None:
        options: dict[str, Any] = {
            "viewport": {"width": 1280, "height": 800},
            "locale": "en-GB",
            "timezone_id": "UTC",
        }
        self.context: BrowserContext = browser.new_context(**{**options, **context})
        self.context.set_default_timeout(SOON_S * 1000)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.url = url
        self.served: ServedReview | None = None
        self.page.goto(f"{url}?key={KEY}" if url.startswith("http") else url)
        if address:
            self.page.goto(f"{url}#{address}")
            self.page.reload()

    def ready(self) -> Self:
        """Wait until the pictures are there."""
        self.page.locator(".tile").first.wait_for(state="attached")
        return self

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def tile(self, number: int) -> Locator:
        """Return the tile of a picture, by its number from 1."""
        return self.page.locator("#tiles > li").nth(number - 1)

    def dialog(self) -> Locator:
        """Return the dialog that is open."""
        return self.page.locator("dialog[open]")

    def banner(self, words: str) -> Locator:
        """Return the banner that says this."""
        return self.page.locator(".banner").filter(has_text=words)

    def sees(self, selector: str, words: str | re.Pattern[str]) -> None:
        """Wait until something says this."""
        expect(self.page.locator(selector)).to_contain_text(words, timeout=SOON_S * 1000)

    def remembered(self) -> None:
        """Wait until the address has the picture that is shown: it follows a moment later."""
        self.page.wait_for_function("() => location.hash.includes(`picture=${Storycast.app.currentId}`)")

    def eventually(self, holds: Callable[[], Any]) -> None:
        """Wait until something holds, while routes and events of this page are answered."""

        def looked() -> bool:
            self.page.wait_for_timeout(20)
            return bool(holds())

        eventually(looked)

    def close(self) -> None:
        self.context.close()


def eventually(holds: Callable[[], Any]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.02)


def told(decisions: list[Decision]) -> list[tuple[str, str, int]]:
    """Return who decided what, on how much."""
    return [(one.who, one.what, len(one.changes)) for one in decisions]
