"""The comparison of rights and calls finds what it is there to find."""

from typing import Any

import pytest

from local.policies import Need, read_statements
from tests.permissions.compared import allowed_by_none, needless_resources, unused_actions
from tests.permissions.granted import REVIEWERS, Grant, is_allowed, logical
from tests.permissions.used import STRANGER, Use, caller, needed

MEDIA = "arn:aws:s3:::<MediaBucket>"
(STATEMENT,) = read_statements(
    {
        "Statement": [
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:DeleteObject"],
                "Resource": [f"{MEDIA}/runs/*", f"{MEDIA}/footage/*"],
            }
        ]
    }
)
GRANT = Grant("ARole", STATEMENT)


def _use(action: str, key: str | None) -> Use:
    return Use("ARole", action, None if key is None else f"{MEDIA}/{key}")


def test_an_action_and_a_resource_that_nothing_uses_are_found() -> None:
    calls = [_use("s3:GetObject", "runs/1/run.json"), _use("s3:PutObject", "footage/1")]
    assert unused_actions(GRANT, calls) == ["s3:DeleteObject"]
    assert needless_resources(GRANT, calls) == [f"{MEDIA}/footage/*"]
    calls += [_use("s3:DeleteObject", "footage/1/x.jpg")]
    assert not unused_actions(GRANT, calls)
    assert not needless_resources(GRANT, calls)


def test_a_call_about_something_else_uses_nothing() -> None:
    calls = [_use("s3:GetObject", "uploads/film.mp4"), _use("s3:DeleteObject", "uploads/film.mp4")]
    assert unused_actions(GRANT, calls) == list(STATEMENT.actions)
    assert needless_resources(GRANT, calls) == list(STATEMENT.resources)


def test_a_call_of_which_the_resource_is_not_known_uses_all() -> None:
    assert unused_actions(GRANT, [_use("s3:GetObject", None)]) == ["s3:DeleteObject"]
    assert not needless_resources(GRANT, [_use("s3:GetObject", None)])


def test_a_call_that_no_statement_allows_is_told_from_one_that_some_does() -> None:
    role = "PrepareRunFunctionRole"
    assert is_allowed(role, Need("s3:PutObject", f"{MEDIA}/runs/1/run.json"))
    assert not is_allowed(role, Need("s3:PutObject", f"{MEDIA}/uploads/film.mp4"))
    assert not is_allowed(role, Need("s3:DeleteObject", f"{MEDIA}/runs/1/run.json"))


def test_a_denied_call_is_one_that_no_statement_allows_but_for_whose_denials_are_tried() -> None:
    role, secret = "PrepareRunFunctionRole", f"{MEDIA}/uploads/film.mp4"
    denied = Use(role, "s3:DeleteObject", secret, is_denied=True)
    calls = [denied, Use(role, "s3:GetObject", secret), Use(role, "s3:GetObject", secret, is_denied=True)]
    assert allowed_by_none(calls, ()) == [denied]
    assert not allowed_by_none(calls, {role})
    assert allowed_by_none([Use(role, "s3:DeleteObject", secret)], {role}), "it went through"


BUCKET, HERE = "storycast-mediabucket-4b9c0b5fe6f01", "us-east-1:000000000000"
CALLS: list[tuple[dict[str, Any], list[tuple[str, str | None]]]] = [
    (
        {"service": "s3", "operation": "HeadObject", "resources": [f"{BUCKET}/runs/1"]},
        [("s3:GetObject", f"{MEDIA}/runs/1"), ("s3:ListBucket", MEDIA)],
    ),
    (
        {"service": "s3", "operation": "GetObject", "resources": [f"{BUCKET}/uploads/a", "versionId=7"]},
        [("s3:GetObjectVersion", f"{MEDIA}/uploads/a"), ("s3:ListBucket", MEDIA)],
    ),
    ({"service": "s3", "operation": "UploadPart", "resources": [f"{BUCKET}/a"]}, [("s3:PutObject", f"{MEDIA}/a")]),
    ({"service": "s3", "operation": "ListObjectsV2", "resources": [BUCKET]}, [("s3:ListBucket", MEDIA)]),
    (
        {
            "service": "dynamodb",
            "operation": "Query",
            "resources": ["storycast-Table-CE00B5B36C82D/index/by-billing", "storycast-Table-CE00B5B36C82D"],
        },
        [("dynamodb:Query", f"arn:aws:dynamodb:{HERE}:table/<Table>/index/by-billing")],
    ),
    (
        {"service": "iam", "operation": "GetRole", "resources": ["storycast-TrainingRole-EF2385DA479E0"]},
        [("iam:GetRole", "arn:aws:iam::000000000000:role/<TrainingRole>")],
    ),
    (
        {"service": "stepfunctions", "operation": "SendTaskSuccess", "resources": []},
        [("states:SendTaskSuccess", None)],
    ),
]


@pytest.mark.parametrize(("call", "expected"), CALLS)
def test_what_a_call_needs(call: dict[str, Any], expected: list[tuple[str, str | None]]) -> None:
    found = [(action, resource and logical(resource)) for action, resource in needed({"status": 200, **call})]
    assert found == expected


def test_a_session_of_an_unknown_role_is_not_taken_for_a_reviewers() -> None:
    role = "storycast-TrainingRole-EF2385DA479E0"
    assert caller({"role": role, "access_key_id": "ASIA1"}) == "TrainingRole"
    assert caller({"role": None, "access_key_id": "AKIA1"}) == REVIEWERS
    assert caller({"role": None, "access_key_id": "ASIA1"}) == STRANGER


def test_names_that_are_no_deployments_stay() -> None:
    for text in (
        "storycast-build-dataset",
        f"arn:aws:states:{HERE}:stateMachine:storycast-tear-down",
        "storycast-local",
    ):
        assert logical(text) == text
