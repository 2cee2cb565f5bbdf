"""The billing book in DynamoDB; its rows lie beside the claims, found by one sparse index."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.billing import Billed
from storycast.errors import BillingClosedError

INDEX = "by-billing"
BOOK = "billing"
KEEP = timedelta(days=90)
"""How long an ended row stays."""


def items_of(dynamodb: Any, table: str, book: str) -> Iterator[dict[str, Any]]:
    """Yield what the index has of one book, by ``expires_at``, over all pages."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression="#book = :book",
        ExpressionAttributeNames={"#book": "book"},
        ExpressionAttributeValues={":book": {"S": book}},
    )
    for page in pages:
        yield from page["Items"]


class DynamoBillingBook:
    """A :class:`~storycast.ports.BillingBook` by conditional writes.

    The index follows the table within about a second: a row that is newer may be missing from :meth:`rows`; what
    is found is read again from the table. A teardown that misses a row so new has closed its session, so that the
    sweep, 15 minutes later at most, ends the row; who writes a row after that learns that the session is closed.
    """

    def __init__(self, table: str, dynamodb: Any = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    def intend(self, billed: Billed) -> Billed:
        """Write a row before the call that makes the resource; see :meth:`BillingBook.intend`."""
        with translated(f"writing down {billed.name}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=_item(billed),
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                self._update(
                    billed.name,
                    "SET intended_at = :at",
                    {":at": {"S": _time(billed.intended_at)}, ":intended": {"S": "intended"}},
                    condition="#state = :intended",
                )
        # After the row: a teardown closes the session first and looks for rows then, so one of us sees the other.
        if self.is_closed(billed.run_id, billed.session_id):
            self.ending(billed.name, "its session was torn down")
        there = self.row(billed.name)
        if there is None or there.state in {"ending", "ended"}:
            raise BillingClosedError(
                f"{billed.name} is not made: its teardown has begun. Start the training again for a new session."
            )
        return there

    def created(self, name: str, arn: str, at: datetime) -> None:
        """Note that it was made; a row whose end has begun keeps its state and learns the ARN."""
        values = {":arn": {"S": arn}, ":at": {"S": _time(at)}}
        self._update(name, "SET arn = :arn, created_at = if_not_exists(created_at, :at)", values)
        self._update(
            name,
            "SET #state = :live",
            {":live": {"S": "live"}, ":intended": {"S": "intended"}},
            condition="#state = :intended",
        )

    def ending(self, name: str, reason: str) -> Billed:
        """Let nobody make it any more, and return the row as it is now."""
        self._update(
            name,
            "SET #state = :ending, reason = :reason",
            {":ending": {"S": "ending"}, ":reason": {"S": reason}, ":i": {"S": "intended"}, ":l": {"S": "live"}},
            condition="#state IN (:i, :l)",
        )
        there = self.row(name)
        if there is None:
            raise KeyError(name)
        return there

    def ended(self, name: str, at: datetime, reason: str, billable_s: int | None = None) -> None:
        """Note that it is billed no longer, and how many seconds of it are billed where that is told."""
        change = "SET #state = :ended, ended_at = :at, expires_at_s = :keep"
        change += ", reason = if_not_exists(reason, :reason)"
        values = {
            ":ended": {"S": "ended"},
            ":at": {"S": _time(at)},
            ":keep": {"N": str(int((at + KEEP).timestamp()))},
            ":reason": {"S": reason},
        }
        if billable_s is not None:
            change += ", billable_s = :billable"
            values[":billable"] = {"N": str(billable_s)}
        self._update(name, change, values, condition="#state <> :ended")

    def rows(self, run_id: str | None = None) -> list[Billed]:
        """Return all rows, or those of one run, by ``expires_at`` and name."""
        with translated("reading the billing book"):
            found = [item["name"]["S"] for item in items_of(self._dynamodb, self._table, BOOK)]
        rows = [row for name in found if (row := self.row(name)) and run_id in (None, row.run_id)]
        return sorted(rows, key=lambda row: (row.expires_at, row.name))

    def close(self, run_id: str, session_id: str) -> None:
        """Let nothing be made for a session any more."""
        row = {
            "pk": {"S": _closed_key(run_id, session_id)},
            "expires_at_s": {"N": str(int((datetime.now(UTC) + KEEP).timestamp()))},
        }
        with translated(f"closing the session {session_id} of {run_id}"):
            self._dynamodb.put_item(TableName=self._table, Item=row)

    def is_closed(self, run_id: str, session_id: str) -> bool:
        """Whether a teardown has closed a session."""
        with translated(f"looking up the session {session_id} of {run_id}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": {"S": _closed_key(run_id, session_id)}}, ConsistentRead=True
            )
        return "Item" in answer

    def row(self, name: str) -> Billed | None:
        """Return a row as it is after the last write; None where there is none."""
        with translated(f"looking up {name}"):
            item = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": {"S": _key(name)}}, ConsistentRead=True
            ).get("Item")
        return _billed(item) if item else None

    def _update(
        self, name: str, change: str, values: Mapping[str, Any], condition: str = "attribute_exists(pk)"
    ) -> None:
        """Change a row where the condition holds, and leave it alone where it does not."""
        names = {"#state": "state"} if "#state" in change + condition else None
        with translated(f"writing down {name}"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": _key(name)}},
                    UpdateExpression=change,
                    ConditionExpression=f"attribute_exists(pk) AND {condition}",
                    ExpressionAttributeValues=dict(values),
                    **({"ExpressionAttributeNames": names} if names else {}),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise


def _key(name: str) -> str:
    return f"{BOOK}#{name}"


def _closed_key(run_id: str, session_id: str) -> str:
    return f"{BOOK}-closed#{run_id}#{session_id}"


def _time(at: datetime) -> str:
    """Return a time of fixed width, so that times sort as text."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _item(billed: Billed) -> dict[str, Any]:
    item: dict[str, Any] = {"pk": {"S": _key(billed.name)}, "book": {"S": BOOK}}
    for name in Billed.model_fields:
        value = getattr(billed, name)
        if isinstance(value, int):
            item[name] = {"N": str(value)}
        elif isinstance(value, datetime):
            item[name] = {"S": _time(value)}
        elif value:
            item[name] = {"S": value}
    return item


def _billed(item: Mapping[str, Any]) -> Billed:
    return Billed.model_validate(
        {name: next(iter(item[name].values())) for name in Billed.model_fields if name in item}
    )
