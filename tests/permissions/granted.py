"""What the template's policies allow, as SAM translates them, with names in the place of what a deployment makes.

A resource is called by its logical id in angle brackets: `arn:aws:s3:::<MediaBucket>/runs/*`.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from local.policies import Need, Statement, decide, matches, read_statements
from local.servers import ACCOUNT_ID, REGION
from local.template import PARAMETERS
from tests.workflow.files import ROOT, template

STACK = "storycast"
REVIEWERS = "ReviewerPolicy"
"""Stands for the people whom this managed policy is given to."""

_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::StackName": STACK,
    "AWS::NoValue": None,
}
_ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{{}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{{}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT_ID}:role/{{}}",
    "AWS::ECR::Repository": f"arn:aws:ecr:{REGION}:{ACCOUNT_ID}:repository/{{}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{{}}",
}


@dataclass(frozen=True)
class Grant:
    """One statement of one role.

    Attributes:
        who: Logical id of the role, `ReviewerPolicy` for people who review.
        statement: What it says.
        condition: The template's condition that it is there under, empty for none.
    """

    who: str
    statement: Statement = field(hash=False)
    condition: str = ""

    def __str__(self) -> str:
        return f"{self.who}: {self.statement.sid}"

    def allows(self, action: str, resource: str | None) -> bool:
        """Whether it allows that, whatever its condition says; a resource that nobody knows is any."""
        return any(matches(one, action, ignore_case=True) for one in self.statement.actions) and (
            resource is None or any(matches(one, resource) for one in self.statement.resources)
        )


@cache
def translated() -> dict[str, Any]:
    """Return the template as SAM translates it."""
    command = [".tools/sam/bin/python", "checks/translate.py", "template.yaml"]
    environment = {"AWS_DEFAULT_REGION": REGION, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the translated resources of one type by logical id."""
    return {name: one for name, one in translated()["Resources"].items() if one["Type"] == kind}


@cache
def grants() -> tuple[Grant, ...]:
    """Return every statement of every role, and of the reviewers' policy."""
    return tuple(_grants())


def _grants() -> Iterator[Grant]:
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", ()):
            yield from _of_document(name, policy["PolicyDocument"])
    yield from _of_document(
        REVIEWERS, of_type("AWS::IAM::ManagedPolicy")[REVIEWERS]["Properties"]["PolicyDocument"]
    )


def _of_document(who: str, document: dict[str, Any]) -> Iterator[Grant]:
    for one in document["Statement"]:
        condition, inner = (one["Fn::If"][0], one["Fn::If"][1]) if "Fn::If" in one else ("", one)
        for statement in read_statements({"Statement": [resolved(inner)]}):
            yield Grant(who, statement, condition)


def holds(condition: str) -> bool:
    """Whether a condition of the template holds on the embedded AWS."""
    return bool(_condition(translated()["Conditions"][condition]))


def _condition(one: Any) -> Any:
    (function, arguments) = next(iter(one.items())) if isinstance(one, dict) else ("", one)
    if function == "Fn::Not":
        return not _condition(arguments[0])
    if function == "Fn::And":
        return all(_condition(argument) for argument in arguments)
    if function == "Fn::Equals":
        first, second = (resolved(argument) for argument in arguments)
        return first == second
    return holds(arguments) if function == "Condition" else resolved(one)


def resolved(value: Any) -> Any:
    """Return a value of the template with its functions written out."""
    if isinstance(value, list):
        return [one for one in map(resolved, value) if one is not None]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": name}:
            return _ref(name)
        case {"Fn::GetAtt": [name, "Arn"]}:
            return _arn(name)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)(\.Arn)?\}", _substituted, text)
        case {"Fn::If": [condition, yes, no]}:
            return resolved(yes if holds(condition) else no)
    return {name: inner for name, one in value.items() if (inner := resolved(one)) is not None}


def _substituted(found: re.Match[str]) -> str:
    # A parameter that is empty by default is called by its name, as a resource is.
    return str(_arn(found[1]) if found[2] else _ref(found[1]) or f"<{found[1]}>")


def _ref(name: str) -> Any:
    if name in _PSEUDO:
        return _PSEUDO[name]
    parameters = translated()["Parameters"]
    if name in parameters:
        return PARAMETERS.get(name, parameters[name].get("Default"))
    kind = translated()["Resources"][name]["Type"]
    if kind == "AWS::StepFunctions::StateMachine":
        machine = resolved(template()["Resources"][name]["Properties"]["Name"])
        return f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{machine}"
    return _arn(name) if kind == "AWS::SNS::Topic" else f"<{name}>"


def _arn(name: str) -> str:
    return _ARNS[translated()["Resources"][name]["Type"]].format(f"<{name}>")


@cache
def _logical_ids() -> dict[str, str]:
    return {name.lower(): name for name in translated()["Resources"]}


def logical(text: str) -> str:
    """Put logical ids in the place of the names that a deployment has made."""

    def named(found: re.Match[str]) -> str:
        name = _logical_ids().get(found[1].lower())
        return f"<{name}>" if name else found[0]

    return re.sub(rf"{STACK}-([A-Za-z0-9]+)-[0-9A-Fa-f]{{10,}}", named, text)


def is_allowed(who: str, need: Need) -> bool:
    """Whether a role may do that, whatever conditions say."""
    of_role = [Statement(**{**vars(one.statement), "conditions": {}}) for one in grants() if one.who == who]
    return decide(of_role, need) == "allowed"
