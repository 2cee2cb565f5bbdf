"""One suite for the billing book in DynamoDB (moto) and the fake one; what the rows look like."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from storycast.adapters.billing_book import KEEP, DynamoBillingBook
from storycast.billing import Billed
from storycast.errors import BillingClosedError, DependencyUnavailableError, ThrottledError
from storycast.ports import BillingBook
from tests.fakes.aws_training import START, Clock, MemoryBook
from tests.fakes.tables import create_billing_table

TABLE = "table"
LATER = START + timedelta(hours=1)


def _dynamodb() -> Any:
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    create_billing_table(dynamodb, TABLE)
    return dynamodb


@pytest.fixture(params=["fake", "dynamodb"])
def book(request: pytest.FixtureRequest) -> BillingBook:
    if request.param == "fake":
        return MemoryBook(Clock())
    request.getfixturevalue("aws")
    return DynamoBillingBook(TABLE, _dynamodb())


def _row(name: str = "job", **more: Any) -> Billed:
    facts: dict[str, Any] = {
        "name": name,
        "kind": "customization_job",
        "run_id": "run",
        "training_id": "t0123abcd",
        "session_id": "0a1b2c",
        "execution_arn": "arn:1",
        "state": "intended",
        "intended_at": START,
        "expires_at": START + timedelta(hours=72),
        "image_count": 800,
    }
    return Billed.model_validate({**facts, **more})


def test_a_row_is_given_back_as_it_was_written(book: BillingBook) -> None:
    row = _row(model_units=2)
    assert book.intend(row) == row
    assert book.row("job") == row
    assert book.rows() == [row]
    assert book.row("other") is None


def test_a_repeated_intent_renews_its_time_and_nothing_else(book: BillingBook) -> None:
    book.intend(_row())
    again = book.intend(_row(intended_at=LATER, expires_at=LATER + timedelta(hours=72), image_count=1))
    assert again == _row(intended_at=LATER)
    book.created("job", "arn:job", LATER)
    live = book.intend(_row(intended_at=LATER + timedelta(hours=1)))
    assert (live.state, live.arn, live.intended_at) == ("live", "arn:job", LATER)


def test_a_row_moves_forwards(book: BillingBook) -> None:
    book.intend(_row())
    book.created("job", "arn:job", LATER)
    row = book.row("job")
    assert row
    assert (row.state, row.arn, row.created_at) == ("live", "arn:job", LATER)
    assert book.ending("job", "no more").state == "ending"
    assert book.ending("job", "another reason").reason == "no more"
    book.ended("job", LATER + timedelta(hours=1), "over")
    row = book.row("job")
    assert row
    assert (row.state, row.ended_at, row.reason) == ("ended", LATER + timedelta(hours=1), "no more")
    assert book.ending("job", "again").state == "ended"
    book.ended("job", LATER + timedelta(hours=9), "again")
    book.created("job", "arn:job", LATER)
    assert book.row("job") == row
    assert not row.is_open


def test_what_was_made_after_its_end_began_is_known(book: BillingBook) -> None:
    book.intend(_row())
    book.ending("job", "no more")
    book.created("job", "arn:job", LATER)
    row = book.row("job")
    assert row
    assert (row.state, row.arn, row.created_at) == ("ending", "arn:job", LATER)


def test_the_first_time_of_making_counts(book: BillingBook) -> None:
    book.intend(_row())
    book.created("job", "arn:job", LATER)
    book.created("job", "arn:job", LATER + timedelta(hours=1))
    assert book.row("job").created_at == LATER  # type: ignore[union-attr]


@pytest.mark.parametrize("end", ["ending", "ended"])
def test_nobody_makes_what_is_being_ended(book: BillingBook, end: str) -> None:
    book.intend(_row())
    if end == "ending":
        book.ending("job", "no more")
    else:
        book.ended("job", LATER, "no more")
    with pytest.raises(BillingClosedError, match="job is not made"):
        book.intend(_row())


def test_nobody_makes_anything_for_a_closed_session(book: BillingBook) -> None:
    book.intend(_row("first"))
    assert not book.is_closed("run", "0a1b2c")
    book.close("run", "0a1b2c")
    book.close("run", "0a1b2c")
    assert book.is_closed("run", "0a1b2c")
    for name in ("first", "second"):
        with pytest.raises(BillingClosedError):
            book.intend(_row(name))
    assert [row.state for row in book.rows()] == ["ending", "ending"], "the sweep finds and ends them"
    assert not book.is_closed("other", "0a1b2c")
    assert book.intend(_row("third", run_id="other")).state == "intended"


def test_rows_are_listed_by_run_and_time(book: BillingBook) -> None:
    book.intend(_row("c", expires_at=START + timedelta(hours=3)))
    book.intend(_row("b", expires_at=START + timedelta(hours=2), run_id="other"))
    book.intend(_row("a", expires_at=START + timedelta(hours=2)))
    assert [row.name for row in book.rows()] == ["a", "b", "c"]
    assert [row.name for row in book.rows("run")] == ["a", "c"]
    assert book.rows("nobody") == []


# ---- DynamoDB alone -------------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
def test_only_ended_rows_expire_and_times_sort_as_text() -> None:
    dynamodb = _dynamodb()
    book = DynamoBillingBook(TABLE, dynamodb)
    east = datetime.fromisoformat("2026-01-02T10:00:00+05:30")
    book.intend(_row(expires_at=east))

    def item() -> Any:
        return dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "billing#job"}})["Item"]

    assert item()["book"] == {"S": "billing"}
    assert item()["expires_at"] == {"S": "2026-01-02T04:30:00.000+00:00"}
    assert "expires_at_s" not in item()
    assert "arn" not in item(), "what is not known is not there"
    book.ended("job", LATER, "over")
    assert int(item()["expires_at_s"]["N"]) == int((LATER + KEEP).timestamp())


@pytest.mark.usefixtures("aws")
def test_a_closed_session_expires_and_is_no_row() -> None:
    dynamodb = _dynamodb()
    book = DynamoBillingBook(TABLE, dynamodb)
    book.close("run", "0a1b2c")
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    left = datetime.fromtimestamp(int(item["expires_at_s"]["N"]), UTC) - datetime.now(UTC)
    assert timedelta(days=89) < left <= KEEP
    assert book.rows() == []


@pytest.mark.usefixtures("aws")
def test_a_list_goes_on_over_pages_and_each_row_is_read_again() -> None:
    dynamodb = _dynamodb()
    book = DynamoBillingBook(TABLE, dynamodb)
    for number in range(5):
        book.intend(_row(f"row-{number}"))

    class Old:
        """The table, with an index that is behind: two rows a page, all of them still as they were."""

        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: Any) -> Any:
            return iter(
                [
                    {"Items": [{"name": {"S": f"row-{n}"}, "state": {"S": "intended"}} for n in page]}
                    for page in ((0, 1), (2, 3), (4,))
                ]
            )

        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

    book.ended("row-3", LATER, "over")
    rows = DynamoBillingBook(TABLE, Old()).rows()
    assert [(row.name, row.state) for row in rows if row.state == "ended"] == [("row-3", "ended")]
    assert len(rows) == 5


@pytest.mark.usefixtures("aws")
def test_a_row_that_nobody_wrote_is_not_made_by_a_note_on_it() -> None:
    dynamodb = _dynamodb()
    book = DynamoBillingBook(TABLE, dynamodb)
    book.created("nobody", "arn", LATER)
    book.ended("nobody", LATER, "x")
    assert dynamodb.scan(TableName=TABLE)["Items"] == []
    with pytest.raises(KeyError):
        book.ending("nobody", "x")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ProvisionedThroughputExceededException", ThrottledError),
        ("InternalServerError", DependencyUnavailableError),
        ("AccessDeniedException", ClientError),
    ],
)
@pytest.mark.parametrize(
    ("operation", "work"),
    [
        ("put_item", lambda book: book.intend(_row())),
        ("put_item", lambda book: book.close("run", "0a1b2c")),
        ("get_item", lambda book: book.row("job")),
        ("get_item", lambda book: book.is_closed("run", "0a1b2c")),
        ("update_item", lambda book: book.created("job", "arn", LATER)),
        ("update_item", lambda book: book.ended("job", LATER, "x")),
        ("query", lambda book: book.rows()),
    ],
)
def test_a_fault_of_the_table_has_our_name(operation: str, work: Any, code: str, expected: Any) -> None:
    dynamodb = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    with Stubber(dynamodb) as stubber:
        stubber.add_client_error(operation, code, "the service's words", http_status_code=400)
        with pytest.raises(expected):
            work(DynamoBillingBook(TABLE, dynamodb))
