"""What was asked for while the end-to-end tests ran: of the gateway's records and of the stand-ins'."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from local.servers import ACCOUNT_ID, REGION, ROOT_KEY, STOOD_IN
from tests.e2e.left import CALLS
from tests.permissions.granted import REVIEWERS, logical

_S3_ACTIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
_ALWAYS_ALLOWED = {"sts"}
STRANGER = "somebody"
"""Who has the key of a session that the gateway could not tell the role of: nobody of the template."""


@dataclass(frozen=True)
class Use:
    """A right that a call needed.

    Attributes:
        who: Logical id of the role; `ReviewerPolicy` for people who review.
        action: IAM's action.
        resource: By logical ids; None where the record does not tell, as with a task token.
        is_denied: Whether it was denied.
    """

    who: str
    action: str
    resource: str | None
    is_denied: bool = False


def records(suites: tuple[str, ...]) -> list[Path]:
    """Return the files that the tests left."""
    return [path for suite in suites for path in sorted((CALLS / suite).glob("*.jsonl"))]


@cache
def uses(suites: tuple[str, ...]) -> frozenset[Use]:
    """Return every right that was asked for, each once."""
    return frozenset(
        use
        for path in records(suites)
        for line in path.read_text("utf-8").splitlines()
        for use in (_of_stand_ins if path.name.endswith(".rights.jsonl") else _of_gateway)(json.loads(line))
    )


def _of_stand_ins(right: dict[str, Any]) -> Iterator[Use]:
    who = _role(right["role"]) if right["role"] else REVIEWERS
    yield Use(who, right["action"], logical(right["resource"]), right["decision"] != "allowed")


def _of_gateway(call: dict[str, Any]) -> Iterator[Use]:
    if call["service"] in {*STOOD_IN, *_ALWAYS_ALLOWED} or not call["operation"]:
        return  # the stand-ins say it themselves
    if call["access_key_id"] in {None, "", ROOT_KEY, ACCOUNT_ID}:
        return
    is_denied = call["status"] == 403
    for action, resource in needed(call):
        yield Use(caller(call), action, resource and logical(resource), is_denied)


def caller(call: dict[str, Any]) -> str:
    """Return who made a call that is not the account's root: the users of the tests are all reviewers."""
    if call["role"]:
        return _role(call["role"])
    return REVIEWERS if call["access_key_id"].startswith("AKIA") else STRANGER


def needed(call: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield the actions, and the resources that they were asked on, of a call that the gateway has seen."""
    service, operation, told = call["service"], call["operation"], call["resources"]
    first = told[0] if told else None
    here = f"{REGION}:{ACCOUNT_ID}"
    if service == "s3":
        action = _S3_ACTIONS.get(operation, operation)
        if action == "GetObject" and any(one.startswith("versionId=") for one in told):
            action = "GetObjectVersion"
        yield f"s3:{action}", f"arn:aws:s3:::{first}"
        if action.startswith("GetObject"):
            # Without this right S3 answers 403 for what is not there: a result of another run, or a lost one.
            yield "s3:ListBucket", f"arn:aws:s3:::{str(first).partition('/')[0]}"
    elif service == "dynamodb":
        table = next((one for one in told if "/index/" in one), first)
        yield f"dynamodb:{operation}", f"arn:aws:dynamodb:{here}:table/{table}"
    elif service == "iam":
        yield f"iam:{operation}", f"arn:aws:iam::{ACCOUNT_ID}:role/{first}"
    elif service == "ecr":
        yield f"ecr:{operation}", f"arn:aws:ecr:{here}:repository/{first}"
    elif service == "cloudformation":
        yield f"cloudformation:{operation}", f"arn:aws:cloudformation:{here}:stack/{first}/an-id"
    elif service == "stepfunctions":
        yield f"states:{operation}", first
    else:
        yield f"{service}:{operation}", first


def _role(name: str) -> str:
    return logical(name).strip("<>")
