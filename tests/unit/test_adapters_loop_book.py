"""The book of human loops in DynamoDB, and its fake: the same tests."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from storycast.adapters.loop_book import DynamoLoopBook
from storycast.ports import HumanLoop, LoopBook
from tests.fakes.humans import MemoryLoopBook

NOW = datetime(2026, 1, 2, 12, 0, 0, 123_000, tzinfo=UTC)
LOOP = HumanLoop("run-1-review-0", "run-1", 0, "token-1", NOW)


def _dynamodb() -> LoopBook:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="reviews",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return DynamoLoopBook("reviews", client)


@pytest.fixture(params=[_dynamodb, MemoryLoopBook], ids=["dynamodb", "memory"])
def book(request: pytest.FixtureRequest, aws: None) -> LoopBook:
    make: Callable[[], LoopBook] = request.param
    return make()


def test_a_loop_is_found_as_it_was_noted(book: LoopBook) -> None:
    assert book.get(LOOP.name) is None
    book.put(LOOP)
    assert book.get(LOOP.name) == LOOP
    assert book.get("run-1-review-1") is None


def test_a_new_token_replaces_the_one_before(book: LoopBook) -> None:
    book.put(LOOP)
    later = replace(LOOP, task_token="token-2", started_at=NOW + timedelta(milliseconds=1))
    book.put(later)
    assert book.get(LOOP.name) == later
    book.put(replace(later, task_token="token-3"))
    assert book.get(LOOP.name) == replace(later, task_token="token-3"), "in the same millisecond the last one"


def test_a_late_attempt_does_not_put_an_old_token_back(book: LoopBook) -> None:
    later = replace(LOOP, task_token="token-2", started_at=NOW + timedelta(seconds=1))
    book.put(later)
    book.put(LOOP)
    assert book.get(LOOP.name) == later


def test_the_longest_token_has_room(book: LoopBook) -> None:
    book.put(replace(LOOP, task_token="x" * 2048))
    found = book.get(LOOP.name)
    assert found
    assert len(found.task_token) == 2048
