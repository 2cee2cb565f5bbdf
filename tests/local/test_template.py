"""Each change that the local form makes to a template, one by one, and that it makes no other."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.standins.a2i_world import BUILT_IN_ARN
from local.template import A2I_STANDIN_SOURCE, LITERAL_TIMEOUT_SECONDS, LocalTemplate
from local.tools import REPOSITORY, Tools
from tests.local.conftest import APP

LAYERS = Tools().repository / ".storycast/layers"


@pytest.fixture
def local() -> LocalTemplate:
    return LocalTemplate(APP / "template.yaml", Tools(), cores=4)


def localized(folder: Path, definition: dict[str, Any], cores: int = 2) -> Any:
    (folder / "machine.asl.json").write_text(json.dumps(definition))
    machine = {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "machine.asl.json"}}
    (folder / "template.yaml").write_text(yaml.safe_dump({"Resources": {"Machine": machine}}))
    return LocalTemplate(folder / "template.yaml", Tools(), cores).machines["Machine"]


def test_every_function_starts_a_runtime_client_of_its_own(local: LocalTemplate) -> None:
    functions = {name: local.document["Resources"][name] for name in local.functions}
    assert set(functions) == {"GreetItemFunction", "PaintItemFunction", "ShoutItemFunction"}
    for function in functions.values():
        assert function["Properties"]["Runtime"] == "provided.al2023"
        assert "Metadata" not in function
    assert "Runtime" not in local.document["Globals"]["Function"]


def test_handlers_are_those_of_the_template_and_of_the_image(local: LocalTemplate) -> None:
    handlers = {name: local.document["Resources"][name]["Properties"]["Handler"] for name in local.functions}
    assert handlers == {
        "GreetItemFunction": "app.handler",
        "PaintItemFunction": "app.paint",
        "ShoutItemFunction": "shout_item.app.handler",
    }


def test_a_function_gets_its_layers_and_their_requirements(local: LocalTemplate) -> None:
    greet, paint = local.functions["GreetItemFunction"], local.functions["PaintItemFunction"]
    assert greet.layers == (APP / "layers/storycast",)
    assert greet.requirements == (LAYERS / "storycast/python",)
    assert paint.requirements == (LAYERS / "storycast/python", LAYERS / "imaging/python")


def test_an_image_becomes_what_its_dockerfile_copies(local: LocalTemplate) -> None:
    shout = local.functions["ShoutItemFunction"]
    assert shout.copies == (
        (APP / "functions/shout_item", "shout_item"),
        (APP / "layers/storycast/greeting", "greeting"),
    )
    assert shout.requirements == (LAYERS / "image/python",)
    properties = local.document["Resources"]["ShoutItemFunction"]["Properties"]
    assert not {"PackageType", "ImageConfig", "ImageUri"} & set(properties)


def test_layers_leave_the_template(local: LocalTemplate) -> None:
    assert "AWS::Serverless::LayerVersion" not in json.dumps(local.document)


def test_all_else_stays_as_it_was(local: LocalTemplate) -> None:
    resources = local.document["Resources"]
    assert resources["Bucket"]["Properties"]["BucketName"] == {"Fn::Sub": "smalltown-${AWS::AccountId}"}
    assert resources["GreetItemFunction"]["Properties"]["Policies"][0]["Version"] == "2012-10-17"
    assert resources["GreetItemFunction"]["Properties"]["Environment"] == {
        "Variables": {"TABLE": {"Ref": "Table"}}
    }
    assert local.document["Outputs"]["GreetItemFunctionArn"] == {
        "Value": {"Fn::GetAtt": ["GreetItemFunction", "Arn"]}
    }
    assert local.document["Globals"]["Function"]["Environment"] == {"Variables": {"BUCKET": {"Ref": "Bucket"}}}


def test_the_small_machine_has_a_literal_concurrency(local: LocalTemplate) -> None:
    greet = local.machines["GreetAllMachine"]["States"]["GreetItems"]
    assert greet["MaxConcurrency"] == 8
    assert "MaxConcurrencyPath" not in greet


@pytest.mark.parametrize(
    ("state", "cores", "expected"),
    [
        ({"MaxConcurrencyPath": "$.settings.concurrency.segments"}, 16, 8),
        ({"MaxConcurrencyPath": "$.settings.concurrency.frames"}, 2, 4),
        ({"MaxConcurrencyPath": "$.settings.concurrency.captions"}, 16, 4),
        ({"MaxConcurrencyPath": "$.something"}, 3, 6),
        ({"MaxConcurrency": 40}, 2, 4),
        ({"MaxConcurrency": 1}, 2, 1),
    ],
)
def test_concurrency_fits_the_machine(tmp_path: Path, state: dict[str, Any], cores: int, expected: int) -> None:
    definition = {"States": {"Each": {"Type": "Map", **state}}}
    assert localized(tmp_path, definition, cores)["States"]["Each"] == {"Type": "Map", "MaxConcurrency": expected}


def test_values_from_paths_that_the_emulator_ignores_become_literals(tmp_path: Path) -> None:
    state = {"TimeoutSecondsPath": "$.t", "HeartbeatSecondsPath": "$.h", "ToleratedFailureCountPath": "$.f"}
    definition = {"States": {"Outer": {"ItemProcessor": {"States": {"Inner": state}}}}}
    inner = localized(tmp_path, definition)["States"]["Outer"]["ItemProcessor"]["States"]["Inner"]
    assert inner == {
        "TimeoutSeconds": LITERAL_TIMEOUT_SECONDS,
        "HeartbeatSeconds": LITERAL_TIMEOUT_SECONDS,
        "ToleratedFailurePercentage": 100,
    }


def test_a_rule_on_a2i_hears_the_stand_in_too(tmp_path: Path) -> None:
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker A2I HumanLoop Status Change"]}
    rule = {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern}}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": {"Rule": rule}}))
    found = LocalTemplate(tmp_path / "template.yaml", Tools()).document["Resources"]["Rule"]["Properties"]
    assert found["EventPattern"]["source"] == ["aws.sagemaker", A2I_STANDIN_SOURCE]
    assert found["EventPattern"]["detail-type"] == pattern["detail-type"]


def test_a_denial_of_plain_http_is_dropped_and_nothing_else(tmp_path: Path) -> None:
    tls = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    other = {"Effect": "Deny", "Action": "s3:DeleteBucket"}

    def policy(*rules: Any) -> dict[str, Any]:
        return {"Type": "AWS::S3::BucketPolicy", "Properties": {"PolicyDocument": {"Statement": list(rules)}}}

    resources = {"Only": policy(tls), "Both": policy(tls, other)}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    assert LocalTemplate(tmp_path / "template.yaml", Tools()).document["Resources"] == {"Both": policy(other)}


def test_services_may_assume_roles_without_conditions_and_nobody_else(tmp_path: Path) -> None:
    def role(principal: dict[str, str], **more: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
        return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [statement]}}}

    condition = {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    service, person = {"Service": "bedrock.amazonaws.com"}, {"AWS": "arn:aws:iam::111122223333:root"}
    resources = {"Service": role(service, Condition=condition), "Person": role(person, Condition=condition)}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    found = LocalTemplate(tmp_path / "template.yaml", Tools()).document["Resources"]
    assert found == {"Service": role(service), "Person": role(person, Condition=condition)}


def test_task_tokens_may_be_answered_and_nothing_else_is_widened(tmp_path: Path) -> None:
    def policy(action: str, resource: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [statement]}}}

    arn = "arn:aws:states:us-east-1:111122223333:stateMachine:storycast-build-dataset"
    resources = {"Answer": policy("states:SendTaskSuccess", arn), "Start": policy("states:StartExecution", arn)}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    found = LocalTemplate(tmp_path / "template.yaml", Tools()).document["Resources"]
    assert found == {
        "Answer": policy("states:SendTaskSuccess", "*"),
        "Start": policy("states:StartExecution", arn),
    }


def test_the_stack_is_told_of_the_stand_ins_flow_definition_and_trains_on_sagemaker(tmp_path: Path) -> None:
    assert LocalTemplate(REPOSITORY / "template.yaml", Tools()).parameters == {
        "A2iFlowDefinitionArn": BUILT_IN_ARN,
        "SageMakerTraining": "on",
    }
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": {}}))
    assert LocalTemplate(tmp_path / "template.yaml", Tools()).parameters == {}
