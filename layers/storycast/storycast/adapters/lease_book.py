"""The leases of Custom Labels models in DynamoDB: one row for each model, in the table of the billing book."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.billing_book import items_of
from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.custom_labels import LeaseChangedError, ModelLeases

BOOK = "custom-labels"
KEEP = timedelta(days=90)
"""How long a row stays after its last change."""


class DynamoLeaseBook:
    """A :class:`~storycast.custom_labels.LeaseBook` by conditional writes."""

    def __init__(self, table: str, dynamodb: Any = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    def get(self, arn: str) -> ModelLeases:
        """Return a model's row as of the last write; an idle one where there is none."""
        with translated(f"looking up the leases of {arn}"):
            item = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": {"S": _key(arn)}}, ConsistentRead=True
            ).get("Item")
        return ModelLeases.model_validate_json(item["row"]["S"]) if item else ModelLeases(arn=arn)

    def put(self, row: ModelLeases) -> ModelLeases:
        """Write a row in place of the one of its ``version``; see :meth:`LeaseBook.put`."""
        written = row.model_copy(update={"version": row.version + 1})
        now = datetime.now(UTC)
        item = {
            "pk": {"S": _key(row.arn)},
            "arn": {"S": row.arn},
            "version": {"N": str(written.version)},
            "row": {"S": written.model_dump_json()},
            "expires_at_s": {"N": str(int((now + KEEP).timestamp()))},
        }
        if written.state != "idle":
            # The index is sparse: rows of models that nobody needs are not in it.
            item["book"] = {"S": BOOK}
            item["expires_at"] = {"S": now.isoformat(timespec="milliseconds")}
        with translated(f"writing down the leases of {row.arn}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk)" if not row.version else "#version = :version",
                    **(
                        {
                            "ExpressionAttributeNames": {"#version": "version"},
                            "ExpressionAttributeValues": {":version": {"N": str(row.version)}},
                        }
                        if row.version
                        else {}
                    ),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                    raise LeaseChangedError(row.arn) from error
                raise
        return written

    def busy(self) -> Iterator[str]:
        """Yield the ARNs of models whose rows are not idle."""
        with translated("reading the leases of models"):
            found = [item["arn"]["S"] for item in items_of(self._dynamodb, self._table, BOOK)]
        yield from found


def _key(arn: str) -> str:
    return f"{BOOK}#{arn}"
