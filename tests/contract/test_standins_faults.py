"""Fault rules: every modelled error of every operation, cuts, garbage and delays, seen by a real client."""

import base64
import contextlib
import json
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from local.standins.server import SERVICES
from local.standins.service import Service, World
from tests.contract.standin_pictures import jpeg

BODY = json.dumps({"inputImage": base64.b64encode(jpeg()).decode("ascii")})
FLOW = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/storycast-local"
TAGGED = "arn:aws:bedrock:us-east-1:000000000000:provisioned-model/abcdefghijkl"
PROJECT = "arn:aws:rekognition:us-east-1:000000000000:project/cast/1793664000000"
VERSION = "arn:aws:rekognition:us-east-1:000000000000:project/cast/version/v1/1793664000000"
TRAINING_JOB = "arn:aws:sagemaker:us-east-1:000000000000:training-job/job"
ASKS = {
    "DetectLabels": {"Image": {"Bytes": jpeg()}},
    "DetectFaces": {"Image": {"Bytes": jpeg()}},
    "CreateCollection": {"CollectionId": "cast"},
    "DescribeCollection": {"CollectionId": "cast"},
    "ListCollections": {},
    "DeleteCollection": {"CollectionId": "cast"},
    "IndexFaces": {"CollectionId": "cast", "Image": {"Bytes": jpeg()}},
    "ListFaces": {"CollectionId": "cast"},
    "DeleteFaces": {"CollectionId": "cast", "FaceIds": ["00000000-0000-0000-0000-000000000000"]},
    "SearchFacesByImage": {"CollectionId": "cast", "Image": {"Bytes": jpeg()}},
    "CreateProject": {"ProjectName": "cast"},
    "CreateProjectVersion": {
        "ProjectArn": PROJECT,
        "VersionName": "v1",
        "OutputConfig": {"S3Bucket": "media"},
    },
    "DescribeProjects": {},
    "DescribeProjectVersions": {"ProjectArn": PROJECT},
    "StartProjectVersion": {"ProjectVersionArn": VERSION, "MinInferenceUnits": 1},
    "StopProjectVersion": {"ProjectVersionArn": VERSION},
    "DetectCustomLabels": {"ProjectVersionArn": VERSION, "Image": {"Bytes": jpeg()}},
    "GetFoundationModel": {"modelIdentifier": "amazon.nova-pro-v1:0"},
    "ListFoundationModels": {},
    "InvokeModel": {"modelId": "amazon.titan-embed-image-v1", "body": BODY},
    "Converse": {
        "modelId": "amazon.nova-pro-v1:0",
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
    },
    "CreateModelCustomizationJob": {
        "jobName": "job",
        "customModelName": "model",
        "roleArn": "arn:aws:iam::000000000000:role/training",
        "baseModelIdentifier": "amazon.nova-canvas-v1:0",
        "trainingDataConfig": {"s3Uri": "s3://media/manifest.jsonl"},
        "outputDataConfig": {"s3Uri": "s3://media/output/"},
    },
    "GetModelCustomizationJob": {"jobIdentifier": "job"},
    "ListModelCustomizationJobs": {},
    "StopModelCustomizationJob": {"jobIdentifier": "job"},
    "GetCustomModel": {"modelIdentifier": "model"},
    "ListCustomModels": {},
    "DeleteCustomModel": {"modelIdentifier": "model"},
    "CreateProvisionedModelThroughput": {
        "modelUnits": 1,
        "provisionedModelName": "hosting",
        "modelId": "model",
    },
    "GetProvisionedModelThroughput": {"provisionedModelId": "hosting"},
    "ListProvisionedModelThroughputs": {},
    "UpdateProvisionedModelThroughput": {"provisionedModelId": "hosting"},
    "DeleteProvisionedModelThroughput": {"provisionedModelId": "hosting"},
    "TagResource": {"resourceARN": TAGGED, "tags": [{"key": "run", "value": "one"}]},
    "UntagResource": {"resourceARN": TAGGED, "tagKeys": ["run"]},
    "ListTagsForResource": {"resourceARN": TAGGED},
    "StartHumanLoop": {
        "HumanLoopName": "loop",
        "FlowDefinitionArn": FLOW,
        "HumanLoopInput": {"InputContent": "{}"},
    },
    "DescribeHumanLoop": {"HumanLoopName": "loop"},
    "ListHumanLoops": {"FlowDefinitionArn": FLOW},
    "StopHumanLoop": {"HumanLoopName": "loop"},
    "DeleteHumanLoop": {"HumanLoopName": "loop"},
    "CreateTrainingJob": {
        "TrainingJobName": "job",
        "AlgorithmSpecification": {
            "TrainingImage": "000000000000.dkr.ecr.us-east-1.amazonaws.com/training:latest",
            "TrainingInputMode": "File",
        },
        "RoleArn": "arn:aws:iam::000000000000:role/training",
        "OutputDataConfig": {"S3OutputPath": "s3://media/output/"},
    },
    "DescribeTrainingJob": {"TrainingJobName": "job"},
    "ListTrainingJobs": {},
    "StopTrainingJob": {"TrainingJobName": "job"},
    "AddTags": {"ResourceArn": TRAINING_JOB, "Tags": [{"Key": "run", "Value": "one"}]},
    "ListTags": {"ResourceArn": TRAINING_JOB},
    "CreateHumanTaskUi": {"HumanTaskUiName": "ui", "UiTemplate": {"Content": "<crowd-form></crowd-form>"}},
    "DescribeHumanTaskUi": {"HumanTaskUiName": "ui"},
    "CreateFlowDefinition": {
        "FlowDefinitionName": "flow",
        "HumanLoopConfig": {
            "WorkteamArn": "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/us",
            "HumanTaskUiArn": "arn:aws:sagemaker:us-east-1:000000000000:human-task-ui/ui",
            "TaskTitle": "Look",
            "TaskDescription": "Look at pictures",
            "TaskCount": 1,
        },
        "OutputConfig": {"S3OutputPath": "s3://media/a2i/"},
        "RoleArn": "arn:aws:iam::000000000000:role/workers",
    },
    "DescribeFlowDefinition": {"FlowDefinitionName": "flow"},
    "DeleteFlowDefinition": {"FlowDefinitionName": "flow"},
}
MODELLED = [
    (service.service_name, name, shape.name)
    for service in (kind(World(Path("no-such-folder"))) for kind in SERVICES)
    for name in service.operations
    for shape in service.wire.model.operation_model(name).error_shapes
]


