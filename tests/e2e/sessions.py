"""Training sessions on the deployed stack: waited for with their teardowns, and looked at for what they leave."""

import json
from typing import Any

from storycast.caption_lint.findings import RULES
from tests.e2e.stack import Ended, Stack


def torn_down(stack: Stack, arn: str) -> Ended:
    """Wait until an execution has ended, the teardown that its end starts has ended, and every other one, too."""
    ended = stack.wait(arn)
    if ended.status != "SUCCEEDED":
        stack.wait_until("the teardown", lambda: _is_torn_down(stack, arn))
    # A stopped execution's own teardown goes on without it, here as far as the next test.
    stack.wait_until("no teardown at work", lambda: not stack.is_at_work(stack.tear_down_machine))
    stack.wait_until("nothing billed", lambda: not stack.billed())
    return ended


def _is_torn_down(stack: Stack, arn: str) -> bool:
    """Whether the teardown that an execution's end starts has ended; those that it began itself are others."""
    for one in stack.executions(stack.tear_down_machine):
        told = stack.states.describe_execution(executionArn=one)
        is_of_its_end = json.loads(told["input"]).get("detail", {}).get("executionArn") == arn
        if is_of_its_end and told["status"] != "RUNNING":
            assert told["status"] == "SUCCEEDED", told
            return True
    return False


def by_hand(stack: Stack, run_id: str) -> dict[str, Any]:
    """Return what trains on a run's dataset as on one that somebody put below ``datasets/``: the same pictures."""
    folder, lines = f"datasets/{run_id}/", []
    for line in stack.read(f"runs/{run_id}/dataset/approved.jsonl").splitlines():
        picture = json.loads(line)
        name = picture["image-ref"].rpartition("/")[2]
        stack.put(f"{folder}{name}", stack.read(f"runs/{run_id}/dataset/images/{name}"))
        lines.append(json.dumps({**picture, "image-ref": f"s3://{stack.bucket}/{folder}{name}"}))
    stack.put(f"{folder}manifest.jsonl", "\n".join(lines).encode())
    # All rules: the stand-in's captions may be more alike than people's.
    return {"manifest_key": f"{folder}manifest.jsonl", "acknowledge": list(RULES)}


def leave_rows(stack: Stack, run_id: str, change: str, **names: str) -> None:
    """Leave the rows of what is billed for a run as a crash between a call and its note leaves them."""
    dynamodb, table = stack.aws.client("dynamodb"), stack.aws.outputs["TableName"]
    said = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": {":live": {"S": "live"}}}
    for item in dynamodb.scan(TableName=table)["Items"]:
        if item["pk"]["S"].startswith("billing#") and item["run_id"]["S"] == run_id:
            dynamodb.update_item(
                TableName=table, Key={"pk": item["pk"]}, UpdateExpression=change, **(said if names else {})
            )


def assert_rows_are_closed(stack: Stack) -> None:
    """Check that the billing book has rows, and that nothing of them is still billed."""
    rows = stack.aws.client("dynamodb").query(
        TableName=stack.aws.outputs["TableName"],
        IndexName="by-billing",
        KeyConditionExpression="#book = :book",
        ExpressionAttributeNames={"#book": "book"},
        ExpressionAttributeValues={":book": {"S": "billing"}},
    )["Items"]
    assert rows
    assert {row["state"]["S"] for row in rows} == {"ended"}, rows
