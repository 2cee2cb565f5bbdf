"""`storycast review` on the emulator, IAM on, by somebody who has the policy for reviewers and no other."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.target import Target, target_of
from tests.e2e.film import write_film
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

USER, RUN, PROJECT = "anna", "command-review-1", "commanded"
SETTINGS = "sampling: {frames_per_second: 2}\nreview: {mode: page, minimum_per_character: 1}\n"


@pytest.fixture
def theirs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """The stack as a target on AWS, with clients of a user who may review and no more."""
    iam = stack.aws.client("iam")
    iam.create_user(UserName=USER)
    policy = stack.aws.outputs["ReviewerPolicyArn"]
    iam.attach_user_policy(UserName=USER, PolicyArn=policy)
    keys = iam.create_access_key(UserName=USER)["AccessKey"]

    def client(service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=stack.aws.endpoints.of(service),
            region_name=stack.s3.meta.region_name,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
        )

    target = target_of("aws", "a stack", stack.aws.outputs, client)

    @contextmanager
    def opened(*_: Any) -> Iterator[Target]:
        yield target

    monkeypatch.setattr("cli.reviewing.opened", opened)
    monkeypatch.setattr("cli.reviewing.AWS_PAUSE_SECONDS", 0.2)
    yield target
    iam.delete_access_key(UserName=USER, AccessKeyId=keys["AccessKeyId"])
    iam.detach_user_policy(UserName=USER, PolicyArn=policy)
    iam.delete_user(UserName=USER)


def test_a_reviewer_does_it_all_with_the_reviewers_policy(
    stack: Stack, theirs: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "film.mp4", seed=43, shots=4)
    arn = stack.start_with(film, PROJECT, RUN, SETTINGS)
    stack.wait_until("the review", lambda: stack.record_if_there(RUN).get("status") == "in_review", 120)
    with pytest.raises(Exception, match=r"AccessDenied|not authorized"):
        theirs.stepfunctions.describe_execution(executionArn=arn)

    packed = CliRunner().invoke(app, ["review", RUN, "--bundle", "--out", str(tmp_path), "--target", "aws"])
    assert packed.exit_code == 0, packed.output
    assert "left out" not in packed.output
    with zipfile.ZipFile(tmp_path / f"review-{RUN}.zip") as opened:
        script = opened.read(f"review-{RUN}/data.js").decode()
    review = json.loads(script.partition("= ")[2].rstrip().rstrip(";"))["review"]
    crops = [one["image"]["crop_id"] for one in review["pictures"]]
    alternatives = [other["image"]["crop_id"] for one in review["pictures"] for other in one["alternatives"]]
    assert len(crops) > 1
    assert alternatives, "this film has duplicates"

    drafts = [
        {
            "id": "in-the-bundle",
            "what": "keep",
            "changes": [
                {"subject": f"picture:{crop}", "field": "verdict", "before": "open", "after": "kept"}
                for crop in crops[1:]
            ],
            "undoes": None,
            "when": "2026-01-01T00:00:00Z",
        }
    ]
    decided = {"format": "storycast-decisions-1", "run_id": RUN, "who": "carla", "decisions": drafts}
    (tmp_path / "decisions.json").write_text(json.dumps(decided), encoding="utf-8")
    taken = CliRunner().invoke(app, ["review", "--import", str(tmp_path / "decisions.json"), "--target", "aws"])
    assert taken.exit_code == 0, taken.output
    assert "1 taken in" in taken.output

    def act(url: str) -> bool:
        with httpx.Client(base_url=url.partition("/?")[0], trust_env=False) as client:
            client.get(url)
            given = client.get("/api/review").json()
            assert given["me"] == USER
            assert [one["who"] for one in given["decisions"]] == ["carla"]
            for crop in (crops[0], alternatives[0]):
                for size in ("thumb", "full"):
                    answer = client.get(f"/pictures/{crop}/{size}")
                    assert answer.status_code == 200, (crop, size, answer.text)
            draft = {**drafts[0], "id": "in-the-page", "what": "drop", "after": 1}
            draft.pop("when")
            draft["changes"] = [
                {"subject": f"picture:{crops[0]}", "field": "verdict", "before": "open", "after": "dropped"}
            ]
            assert client.post("/api/decisions", json=draft).json()["conflicts"] == []
            finished = client.post("/api/finish", json={"id": "finish-0001", "after": 2})
            assert finished.json()["status"]["state"] == "finished"
        return True

    monkeypatch.setattr("webbrowser.open", act)
    served = CliRunner().invoke(app, ["review", RUN, "--target", "aws"])
    assert served.exit_code == 0, served.output
    assert f"{USER} finished this review" in served.output
    ended = stack.wait(arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    approved = {one["image"]["crop_id"] for one in stack.lines(RUN, "dataset/pictures.jsonl")}
    assert approved == set(crops[1:])

    late = CliRunner().invoke(app, ["review", RUN, "--target", "aws"])
    assert late.exit_code == 2
    assert f"{USER} finished this review" in late.output
    none = CliRunner().invoke(app, ["review", "film-20260101-abcdef", "--target", "aws"])
    assert none.exit_code != 0
    assert "There is no run" in none.output or "no such run" in none.output
