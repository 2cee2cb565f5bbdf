"""The stand-ins hold functions to their policies, and read policies as the emulator's own IAM does."""

import json
from collections.abc import Iterator

import pytest

from local.callers import Caller, Callers
from local.policies import Need, Statement, decide
from tests.e2e.invoking import invoke
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

SWEEP = {"request": {"scope": "expired"}}


def roles(stack: Stack) -> Iterator[tuple[str, list[Statement]]]:
    """Yield the stack's roles with what the stand-ins read of their policies."""
    callers = Callers(stack.aws.client)
    for page in stack.aws.client("iam").get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if role["RoleName"].startswith("storycast-"):
                yield role["Arn"], callers.statements(Caller(role["Arn"], role=role["RoleName"]))


def test_a_function_may_call_the_stand_ins_as_long_as_its_policy_says_so(stack: Stack) -> None:
    assert "errorType" not in invoke(stack, "FindUnowned", SWEEP)
    iam = stack.aws.client("iam")
    role = next(arn.rpartition("/")[2] for arn, _ in roles(stack) if "-FindUnownedFunctionRole-" in arn)
    denial = {"Effect": "Deny", "Action": "bedrock:List*", "Resource": "*"}
    policy = {"RoleName": role, "PolicyName": "denial"}
    iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    try:
        mark = stack.calls_so_far()
        # Its policy is known for a second after the last call.
        stack.wait_until("a refusal", lambda: "errorType" in invoke(stack, "FindUnowned", SWEEP), 20)
        told = invoke(stack, "FindUnowned", SWEEP)
        assert "is not authorized to perform: bedrock:ListProvisionedModelThroughputs" in told["errorMessage"]
        assert "with an explicit deny" in told["errorMessage"]
        assert {one["error"] for one in stack.calls(mark)} <= {None, "AccessDeniedException"}
    finally:
        iam.delete_role_policy(**policy)
    stack.wait_until("its right", lambda: "errorType" not in invoke(stack, "FindUnowned", SWEEP), 20)


def test_policies_are_decided_as_the_emulator_decides_them(stack: Stack) -> None:
    iam = stack.aws.client("iam")
    found = list(roles(stack))
    everything = {
        action
        for _, statements in found
        for one in statements
        for action in one.actions
        # Of these decide policies of AWS's own, too, which the stand-ins pass over.
        if not action.startswith(("logs:", "xray:"))
    }
    decided = set()
    for arn, statements in found:
        for statement in statements:
            resource = statement.resources[0].replace("*", "some/thing")
            answer = iam.simulate_principal_policy(
                PolicySourceArn=arn, ActionNames=sorted(everything), ResourceArns=[resource]
            )
            for one in answer["EvaluationResults"]:
                ours = decide(statements, Need(one["EvalActionName"], resource))
                assert ours == one["EvalDecision"], (arn, one["EvalActionName"], resource)
                decided.add(ours)
    assert decided == {"allowed", "implicitDeny"}
