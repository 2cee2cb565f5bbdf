"""The protocol layer: who may ask, what is refused, and what a stand-in may not answer."""

import datetime as dt
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local.standins.app import BODY_LIMIT
from local.standins.bedrock import Bedrock
from local.standins.calls import CallLog
from local.standins.constraints import output_problems, problems
from local.standins.desk import Desk
from local.standins.errors import DefectError, ModelledError, UnmodelledError
from local.standins.http import HttpRequest
from local.standins.rekognition import Rekognition
from local.standins.service import Service, World
from local.standins.shapes import WireValueError, read_json, read_text, write_json, write_text
from local.standins.wire import Wire


def operation(service, name):
    return botocore.session.get_session().get_service_model(service).operation_model(name)


def error_of(made, method, **params):
    with pytest.raises(ClientError) as caught:
        getattr(made, method)(**params)
    return caught.value.response


def test_unsigned_requests_are_refused(standins, log):
    for service, method, params in (
        ("rekognition", "detect_labels", {"Image": {"Bytes": b"x"}}),
        ("bedrock", "list_foundation_models", {}),
    ):
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        made = boto3.client(service, endpoint_url=standins.url, config=config)
        response = error_of(made, method, **params)
        assert response["Error"]["Code"] == "MissingAuthenticationTokenException"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert [(line["service"], line["error"]) for line in log()] == [
        (None, "MissingAuthenticationTokenException")
    ] * 2


def test_half_a_signature_is_refused(standins):
    request = urllib.request.Request(f"{standins.url}/foundation-models")
    request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/x")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)
    with caught.value as answer:
        assert answer.headers["x-amzn-errortype"] == "IncompleteSignatureException"


@pytest.mark.parametrize(
    ("service", "method", "params", "says"),
    [
        (
            "rekognition",
            "list_stream_processors",
            {},
            "does not play rekognition:ListStreamProcessors. It plays: ",
        ),
        ("bedrock", "list_guardrails", {}, "does not play bedrock:ListGuardrails"),
        ("bedrock-runtime", "list_async_invokes", {}, "does not play bedrock-runtime:ListAsyncInvokes"),
        ("sqs", "list_queues", {}, "No local stand-in plays AmazonSQS.ListQueues"),
    ],
)
def test_what_is_not_played_says_so(standins, service, method, params, says):
    made = boto3.client(service, endpoint_url=standins.url, config=Config(retries={"total_max_attempts": 1}))
    response = error_of(made, method, **params)
    assert response["Error"]["Code"] == "UnknownOperationException"
    assert says in response["Error"]["Message"]


def test_a_body_that_is_too_large_for_any_service(standins):
    request = urllib.request.Request(f"{standins.url}/model/x/invoke", b"x" * (BODY_LIMIT + 1))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    with caught.value as answer:
        assert answer.code == 413


class Answering(Bedrock):
    """A Bedrock that answers what a test tells it to."""

    says: object = None

    def get_foundation_model(self, params, call):
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.mark.parametrize(
    "says",
    [
        {"modelDetails": {"modelId": "no arn"}},
        {"modelDetails": {"modelArn": "a", "modelId": "b", "modelLifecycle": {"status": "GONE"}}},
        {"unknown": 1},
        ModelledError("ModelTimeoutException", "of another operation"),
        ModelledError("ThrottlingException", "with what it has not", resourceName="x"),
        ValueError("a bug"),
    ],
)
def test_a_stand_ins_defects_are_internal_errors_not_answers(tmp_path, says, caplog):
    import asyncio

    service = Answering(World(tmp_path))
    service.says = says
    desk = Desk([service], CallLog(tmp_path / "calls.jsonl"))
    scope = "Credential=AKIA/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"authorization": f"AWS4-HMAC-SHA256 {scope}"}
    request = HttpRequest("GET", "/foundation-models/amazon.nova-pro-v1%3A0", (), headers, b"")
    answer = asyncio.run(desk.answer(request))
    desk.close()
    assert answer.status == 500
    assert answer.headers["x-amzn-errortype"] == "InternalServerException"
    assert b"which is a bug of it" in answer.body
    assert "GetFoundationModel failed" in caplog.text


def test_a_method_that_is_no_operation_is_refused(tmp_path):
    class Wrong(Rekognition):
        def detect_everything(self, params, call): ...

    log = CallLog(tmp_path / "calls.jsonl")
    with pytest.raises(DefectError, match="detect_everything is no operation"):
        Desk([Wrong(World(tmp_path))], log)
    log.close()


def test_event_streams_are_refused(tmp_path):
    class Streaming(Service):
        service_name = "bedrock-runtime"

        def converse_stream(self, params, call): ...

    with pytest.raises(DefectError, match="streams events"):
        _ = Streaming(World(tmp_path)).operations


