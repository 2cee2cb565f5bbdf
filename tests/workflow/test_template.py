"""What the template promises, beyond what linters look at."""

import re
from typing import Any

import pytest

from tests.workflow.definition import ROOT, machine, template

RESOURCES = template()["Resources"]
FUNCTIONS = {name: r for name, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"}
MACHINE = RESOURCES["BuildDatasetStateMachine"]["Properties"]


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    policies = resource.get("Properties", resource)["Policies"]
    return [statement for policy in policies for statement in policy["Statement"]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def granted(resource: dict[str, Any]) -> set[str]:
    return {action for statement in statements(resource) for action in as_list(statement["Action"])}


def test_the_bucket_is_private_versioned_encrypted_and_tells_of_uploads() -> None:
    bucket = RESOURCES["MediaBucket"]["Properties"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["NotificationConfiguration"]["EventBridgeConfiguration"] == {"EventBridgeEnabled": True}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["footage-results"]["Prefix"] == "footage/"
    assert "AbortIncompleteMultipartUpload" in rules["old-versions-and-broken-uploads"]
    assert set(bucket["CorsConfiguration"]["CorsRules"][0]["AllowedMethods"]) == {"GET", "HEAD"}
    assert RESOURCES["MediaBucket"]["DeletionPolicy"] == "Retain"


def test_plain_http_is_denied_to_everyone() -> None:
    (statement,) = RESOURCES["MediaBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


def test_only_uploads_with_content_start_a_run() -> None:
    pattern = MACHINE["Events"]["Upload"]["Properties"]["Pattern"]
    assert pattern["detail"]["object"] == {"key": [{"prefix": "uploads/"}], "size": [{"numeric": [">", 0]}]}
    assert pattern["detail-type"] == ["Object Created"]


def test_the_machine_has_a_fixed_name_traces_and_logs_no_execution_data() -> None:
    assert MACHINE["Name"] == {"Fn::Sub": "${AWS::StackName}-build-dataset"}
    assert MACHINE["Tracing"] == {"Enabled": True}
    assert MACHINE["Logging"]["IncludeExecutionData"] is False


def test_the_machine_may_do_what_a_distributed_map_needs_and_invoke_its_functions_alone() -> None:
    by_sid = {statement["Sid"]: statement for statement in statements(RESOURCES["BuildDatasetStateMachine"])}
    own = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:%s:${AWS::StackName}-build-dataset"
    assert by_sid["StartChildrenOfMaps"]["Action"] == "states:StartExecution"
    assert by_sid["StartChildrenOfMaps"]["Resource"] == {"Fn::Sub": own % "stateMachine"}
    assert set(by_sid["FollowChildrenOfMaps"]["Action"]) >= {"states:DescribeExecution", "states:StopExecution"}
    assert by_sid["FollowChildrenOfMaps"]["Resource"] == {"Fn::Sub": f"{own % 'execution'}/*"}
    invoked = {resource["Fn::GetAtt"][0] for resource in by_sid["InvokeFunctions"]["Resource"]}
    placeholders = set(re.findall(r"\$\{(\w+)Arn\}", str(machine())))
    assert invoked == placeholders
    assert "s3:PutObject" in by_sid["WriteMapResults"]["Action"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_statements_of_its_own_and_no_managed_policy(name: str) -> None:
    function = FUNCTIONS[name]
    assert "Role" not in function["Properties"]
    for statement in statements(function):
        assert statement["Effect"] == "Allow"
        assert all("*" not in action for action in as_list(statement["Action"]))


def test_wildcard_resources_have_a_reason_beside_them() -> None:
    for line in (ROOT / "template.yaml").read_text().splitlines():
        if re.match(r'\s*Resource: "\*"', line):
            assert "# " in line, line


@pytest.mark.parametrize(
    ("function", "actions"),
    {
        "PrepareRunFunction": {"dynamodb:PutItem"},
        "CheckPlanFunction": {"bedrock:GetFoundationModel"},
        "DetectCharactersFunction": {"rekognition:DetectLabels"},
        "BuildCastFunction": {"bedrock:InvokeModel"},
        "CropCharactersFunction": {"bedrock:InvokeModel"},
        "CaptionImagesFunction": {"bedrock:InvokeModel"},
        "ApplyReviewFunction": {"sns:Publish"},
        "RecordFailureFunction": {"dynamodb:GetItem", "sns:Publish"},
    }.items(),
)
def test_only_those_who_need_it_may_do_more_than_storage(function: str, actions: set[str]) -> None:
    storage = {"s3:ListBucket", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}
    assert granted(FUNCTIONS[function]) - storage == actions


def test_no_other_function_may() -> None:
    storage = {"s3:ListBucket", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}
    others = [name for name in FUNCTIONS if granted(FUNCTIONS[name]) - storage]
    assert len(others) == 8


def test_video_needs_the_image_and_nothing_else_does() -> None:
    images = {name for name, function in FUNCTIONS.items() if function["Properties"].get("PackageType") == "Image"}
    assert images == {"ProbeFootageFunction", "SampleFramesFunction"}
    for name in images:
        assert FUNCTIONS[name]["Metadata"]["Dockerfile"] == "functions/sample_frames/Dockerfile"
    dockerfile = (ROOT / "functions/sample_frames/Dockerfile").read_text()
    assert "FROM public.ecr.aws/lambda/python:3.13" in dockerfile
    assert re.search(r"^USER (?!root|0)", dockerfile, re.MULTILINE)
    assert "--require-hashes" in dockerfile
