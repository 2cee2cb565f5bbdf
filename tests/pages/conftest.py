"""Fixtures of the review page's tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from storycast.review import Review
from tests.fakes.reviews import Waiting, made_review
from tests.pages.reviewing import Reviewer, ServedReview, started_chromium, waiting_for

Opens = Callable[..., tuple[Reviewer, Waiting]]


# Of a module: while Playwright's loop runs in this thread, no test of another kind can run one of its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    with started_chromium() as browser:
        yield browser


@pytest.fixture
def sit_down(chromium: Browser) -> Iterator[Callable[..., Reviewer]]:
    """Let somebody sit down before the review of a run: ``sit_down(waiting, "ben", viewport=...)``."""
    servers: list[ServedReview] = []
    reviewers: list[Reviewer] = []

    def come(waiting: Waiting, me: str = "anna", **options: Any) -> Reviewer:
        served = ServedReview(waiting, me)
        served.start()
        servers.append(served)
        reviewer = Reviewer(chromium, served.url, **options)
        reviewer.served = served
        reviewers.append(reviewer)
        return reviewer.ready()

    yield come
    for reviewer in reviewers:
        reviewer.close()
    for served in servers:
        served.stop()


@pytest.fixture
def opened(sit_down: Callable[..., Reviewer]) -> Opens:
    """Open a review for one reviewer: ``reviewer, waiting = opened(12)``."""

    def come(review: Review | int = 12, *, has_pictures: bool = True, **options: Any) -> tuple[Reviewer, Waiting]:
        made = made_review(review) if isinstance(review, int) else review
        waiting = waiting_for(made, has_pictures=has_pictures)
        return sit_down(waiting, **options), waiting

    return come
