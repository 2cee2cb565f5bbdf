"""The review log in DynamoDB: decisions, and the tokens of runs that wait for them.

Items of the review table, by partition key ``pk`` and sort key ``sk``: ``log#<run>`` holds a run's decisions under
their numbers, ``gate#<run>`` its token, ``project#<project>`` the project's runs that had a review. Reviewers may
write ``log#...`` alone.
"""

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.decisions import Decision, SequenceTakenError
from storycast.ports import Gate

MOST_RUNS = 20


class DynamoReviewLog:
    """A :class:`~storycast.ports.ReviewLog`; conditional puts keep two reviewers from one number."""

    def __init__(self, table: str, dynamodb: Any = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    def append(self, run_id: str, decision: Decision) -> None:
        """Add a decision; see :meth:`ReviewLog.append`."""
        item = {
            "pk": {"S": f"log#{run_id}"},
            "sk": {"S": f"{decision.seq:08d}"},
            "decision": {"S": decision.model_dump_json()},
        }
        with translated(f"writing decision {decision.seq} of {run_id}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                raise SequenceTakenError(f"decision {decision.seq} of {run_id} is there already") from None

    def read(self, run_id: str, after: int = 0) -> list[Decision]:
        """Return a run's decisions after a number, in order."""
        found = self._query(f"log#{run_id}", after=f"{after:08d}")
        return [Decision.model_validate_json(item["decision"]["S"]) for item in found]

    def gate(self, run_id: str) -> Gate | None:
        """Return who waits for a run's review."""
        with translated(f"looking for the review of {run_id}"):
            key = {"pk": {"S": f"gate#{run_id}"}, "sk": {"S": "gate"}}
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if not item:
            return None
        return Gate(
            run_id=run_id,
            project=item["project"]["S"],
            task_token=item["task_token"]["S"],
            opened_at=datetime.fromisoformat(item["opened_at"]["S"]),
            deadline=datetime.fromisoformat(item["deadline"]["S"]),
            reminded_at=datetime.fromisoformat(item["reminded_at"]["S"]),
        )

    def open(self, gate: Gate) -> None:
        """Note that a run waits; a new token replaces the one before."""
        item = {
            "pk": {"S": f"gate#{gate.run_id}"},
            "sk": {"S": "gate"},
            "project": {"S": gate.project},
            "task_token": {"S": gate.task_token},
            "opened_at": {"S": gate.opened_at.isoformat()},
            "deadline": {"S": gate.deadline.isoformat()},
            "reminded_at": {"S": gate.reminded_at.isoformat()},
        }
        with translated(f"opening the review of {gate.run_id}"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def remember(self, project: str, run_id: str, at: datetime) -> None:
        """Note that a run of a project has a review."""
        item = {
            "pk": {"S": f"project#{project}"},
            "sk": {"S": f"{at.isoformat()}#{run_id}"},
            "run_id": {"S": run_id},
        }
        with translated(f"noting the review of {run_id}"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def runs_of(self, project: str) -> list[str]:
        """Return the project's runs that had a review, the newest first."""
        found = self._query(f"project#{project}", newest_first=True, most=MOST_RUNS)
        return list(dict.fromkeys(item["run_id"]["S"] for item in found))

    def _query(
        self, partition: str, *, after: str = "", newest_first: bool = False, most: int | None = None
    ) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": partition}},
            "ScanIndexForward": not newest_first,
        }
        if after:
            asked["KeyConditionExpression"] += " AND sk > :after"
            asked["ExpressionAttributeValues"][":after"] = {"S": after}
        if most:
            asked["Limit"] = most
        items: list[dict[str, Any]] = []
        with translated(f"reading {partition}"):
            while True:
                page = self._dynamodb.query(**asked)
                items += page["Items"]
                if "LastEvaluatedKey" not in page or (most and len(items) >= most):
                    return items[:most]
                asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
