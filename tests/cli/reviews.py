"""Runs that wait for their review, and people who decide, for the command's tests."""

from pathlib import Path
from typing import Any

import httpx
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli.main import app
from cli.reviews import open_review
from cli.target import Target
from storycast.decisions import Change
from storycast.review import Review
from storycast.review_desk import Proposal
from tests.cli.records import RUN_ID, put_record, put_review
from tests.cli.stepfunctions import FakeStepFunctions


def invoke(*arguments: str | Path, **options: Any) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), **options)


def wait_for_people(
    target: Target, stepfunctions: FakeStepFunctions, run_id: str = RUN_ID, **fields: Any
) -> Review:
    """Have a run wait, as Step Functions sees it, too."""
    put_record(target, run_id, status="in_review", execution_arn=stepfunctions.execution_arn)
    return put_review(target, run_id, **fields)


def keep(crop_id: str, after: str = "kept", before: str = "open") -> Change:
    return Change(subject=f"picture:{crop_id}", field="verdict", before=before, after=after)


def decide(target: Target, who: str, *changes: Change, decision_id: str = "decision-0001") -> None:
    open_review(target, RUN_ID).desk.decide(Proposal(decision_id, who, "keep", "page", changes))


def decisions(target: Target) -> list[tuple[str, str, str]]:
    return [(one.who, one.what, one.via) for one in open_review(target, RUN_ID).desk.decisions()]


def finish_in_page(client: httpx.Client) -> None:
    assert client.post("/api/finish", json={"id": "finish-0001", "after": 0}).status_code == 200


def refused(operation: str, code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "not authorized"}}, operation)