def test_an_unmodelled_error_cannot_be_written():
    wire, detect = Wire("rekognition"), operation("rekognition", "DetectLabels")
    with pytest.raises(UnmodelledError, match="it models AccessDeniedException"):
        wire.write_error(detect, ModelledError("ConflictException", "no"), "id")


def test_error_members_and_status_are_the_models():
    wire = Wire("bedrock-runtime")
    error = ModelledError("ModelErrorException", "broke", originalStatusCode=500, resourceName="it")
    answer = wire.write_error(operation("bedrock-runtime", "Converse"), error, "id")
    assert answer.status == 424
    assert answer.headers["x-amzn-errortype"] == "ModelErrorException"
    assert answer.body == b'{"message":"broke","originalStatusCode":500,"resourceName":"it"}'


def test_headers_and_payloads_of_an_answer():
    output = {"body": b"\x00raw", "contentType": "text/x", "performanceConfigLatency": "optimized"}
    answer = Wire("bedrock-runtime").write(operation("bedrock-runtime", "InvokeModel"), output)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"\x00raw", "text/x")
    assert answer.headers["x-amzn-bedrock-performanceconfig-latency"] == "optimized"


def test_headers_and_payloads_of_a_request():
    wire = Wire("bedrock-runtime")
    headers = {"content-type": "application/json", "x-amzn-bedrock-trace": "ENABLED"}
    request = HttpRequest("POST", "/model/arn%3Aaws%3Ax%2Fy/invoke", (), headers, b"\xff")
    found, labels = wire.match(request)
    with pytest.raises(ModelledError, match="regular expression"):
        wire.read(found, labels, request)
    request = HttpRequest("POST", "/model/amazon.titan%3A0/invoke", (), headers, b"\xff")
    found, labels = wire.match(request)
    assert wire.read(found, labels, request) == {
        "body": b"\xff",
        "contentType": "application/json",
        "modelId": "amazon.titan:0",
        "trace": "ENABLED",
    }


def test_services_with_other_protocols_can_be_read():
    """What later stand-ins need: A2I's paths, SageMaker's targets, times in both directions."""
    for service, name in (("sagemaker-a2i-runtime", "StartHumanLoop"), ("sagemaker", "CreateTrainingJob")):
        wire, shape = Wire(service), operation(service, name)
        path, target = shape.http["requestUri"], f"{wire.model.metadata.get('targetPrefix')}.{name}"
        headers = {"x-amz-target": target} if wire.protocol == "json" else {}
        found, _ = wire.match(HttpRequest(shape.http["method"], path, (), headers, b"{}"))
        assert found.name == name
    with pytest.raises(DefectError, match="speaks query"):
        Wire("sns")


def test_values_on_the_wire():
    model = botocore.session.get_session().get_service_model("bedrock")
    moment = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    time = model.shape_for("Timestamp")
    assert write_json(moment, time) == "2026-11-22T12:00:00Z"
    assert read_json("2026-11-22T12:00:00Z", time) == moment
    assert read_text("2026-11-22T12:00:00Z", time) == moment
    unix = botocore.session.get_session().get_service_model("sagemaker").shape_for("Timestamp")
    assert write_json(moment, unix) == moment.timestamp()
    assert write_text(moment, unix) == "Sun, 22 Nov 2026 12:00:00 GMT"
    with pytest.raises(DefectError, match="time zone"):
        write_json(dt.datetime(2026, 11, 22), time)
    with pytest.raises(WireValueError):
        read_text("soon", time)
    blob = botocore.session.get_session().get_service_model("rekognition").shape_for("ImageBlob")
    assert read_json(write_json(b"\x00\x01", blob), blob) == b"\x00\x01"
    with pytest.raises(WireValueError, match="base64"):
        read_json("%", blob)


def test_limits_that_botocore_does_not_check():
    shape = operation("rekognition", "DetectLabels").input_shape
    place = {"Bucket": "bad bucket", "Name": "x" * 1025}
    found = problems({"Image": {"S3Object": place}, "MinConfidence": 100.5}, shape)
    assert ["pattern" in found[0], "1024" in found[1], "100" in found[2]] == [True] * 3
    assert problems({"x": 1}, None)
    assert problems({}, None) == []
    assert output_problems({}, operation("rekognition", "DetectLabels").output_shape) == []


def test_the_log_goes_on_after_a_restart(tmp_path):
    path = Path(tmp_path) / "calls.jsonl"
    path.write_text('{"time":"before"}\n', encoding="utf-8")
    log = CallLog(path)
    assert log.since(0) == [{"time": "before"}]
    assert log.since(1) == []
    log.close()
