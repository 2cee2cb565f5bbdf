"""Which execution waits for which human loop, in the review table: ``pk`` is ``loop#<name>``, ``sk`` ``token``."""

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.ports import HumanLoop


class DynamoLoopBook:
    """A :class:`~storycast.ports.LoopBook`; an attempt that began earlier does not replace a later one's token."""

    def __init__(self, table: str, dynamodb: Any = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    def put(self, loop: HumanLoop) -> None:
        """Note a loop; a new token replaces the one before."""
        started_at = loop.started_at.astimezone(UTC).isoformat(timespec="milliseconds")
        item = {
            **_key(loop.name),
            "run_id": {"S": loop.run_id},
            "batch": {"N": str(loop.batch)},
            "task_token": {"S": loop.task_token},
            "started_at": {"S": started_at},
        }
        with translated(f"noting the human loop {loop.name}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk) OR started_at <= :started_at",
                    ExpressionAttributeValues={":started_at": {"S": started_at}},
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise

    def get(self, name: str) -> HumanLoop | None:
        """Return a loop, None where it is none of ours."""
        with translated(f"looking for the human loop {name}"):
            found = self._dynamodb.get_item(TableName=self._table, Key=_key(name), ConsistentRead=True).get("Item")
        if not found:
            return None
        return HumanLoop(
            name=name,
            run_id=found["run_id"]["S"],
            batch=int(found["batch"]["N"]),
            task_token=found["task_token"]["S"],
            started_at=datetime.fromisoformat(found["started_at"]["S"]),
        )


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": f"loop#{name}"}, "sk": {"S": "token"}}
