"""Nobody gets in: who may assume roles, and what is open to whom, in the template as SAM translates it."""

import json
from typing import Any

import pytest

from local.policies import listed
from local.servers import ACCOUNT_ID, REGION
from tests.permissions.granted import of_type, resolved, translated

ROLES = of_type("AWS::IAM::Role")
SOURCES = {
    "bedrock.amazonaws.com": f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:model-customization-job/*",
    "states.amazonaws.com": f"arn:aws:states:{REGION}:{ACCOUNT_ID}:*",
    "events.amazonaws.com": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/storycast-*",
}
"""On behalf of what a service may assume a role, where AWS documents `aws:SourceArn` for it; of Lambda and
SageMaker the account alone is asked: a wrong ARN there would show on a real account only."""
TYPES = {
    "AWS::DynamoDB::Table",
    "AWS::ECR::Repository",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::StepFunctions::StateMachine",
}
"""All that the stack is made of: no function URL, no API, no queue, no bus, no user. One more needs a look."""
OF_AWS = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": "SAM gives it to every function: logs.",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess": "SAM gives it to every function that is traced: traces.",
}
"""The policies of AWS's own that roles have."""


@pytest.mark.parametrize("name", ROLES)
def test_one_service_may_assume_a_role_for_this_account_alone(name: str) -> None:
    (trust,) = resolved(ROLES[name]["Properties"]["AssumeRolePolicyDocument"])["Statement"]
    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    ((kind, service),) = trust["Principal"].items()
    assert kind == "Service"
    condition = trust["Condition"]
    assert condition["StringEquals"] == {"aws:SourceAccount": ACCOUNT_ID}
    sources = [one["aws:SourceArn"] for operator, one in condition.items() if operator.startswith("Arn")]
    assert sources == [SOURCES[service]] if service in SOURCES else not sources


@pytest.mark.parametrize("name", ROLES)
def test_a_role_has_policies_of_its_own_and_takes_a_boundary(name: str) -> None:
    facts = ROLES[name]["Properties"]
    assert set(facts.get("ManagedPolicyArns", ())) <= set(OF_AWS)
    assert facts["PermissionsBoundary"] == {
        "Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]
    }
    assert translated()["Parameters"]["PermissionsBoundaryArn"]["Default"] == ""
    for policy in facts["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            inner = statement["Fn::If"][1] if "Fn::If" in statement else statement
            assert inner["Effect"] == "Allow"
            assert not [action for action in listed(inner["Action"]) if "*" in action]
            assert not {"NotAction", "NotResource", "Principal"} & set(inner)


def test_the_stack_is_made_of_nothing_that_opens_a_door() -> None:
    assert {one["Type"] for one in translated()["Resources"].values()} == TYPES


def test_policies_of_resources_deny_and_allow_nobody_anything() -> None:
    for kind in ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"):
        for one in of_type(kind).values():
            (statement,) = one["Properties"]["PolicyDocument"]["Statement"]
            assert statement["Effect"] == "Deny"
            assert statement["Principal"] == "*"
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for table in of_type("AWS::DynamoDB::Table").values():
        assert "ResourcePolicy" not in table["Properties"]
    for repository in of_type("AWS::ECR::Repository").values():
        assert "RepositoryPolicyText" not in repository["Properties"]


def test_one_rule_alone_may_invoke_one_function() -> None:
    (permission,) = of_type("AWS::Lambda::Permission").values()
    facts = permission["Properties"]
    assert facts["Principal"] == "events.amazonaws.com"
    rule = facts["SourceArn"]["Fn::GetAtt"][0]
    (target,) = of_type("AWS::Events::Rule")[rule]["Properties"]["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0] == facts["FunctionName"]["Ref"] == "CompleteHumanReviewFunction"


def test_rules_have_no_other_targets_than_the_stacks_own() -> None:
    own = {*of_type("AWS::StepFunctions::StateMachine"), *of_type("AWS::Lambda::Function")}
    for rule in of_type("AWS::Events::Rule").values():
        assert "EventBusName" not in rule["Properties"], "the account's own bus"
        for target in rule["Properties"]["Targets"]:
            arn: dict[str, Any] = target["Arn"]
            assert (arn.get("Ref") or arn["Fn::GetAtt"][0]) in own


def test_nothing_public() -> None:
    (bucket,) = of_type("AWS::S3::Bucket").values()
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert not {"AccessControl", "WebsiteConfiguration"} & set(bucket["Properties"])
    for function in of_type("AWS::Lambda::Function").values():
        assert "FunctionUrlConfig" not in json.dumps(function)
    for topic in of_type("AWS::SNS::Topic").values():
        assert "DataProtectionPolicy" not in topic["Properties"]
    (subscription,) = of_type("AWS::SNS::Subscription").values()
    assert subscription["Condition"] == "HasNotifyEmail"


def test_environments_hold_no_secrets() -> None:
    for name, function in of_type("AWS::Lambda::Function").items():
        for variable in function["Properties"]["Environment"]["Variables"]:
            assert not {"SECRET", "PASSWORD", "TOKEN", "KEY"} & set(variable.split("_")), (name, variable)
