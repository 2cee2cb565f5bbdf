"""Claims in DynamoDB."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated

KEEP = timedelta(days=90)
"""A closed execution's name stays taken for as long; S3 repeats an event within minutes."""


class DynamoClaims:
    """:class:`~storycast.ports.Claims` by conditional puts."""

    def __init__(self, table: str, dynamodb: Any = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    def claim(self, item: str, owner: str, details: Mapping[str, str]) -> str:
        """Claim ``item`` for ``owner`` and return who holds it; claiming again what one holds is no fault."""
        now = datetime.now(UTC)
        row = {
            "pk": {"S": f"claim#{item}"},
            "owner": {"S": owner},
            "claimed_at": {"S": now.isoformat(timespec="milliseconds")},
            "expires_at_s": {"N": str(int((now + KEEP).timestamp()))},
            **{name: {"S": value} for name, value in details.items()},
        }
        with translated(f"claiming {item}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=row,
                    ConditionExpression="attribute_not_exists(pk) OR #owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                held: Any = error.response.get("Item") or {}
                return str(held.get("owner", {}).get("S", "another execution"))
        return owner

    def holder(self, item: str) -> str | None:
        """Return who holds a claim, None where nobody does."""
        with translated(f"looking up {item}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": {"S": f"claim#{item}"}}, ConsistentRead=True
            )
        owner = answer.get("Item", {}).get("owner", {}).get("S")
        return str(owner) if owner else None

    def release(self, item: str, owner: str) -> None:
        """Give up a claim that ``owner`` holds; one that it does not hold stays as it is."""
        with translated(f"releasing {item}"):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key={"pk": {"S": f"claim#{item}"}},
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise

    def register(self, execution_arn: str, run_id: str) -> None:
        """Remember which run an execution is."""
        row = {
            "pk": {"S": f"execution#{execution_arn}"},
            "run_id": {"S": run_id},
            "expires_at_s": {"N": str(int((datetime.now(UTC) + KEEP).timestamp()))},
        }
        with translated(f"registering {run_id}"):
            self._dynamodb.put_item(TableName=self._table, Item=row)

    def run_of(self, execution_arn: str) -> str | None:
        """Return the run of an execution, None where it never had one."""
        with translated(f"looking up {execution_arn}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": {"S": f"execution#{execution_arn}"}}, ConsistentRead=True
            )
        run_id = answer.get("Item", {}).get("run_id", {}).get("S")
        return str(run_id) if run_id else None
