"""Bedrock's jobs, models and hosting, and Step Functions, through real clients and their own models."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from storycast.adapters.bedrock import BedrockCatalogue
from storycast.adapters.bedrock_customization import BedrockCustomizer
from storycast.adapters.bedrock_hosting import BedrockHost
from storycast.adapters.stepfunctions import StepFunctionsExecutions
from storycast.ended_models import ENDED_MODELS
from storycast.errors import (
    DependencyUnavailableError,
    HostingFailedError,
    ModelNotAvailableError,
    StorycastError,
    ThrottledError,
    TrainingAccessError,
    TrainingPlanInvalidError,
)
from storycast.ports import CustomizationJob
from storycast.training import JobStatus, ThroughputStatus

NAME = "film-20260102-abcdef-t0123abcd-0a1b2c"
ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
JOB_ARN = f"{ACCOUNT}:model-customization-job/amazon.nova-canvas-v1:0/abcdefghijkl"
MODEL_ARN = f"{ACCOUNT}:custom-model/amazon.nova-canvas-v1:0/abcdefghijkl"
HOST_ARN = f"{ACCOUNT}:provisioned-model/abcdefghijkl"
ROLE_ARN = "arn:aws:iam::123456789012:role/customization"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOB = CustomizationJob(
    name=NAME,
    model_name=NAME,
    base_model="amazon.nova-canvas-v1:0",
    role_arn=ROLE_ARN,
    manifest_uri="s3://media/runs/x/manifest.jsonl",
    output_uri="s3://media/runs/x/output/",
    hyperparameters={"stepCount": "14000", "batchSize": "64", "learningRate": "0.000001"},
    tags={"storycast:run": "film"},
)
TAGS = [{"key": "storycast:run", "value": "film"}]


@pytest.fixture
def bedrock() -> Any:
    return _client("bedrock")


@pytest.fixture
def stubber(bedrock: Any) -> Any:
    with Stubber(bedrock) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def _client(service: Any) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _job(**more: Any) -> dict[str, Any]:
    facts = {
        "jobArn": JOB_ARN,
        "jobName": NAME,
        "outputModelName": NAME,
        "roleArn": ROLE_ARN,
        "status": "InProgress",
        "creationTime": AT,
        "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
        "trainingDataConfig": {"s3Uri": "s3://media/m.jsonl"},
        "validationDataConfig": {"validators": []},
        "outputDataConfig": {"s3Uri": "s3://media/o/"},
    }
    return {**facts, **more}


def _jobs(*names: str, token: str | None = None) -> dict[str, Any]:
    summaries = [
        {
            "jobArn": JOB_ARN if name == NAME else f"{JOB_ARN[:-1]}{number}",
            "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
            "jobName": name,
            "status": "InProgress",
            "creationTime": AT,
        }
        for number, name in enumerate(names)
    ]
    return {"modelCustomizationJobSummaries": summaries, **({"nextToken": token} if token else {})}


def _hosting(name: str = NAME, **more: Any) -> dict[str, Any]:
    model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0"
    facts = {
        "provisionedModelName": name,
        "provisionedModelArn": HOST_ARN,
        "modelArn": MODEL_ARN,
        "desiredModelArn": MODEL_ARN,
        "foundationModelArn": model,
        "modelUnits": 1,
        "desiredModelUnits": 1,
        "status": "Creating",
        "creationTime": AT,
        "lastModifiedTime": AT,
    }
    return {**facts, **more}


# ---- jobs -----------------------------------------------------------------------------------------


def test_a_job_is_ordered_word_for_word(bedrock: Any, stubber: Stubber) -> None:
    expected = {
        "jobName": NAME,
        "customModelName": NAME,
        "roleArn": ROLE_ARN,
        "clientRequestToken": NAME,
        "baseModelIdentifier": "amazon.nova-canvas-v1:0",
        "customizationType": "FINE_TUNING",
        "hyperParameters": {"stepCount": "14000", "batchSize": "64", "learningRate": "0.000001"},
        "trainingDataConfig": {"s3Uri": "s3://media/runs/x/manifest.jsonl"},
        "outputDataConfig": {"s3Uri": "s3://media/runs/x/output/"},
        "jobTags": TAGS,
        "customModelTags": TAGS,
    }
    stubber.add_response("create_model_customization_job", {"jobArn": JOB_ARN}, expected)
    assert BedrockCustomizer(bedrock).create(JOB) == JOB_ARN


def test_a_job_is_found_by_its_exact_name_on_a_later_page(bedrock: Any, stubber: Stubber) -> None:
    asked = {"nameContains": NAME}
    stubber.add_response("list_model_customization_jobs", _jobs(f"{NAME}-2", f"x-{NAME}", token="next"), asked)
    stubber.add_response("list_model_customization_jobs", _jobs(NAME), {**asked, "nextToken": "next"})
    stubber.add_response("get_model_customization_job", _job(), {"jobIdentifier": JOB_ARN})
    found = BedrockCustomizer(bedrock).find(NAME)
    assert found
    assert (found.name, found.arn, found.status, found.created_at) == (NAME, JOB_ARN, "InProgress", AT)


def test_a_job_whose_name_only_contains_it_is_another_one(bedrock: Any, stubber: Stubber) -> None:
    stubber.add_response("list_model_customization_jobs", _jobs(f"{NAME}-2"), {"nameContains": NAME})
    assert BedrockCustomizer(bedrock).find(NAME) is None


def test_what_is_known_of_a_finished_job(bedrock: Any, stubber: Stubber) -> None:
    answer = _job(
        status="Completed",
        endTime=AT,
        outputModelArn=MODEL_ARN,
        trainingMetrics={"trainingLoss": 0.125},
        statusDetails={"trainingDetails": {"status": "Completed", "creationTime": AT}},
    )
    stubber.add_response("get_model_customization_job", answer, {"jobIdentifier": JOB_ARN})
    job = BedrockCustomizer(bedrock).get(JOB_ARN)
    assert job
    assert (job.status, job.ended_at, job.model_arn, job.model_name) == ("Completed", AT, MODEL_ARN, NAME)
    assert job.training_loss == 0.125


@pytest.mark.parametrize(
    ("details", "progress"),
    [
        ({}, ""),
        ({"validationDetails": {"status": "InProgress"}}, "validation InProgress"),
        (
            {"validationDetails": {"status": "Completed"}, "trainingDetails": {"status": "NotStarted"}},
            "validation Completed",
        ),
        (
            {"validationDetails": {"status": "Completed"}, "trainingDetails": {"status": "InProgress"}},
            "training InProgress",
        ),
    ],
)
def test_progress_is_the_last_step_that_has_begun(
    bedrock: Any, stubber: Stubber, details: Any, progress: str
) -> None:
    stubber.add_response("get_model_customization_job", _job(statusDetails=details))
    assert BedrockCustomizer(bedrock).get(JOB_ARN).progress == progress  # type: ignore[union-attr]


def test_a_job_that_is_gone_is_none(bedrock: Any, stubber: Stubber) -> None:
    stubber.add_client_error("get_model_customization_job", "ResourceNotFoundException", http_status_code=404)
    assert BedrockCustomizer(bedrock).get(JOB_ARN) is None


@pytest.mark.parametrize("code", [None, "ConflictException", "ValidationException", "ResourceNotFoundException"])
def test_a_stop_that_comes_too_late_is_no_fault(bedrock: Any, stubber: Stubber, code: str | None) -> None:
    if code:
        stubber.add_client_error("stop_model_customization_job", code, http_status_code=409)
    else:
        stubber.add_response("stop_model_customization_job", {}, {"jobIdentifier": JOB_ARN})
    BedrockCustomizer(bedrock).stop(JOB_ARN)


# ---- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"), [("Active", True), ("Creating", True), ("Failed", False), (None, True)]
)
def test_a_model_is_there_or_failed(bedrock: Any, stubber: Stubber, status: str | None, expected: bool) -> None:
    answer = {
        "modelArn": MODEL_ARN,
        "modelName": NAME,
        "creationTime": AT,
        **({"modelStatus": status} if status else {}),
    }
    stubber.add_response("get_custom_model", answer, {"modelIdentifier": MODEL_ARN})
    assert BedrockCustomizer(bedrock).has_model(MODEL_ARN) is expected


def test_a_model_that_is_gone_is_not_there(bedrock: Any, stubber: Stubber) -> None:
    stubber.add_client_error("get_custom_model", "ResourceNotFoundException", http_status_code=404)
    assert BedrockCustomizer(bedrock).has_model(MODEL_ARN) is False


@pytest.mark.parametrize("code", [None, "ResourceNotFoundException"])
def test_a_model_is_deleted_once(bedrock: Any, stubber: Stubber, code: str | None) -> None:
    if code:
        stubber.add_client_error("delete_custom_model", code, http_status_code=404)
    else:
        stubber.add_response("delete_custom_model", {}, {"modelIdentifier": MODEL_ARN})
    BedrockCustomizer(bedrock).delete_model(MODEL_ARN)


# ---- hosting --------------------------------------------------------------------------------------


def test_hosting_is_ordered_without_commitment(bedrock: Any, stubber: Stubber) -> None:
    expected = {
        "clientRequestToken": NAME,
        "modelUnits": 2,
        "provisionedModelName": NAME,
        "modelId": MODEL_ARN,
        "tags": TAGS,
    }
    answer = {"provisionedModelArn": HOST_ARN}
    stubber.add_response("create_provisioned_model_throughput", answer, expected)
    assert BedrockHost(bedrock).create(NAME, MODEL_ARN, 2, {"storycast:run": "film"}) == HOST_ARN


def test_hosting_is_found_by_its_exact_name_on_a_later_page(bedrock: Any, stubber: Stubber) -> None:
    first = {"provisionedModelSummaries": [_hosting(f"{NAME}-h")], "nextToken": "next"}
    stubber.add_response("list_provisioned_model_throughputs", first, {"nameContains": NAME})
    second = {"provisionedModelSummaries": [_hosting(commitmentDuration="OneMonth")]}
    stubber.add_response("list_provisioned_model_throughputs", second, {"nameContains": NAME, "nextToken": "next"})
    found = BedrockHost(bedrock).find(NAME)
    assert found
    assert (found.name, found.arn, found.model_units, found.commitment) == (NAME, HOST_ARN, 1, "OneMonth")


def test_all_hosting_of_the_account_is_listed(bedrock: Any, stubber: Stubber) -> None:
    for page, token in ((["a", "b"], "next"), (["c"], None)):
        answer: dict[str, Any] = {"provisionedModelSummaries": [_hosting(name) for name in page]}
        stubber.add_response(
            "list_provisioned_model_throughputs", answer | ({"nextToken": token} if token else {})
        )
    assert [one.name for one in BedrockHost(bedrock).all()] == ["a", "b", "c"]


def test_what_is_known_of_hosting(bedrock: Any, stubber: Stubber) -> None:
    answer = _hosting(status="Failed", failureMessage="No capacity.")
    stubber.add_response("get_provisioned_model_throughput", answer, {"provisionedModelId": HOST_ARN})
    found = BedrockHost(bedrock).get(HOST_ARN)
    assert found
    assert (found.status, found.failure, found.commitment, found.created_at) == ("Failed", "No capacity.", "", AT)


def test_hosting_that_is_gone_is_none(bedrock: Any, stubber: Stubber) -> None:
    stubber.add_client_error("get_provisioned_model_throughput", "ResourceNotFoundException", http_status_code=404)
    assert BedrockHost(bedrock).get(HOST_ARN) is None


@pytest.mark.parametrize("code", [None, "ResourceNotFoundException"])
def test_hosting_is_deleted_once(bedrock: Any, stubber: Stubber, code: str | None) -> None:
    if code:
        stubber.add_client_error("delete_provisioned_model_throughput", code, http_status_code=404)
    else:
        stubber.add_response("delete_provisioned_model_throughput", {}, {"provisionedModelId": HOST_ARN})
    BedrockHost(bedrock).delete(HOST_ARN)


# ---- names of faults ------------------------------------------------------------------------------

CALLS: dict[str, Callable[[Any], object]] = {
    "create_model_customization_job": lambda client: BedrockCustomizer(client).create(JOB),
    "list_model_customization_jobs": lambda client: BedrockCustomizer(client).find(NAME),
    "get_model_customization_job": lambda client: BedrockCustomizer(client).get(JOB_ARN),
    "stop_model_customization_job": lambda client: BedrockCustomizer(client).stop(JOB_ARN),
    "get_custom_model": lambda client: BedrockCustomizer(client).has_model(MODEL_ARN),
    "delete_custom_model": lambda client: BedrockCustomizer(client).delete_model(MODEL_ARN),
    "create_provisioned_model_throughput": lambda client: BedrockHost(client).create(NAME, MODEL_ARN, 1, {}),
    "list_provisioned_model_throughputs": lambda client: list(BedrockHost(client).all()),
    "get_provisioned_model_throughput": lambda client: BedrockHost(client).get(HOST_ARN),
    "delete_provisioned_model_throughput": lambda client: BedrockHost(client).delete(HOST_ARN),
}
NAMED: list[tuple[str, str, type[StorycastError]]] = [
    ("create_model_customization_job", "AccessDeniedException", TrainingAccessError),
    ("create_model_customization_job", "ServiceQuotaExceededException", TrainingAccessError),
    ("create_model_customization_job", "ValidationException", TrainingPlanInvalidError),
    ("create_model_customization_job", "ResourceNotFoundException", TrainingPlanInvalidError),
    ("create_model_customization_job", "TooManyTagsException", TrainingPlanInvalidError),
    ("create_model_customization_job", "ConflictException", DependencyUnavailableError),
    ("delete_custom_model", "ConflictException", DependencyUnavailableError),
    ("create_provisioned_model_throughput", "AccessDeniedException", TrainingAccessError),
    ("create_provisioned_model_throughput", "ServiceQuotaExceededException", TrainingAccessError),
    ("create_provisioned_model_throughput", "ValidationException", HostingFailedError),
    ("create_provisioned_model_throughput", "ResourceNotFoundException", HostingFailedError),
    ("create_provisioned_model_throughput", "TooManyTagsException", HostingFailedError),
    ("delete_provisioned_model_throughput", "ConflictException", DependencyUnavailableError),
]


def _failing(operation: str, code: str, status: int = 400) -> Callable[[], object]:
    client = _client("bedrock")
    stubber = Stubber(client)
    stubber.add_client_error(operation, code, "the service's words", http_status_code=status)
    stubber.activate()
    return lambda: CALLS[operation](client)


@pytest.mark.parametrize(("operation", "code", "expected"), NAMED)
def test_a_known_error_has_our_name(operation: str, code: str, expected: type[StorycastError]) -> None:
    with pytest.raises(StorycastError, match="the service's words") as caught:
        _failing(operation, code)()
    assert type(caught.value) is expected


@pytest.mark.parametrize("operation", CALLS)
def test_every_call_waits_for_a_service_that_wants_patience(operation: str) -> None:
    with pytest.raises(ThrottledError):
        _failing(operation, "ThrottlingException", 429)()
    with pytest.raises(DependencyUnavailableError):
        _failing(operation, "InternalServerException", 500)()
    with pytest.raises(ClientError, match="SomethingNew"):
        _failing(operation, "SomethingNew")()


def test_errors_of_the_operations_are_all_considered() -> None:
    """Fails when botocore learns of an error that nobody has thought about."""
    considered = {
        "AccessDeniedException",  # a policy of ours is wrong: itself, but where it may be the account's
        "ConflictException",
        "InternalServerException",
        "ResourceNotFoundException",
        "ServiceQuotaExceededException",
        "ThrottlingException",
        "TooManyTagsException",
        "ValidationException",
    }
    client = _client("bedrock")
    for operation in CALLS:
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        assert {shape.name for shape in model.error_shapes} <= considered, operation


# ---- the catalogue --------------------------------------------------------------------------------


@pytest.mark.parametrize("model_id", ENDED_MODELS)
@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException"])
def test_an_ended_model_that_the_catalogue_has_forgotten_is_known(
    bedrock: Any, stubber: Stubber, model_id: str, code: str
) -> None:
    stubber.add_client_error("get_foundation_model", code, http_status_code=404)
    facts = BedrockCatalogue(bedrock).facts(model_id)
    assert (facts.model_id, facts.status, facts.ends_at) == (model_id, "LEGACY", ENDED_MODELS[model_id].ended_at)
    assert "FINE_TUNING" in facts.customizations


def test_a_model_that_nobody_knows_is_not_available(bedrock: Any, stubber: Stubber) -> None:
    stubber.add_client_error("get_foundation_model", "ResourceNotFoundException", http_status_code=404)
    with pytest.raises(ModelNotAvailableError):
        BedrockCatalogue(bedrock).facts("amazon.nova-unheard-of-v1:0")


def test_what_a_model_can_be_used_for_is_told(bedrock: Any, stubber: Stubber) -> None:
    details = {
        "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
        "modelId": "amazon.nova-canvas-v1:0",
        "customizationsSupported": ["FINE_TUNING"],
        "inferenceTypesSupported": ["ON_DEMAND", "PROVISIONED"],
        "modelLifecycle": {"status": "ACTIVE"},
    }
    stubber.add_response("get_foundation_model", {"modelDetails": details})
    facts = BedrockCatalogue(bedrock).facts("amazon.nova-canvas-v1:0")
    assert facts.customizations == ("FINE_TUNING",)
    assert facts.inference == ("ON_DEMAND", "PROVISIONED")
    assert replace(facts, status="LEGACY").ends_at is None


# ---- executions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [None, "ExecutionDoesNotExist", "ValidationException"])
def test_an_execution_that_has_ended_or_is_unknown_is_stopped_without_a_fault(code: str | None) -> None:
    client = _client("stepfunctions")
    arn = "arn:aws:states:us-east-1:123456789012:execution:storycast-train-model:1"
    with Stubber(client) as stubber:
        if code:
            stubber.add_client_error("stop_execution", code, http_status_code=400)
        else:
            asked = {"executionArn": arn, "error": "TornDown", "cause": "because"}
            stubber.add_response("stop_execution", {"stopDate": AT}, asked)
        StepFunctionsExecutions(client).stop(arn, "TornDown", "because")
        stubber.assert_no_pending_responses()


def test_an_execution_that_may_not_be_stopped_is_told() -> None:
    client = _client("stepfunctions")
    with Stubber(client) as stubber:
        stubber.add_client_error("stop_execution", "AccessDeniedException", http_status_code=400)
        with pytest.raises(ClientError):
            StepFunctionsExecutions(client).stop("arn:aws:states:us-east-1:1:execution:m:1", "E", "c")


def test_statuses_are_those_of_botocores_models() -> None:
    model = botocore.session.get_session().get_service_model("bedrock")
    assert set(get_args(JobStatus)) == set(model.shape_for("ModelCustomizationJobStatus").enum)  # type: ignore[attr-defined]
    assert set(get_args(ThroughputStatus)) == set(model.shape_for("ProvisionedModelStatus").enum)  # type: ignore[attr-defined]
