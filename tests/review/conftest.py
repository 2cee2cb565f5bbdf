"""A waiting review over fakes, served on a real socket to one person."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import httpx
import pytest

from review.pictures import Pictures
from review.server import Explain, make_app
from review.serving import served
from storycast.review import Review
from tests.fakes.reviews import Waiting, made_review, put_pictures
from tests.fakes.store import MemoryStore


@dataclass
class Page:
    """A browser that asks a page of a waiting run."""

    waiting: Waiting
    url: str
    """The address to open, with its key."""
    client: httpx.Client

    @property
    def review(self) -> Review:
        return self.waiting.review

    @property
    def key(self) -> str:
        return self.url.partition("?key=")[2]

    @property
    def origin(self) -> str:
        return self.url.partition("/?")[0]

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])

    def raw(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """Ask for a path as it is written, which clients tidy up otherwise."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={"cookie": cookies})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def opened(waiting: Waiting, me: str = "anna", explain: Explain = lambda _: None) -> Iterator[Page]:
    """Serve a page, as each reviewer's machine does, to a browser that is not let in yet."""
    pictures = Pictures(waiting.review, waiting.store)
    desk = waiting.new_desk()
    with (
        served(lambda key: make_app(desk, waiting.review, pictures, me=me, key=key, explain=explain), 0) as url,
        httpx.Client(base_url=url.partition("/?")[0], trust_env=False) as client,
    ):
        yield Page(waiting, url, client)


@pytest.fixture
def waiting() -> Waiting:
    waiting = Waiting(made_review(12))
    drawn = _drawn()
    for stored in drawn.list(""):
        key = stored.key
        waiting.store.put(key, drawn.get(key), drawn.content_type(key))
    return waiting


@cache
def _drawn() -> MemoryStore:
    """Return a bucket with the pictures, which take longer to draw than a test takes."""
    store = MemoryStore()
    put_pictures(store, made_review(12))
    return store


@pytest.fixture
def stranger(waiting: Waiting) -> Iterator[Page]:
    """A browser that was not let in."""
    with opened(waiting) as page:
        yield page


@pytest.fixture
def page(stranger: Page) -> Page:
    """A browser that came by the right address."""
    assert stranger.client.get(stranger.url).status_code == 303
    return stranger