def test_every_operation_is_asked_for():
    played: list[Service] = [kind(World(Path("no-such-folder"))) for kind in SERVICES]
    assert {name for service in played for name in service.operations} == set(ASKS)


@pytest.fixture
def fault(own, client):
    def put(service, operation, error, **rule):
        rules = [{"service": service, "operation": operation, "error": error} | rule]
        assert own("POST", "faults", rules) == (200, {"rules": 1})
        made = client(service)
        method = next(name for name, api in made.meta.method_to_api_mapping.items() if api == operation)
        return lambda: getattr(made, method)(**ASKS[operation])

    return put


@pytest.mark.parametrize(("service", "operation", "code"), MODELLED)
def test_every_modelled_error(client, fault, log, service, operation, code):
    ask = fault(service, operation, code, count=1)
    with pytest.raises(getattr(client(service).exceptions, code)) as caught:
        ask()
    assert caught.value.response["Error"] == {"Code": code, "Message": f"{code}, as a fault rule asked for."}
    (line,) = log()
    assert (line["error"], line["fault"], line["paid"]) == (code, code, False)
    assert line["status"] == caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("operation", ["GetFoundationModel", "ListFoundationModels"])
def test_errors_that_any_service_may_answer_with(fault, operation):
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        fault("bedrock", operation, "ExpiredTokenException")()


def test_a_cut_connection(fault, log):
    ask = fault("bedrock", "ListFoundationModels", "connection_cut", count=1)
    with pytest.raises(ConnectionClosedError):
        ask()
    assert ask()["modelSummaries"]
    assert [(line["status"], line["error"]) for line in log()] == [(0, "connection_cut"), (200, None)]


def test_garbage(fault):
    answer = fault("bedrock", "ListFoundationModels", "garbage")()
    assert "modelSummaries" not in answer
    body = fault("bedrock-runtime", "InvokeModel", "garbage")()["body"].read()
    assert body.startswith(b"<html>")


def test_skip_count_and_delay(fault, log):
    ask = fault("bedrock", "ListFoundationModels", "ThrottlingException", skip=1, count=2)
    outcomes = []
    for _ in range(4):
        try:
            ask()
            outcomes.append("ok")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    assert outcomes == ["ok", "ThrottlingException", "ThrottlingException", "ok"]
    late = fault("bedrock", "ListFoundationModels", None, delay_ms=200)
    begun = time.monotonic()
    assert late()["modelSummaries"]
    assert time.monotonic() - begun >= 0.2
    assert log()[-1]["fault"] == "delay"


def test_rules_can_be_taken_back(fault, own):
    ask = fault("bedrock", "ListFoundationModels", "ThrottlingException")
    assert own("DELETE", "faults") == (200, {"rules": 0})
    assert ask()["modelSummaries"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"service": "sqs", "operation": "X"}, "no such service"),
        ({"service": "bedrock", "operation": "ListGuardrails"}, "does not play"),
        (
            {"service": "bedrock", "operation": "ListFoundationModels", "error": "ConflictException"},
            "does not model",
        ),
        ({"service": "bedrock", "operation": "ListFoundationModels", "delay_ms": -1}, "delay_ms"),
        ({"service": "bedrock", "operation": "ListFoundationModels", "often": 1}, "often"),
    ],
)
def test_rules_that_cannot_be(own, rule, says):
    status, answer = own("POST", "faults", [rule])
    assert status == 400
    assert says in answer["message"]


def test_a_lost_answer_is_of_work_that_was_done(client, fault, log):
    ask = fault("rekognition", "DetectLabels", "answer_lost", count=1)
    with pytest.raises(ConnectionClosedError):
        ask()
    (line,) = log()
    assert (line["error"], line["fault"], line["paid"]) == (None, "answer_lost", True)


def test_half_an_answer_is_of_work_that_was_done(fault, log):
    answer = fault("rekognition", "DetectLabels", "truncated", count=1)()
    assert "Labels" not in answer, "botocore takes half a document for an empty one"
    (line,) = log()
    assert (line["status"], line["error"], line["fault"], line["paid"]) == (200, None, "truncated", True)


def test_a_share_of_the_calls(fault, log):
    ask = fault("bedrock", "ListFoundationModels", "ThrottlingException", rate=0.5, skip=2, count=3)
    for _ in range(30):
        with contextlib.suppress(ClientError):
            ask()
    hit = [line["fault"] is not None for line in log()]
    assert hit[:2] == [False, False]
    assert sum(hit) == 3
    assert not all(hit[2:5])
