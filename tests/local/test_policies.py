"""Policies as they are read and decided here; `tests/permissions` compares with the emulator's own decisions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.policies import Need, UnreadPolicyError, decide, matches, read_statements

BUCKET = "arn:aws:s3:::media"


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("pattern", "text", "is_so"),
    [
        ("*", "", True),
        ("arn:aws:s3:::media/runs/*", "arn:aws:s3:::media/runs/a/b.json", True),
        ("arn:aws:s3:::media/runs/*", "arn:aws:s3:::media/footage/runs/b", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("runs/*", "RUNS/x", False),
        ("runs/*", "runs/a\nb", True),
    ],
)
def test_patterns(pattern: str, text: str, *, is_so: bool) -> None:
    assert matches(pattern, text) is is_so


@given(st.text(), st.text())
def test_a_text_without_wildcards_matches_itself_alone(text: str, other: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert matches(plain, plain)
    assert matches(plain, other) == (plain == other)
    assert matches(f"{plain}*", plain + other)


def test_what_nobody_allows_is_denied_and_a_denial_beats_all() -> None:
    get = Need("s3:GetObject", f"{BUCKET}/runs/1/run.json")
    assert decide([], get) == "implicitDeny"
    allowed = read_statements(_policy(_allow(["S3:getobject"], f"{BUCKET}/runs/*")))
    assert decide(allowed, get) == "allowed", "actions are compared whatever their case"
    assert decide(allowed, Need("s3:PutObject", get.resource)) == "implicitDeny"
    assert decide(allowed, Need("s3:GetObject", f"{BUCKET}/Runs/1")) == "implicitDeny"
    denied = read_statements(json.dumps(_policy(_allow("s3:*"), {**_allow("s3:Get*"), "Effect": "Deny"})))
    assert decide(denied, get) == "explicitDeny"


CONDITIONS: list[tuple[dict[str, Any], dict[str, tuple[str, ...]], bool]] = [
    ({"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}}, {}, False),
    ({"StringEquals": {"iam:PassedToService": ["a", "b"]}}, {"IAM:passedtoservice": ("b",)}, True),
    ({"StringEquals": {"iam:PassedToService": "b"}}, {"iam:PassedToService": ("B",)}, False),
    ({"StringLike": {"s3:prefix": ["runs/*"]}}, {"s3:prefix": ("runs/1",)}, True),
    ({"StringLike": {"s3:prefix": ["runs/*"]}}, {"s3:prefix": ("footage/1",)}, False),
    ({"ForAllValues:StringLike": {"a:Keys": ["log#*"]}}, {}, True),
    (
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["log#*"]}},
        {"dynamodb:LeadingKeys": ("log#1", "x")},
        False,
    ),
    ({"Null": {"aws:ResourceTag/storycast:run": "false"}}, {"aws:ResourceTag/storycast:run": ("r",)}, True),
    ({"Null": {"aws:ResourceTag/storycast:run": "false"}}, {}, False),
    ({"Null": {"aws:ResourceTag/storycast:run": True}}, {}, True),
    ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:SecureTransport": ("False",)}, True),
    (
        {"ArnEquals": {"aws:SourceArn": "arn:aws:bedrock:*:1:job/*"}},
        {"aws:SourceArn": ("arn:aws:bedrock:x:1:job/y",)},
        True,
    ),
    ({"StringEquals": {"a": "1"}, "StringLike": {"b": "*"}}, {"a": ("1",)}, False),
]


@pytest.mark.parametrize(("condition", "context", "is_met"), CONDITIONS)
def test_conditions(condition: dict[str, Any], context: dict[str, tuple[str, ...]], *, is_met: bool) -> None:
    statements = read_statements(_policy(_allow("iam:PassRole", Condition=condition)))
    expected = "allowed" if is_met else "implicitDeny"
    assert decide(statements, Need("iam:PassRole", "arn:aws:iam::1:role/x", context)) == expected


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "NotResource": "*"},
        _allow("s3:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        _allow("s3:*", Condition={"ForAnyValue:StringLike": {"a": "b"}}),
        _allow("s3:*", Condition={"StringEqualsIfExists": {"a": "b"}}),
        _allow("s3:*", f"{BUCKET}/${{aws:username}}/*"),
        _allow("s3:*", Condition={"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}}),
    ],
)
def test_what_is_not_read_is_refused_not_guessed(statement: dict[str, Any]) -> None:
    with pytest.raises(UnreadPolicyError):
        read_statements(_policy(statement))
