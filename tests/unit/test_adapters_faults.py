"""How each of AWS's errors is named here, through real clients and their own models of the services."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from storycast.adapters.bedrock import BedrockCatalogue
from storycast.adapters.bedrock_runtime import EMBEDDING_LENGTH, BedrockEmbedder, ConverseCaptioner
from storycast.adapters.dynamodb import DynamoClaims
from storycast.adapters.faults import THROTTLED, UNAVAILABLE, translated
from storycast.adapters.rekognition import NEVER_A_CHARACTER, RekognitionLabels
from storycast.adapters.sns import SnsNotifier
from storycast.errors import (
    DependencyUnavailableError,
    FrameRefusedError,
    ModelNotAvailableError,
    StorycastError,
    ThrottledError,
)

TITAN = "amazon.titan-embed-image-v1"
NOVA_EMBEDDINGS = "amazon.nova-2-multimodal-embeddings-v1:0"
NOVA = "amazon.nova-pro-v1:0"


def _client(service: Any) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _detect(client: Any) -> object:
    return RekognitionLabels("media", client).detect("a.jpg", min_confidence=55.0, only=())


def _embed(client: Any) -> object:
    return BedrockEmbedder(TITAN, client).embed(b"\xff\xd8")


def _caption(client: Any) -> object:
    return ConverseCaptioner(NOVA, client).answer("s", ["p"], b"\x89PNG", max_tokens=10)


def _facts(client: Any) -> object:
    return BedrockCatalogue(client).facts(NOVA)


def _claim(client: Any) -> object:
    return DynamoClaims("claims", client).claim("item", "me", {})


def _tell(client: Any) -> None:
    SnsNotifier("arn:aws:sns:us-east-1:123456789012:topic", client).tell("s", "m")


CALLS: dict[str, tuple[str, str, Callable[[Any], object]]] = {
    "detect": ("rekognition", "detect_labels", _detect),
    "embed": ("bedrock-runtime", "invoke_model", _embed),
    "caption": ("bedrock-runtime", "converse", _caption),
    "facts": ("bedrock", "get_foundation_model", _facts),
    "claim": ("dynamodb", "put_item", _claim),
    "tell": ("sns", "publish", _tell),
}

NAMED: list[tuple[str, str, int, type[StorycastError]]] = [
    ("detect", "ThrottlingException", 400, ThrottledError),
    ("detect", "ProvisionedThroughputExceededException", 400, ThrottledError),
    ("detect", "InternalServerError", 500, DependencyUnavailableError),
    ("detect", "ImageTooLargeException", 400, FrameRefusedError),
    ("detect", "InvalidImageFormatException", 400, FrameRefusedError),
    ("detect", "InvalidS3ObjectException", 400, FrameRefusedError),
    ("embed", "ThrottlingException", 429, ThrottledError),
    ("embed", "ServiceQuotaExceededException", 400, ThrottledError),
    ("embed", "ModelTimeoutException", 408, DependencyUnavailableError),
    ("embed", "ModelErrorException", 424, DependencyUnavailableError),
    ("embed", "ModelNotReadyException", 429, DependencyUnavailableError),
    ("embed", "InternalServerException", 500, DependencyUnavailableError),
    ("embed", "ServiceUnavailableException", 503, DependencyUnavailableError),
    ("embed", "ValidationException", 400, FrameRefusedError),
    ("embed", "ResourceNotFoundException", 404, ModelNotAvailableError),
    ("caption", "ThrottlingException", 429, ThrottledError),
    ("caption", "ModelTimeoutException", 408, DependencyUnavailableError),
    ("caption", "ModelErrorException", 424, DependencyUnavailableError),
    ("caption", "ModelNotReadyException", 429, DependencyUnavailableError),
    ("caption", "ServiceUnavailableException", 503, DependencyUnavailableError),
    ("caption", "ValidationException", 400, FrameRefusedError),
    ("caption", "ResourceNotFoundException", 404, ModelNotAvailableError),
    ("facts", "ThrottlingException", 429, ThrottledError),
    ("facts", "InternalServerException", 500, DependencyUnavailableError),
    ("facts", "ValidationException", 400, ModelNotAvailableError),
    ("facts", "ResourceNotFoundException", 404, ModelNotAvailableError),
    ("claim", "ProvisionedThroughputExceededException", 400, ThrottledError),
    ("claim", "ThrottlingException", 400, ThrottledError),
    ("claim", "RequestLimitExceeded", 400, ThrottledError),
    ("claim", "InternalServerError", 500, DependencyUnavailableError),
    ("tell", "InternalError", 500, DependencyUnavailableError),
    ("tell", "Throttling", 400, ThrottledError),
]


def _failing(call: str, code: str, status: int) -> Callable[[], object]:
    service, operation, work = CALLS[call]
    client = _client(service)
    stubber = Stubber(client)
    stubber.add_client_error(operation, code, "the service's words", http_status_code=status)
    stubber.activate()
    return lambda: work(client)


@pytest.mark.parametrize(("call", "code", "status", "expected"), NAMED)
def test_a_known_error_has_our_name(call: str, code: str, status: int, expected: type[StorycastError]) -> None:
    with pytest.raises(StorycastError, match=f"{code}: the service's words") as caught:
        _failing(call, code, status)()
    assert type(caught.value) is expected
    assert isinstance(caught.value.__cause__, ClientError)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", ["AccessDeniedException", "SomethingNew"])
def test_an_unknown_error_stays_itself(call: str, code: str) -> None:
    with pytest.raises(ClientError, match=code):
        _failing(call, code, 400)()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_any_5xx_is_a_dependency(call: str, status: int) -> None:
    with pytest.raises(DependencyUnavailableError):
        _failing(call, "SomethingNew", status)()


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_every_throttling_code_is_throttled(code: str) -> None:
    with pytest.raises(ThrottledError, match=code), translated("asking"):
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "Ask")


@pytest.mark.parametrize("code", sorted(UNAVAILABLE))
def test_every_unavailable_code_is_a_dependency(code: str) -> None:
    with pytest.raises(DependencyUnavailableError, match=code), translated("asking"):
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "Ask")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionClosedError(endpoint_url="https://x"),
        ConnectTimeoutError(endpoint_url="https://x"),
        EndpointConnectionError(endpoint_url="https://x"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ReadTimeoutError(endpoint_url="https://x"),
        ResponseStreamingError(error="reset"),
        ResponseParserError("no XML"),
        urllib3.exceptions.ReadTimeoutError(urllib3.HTTPConnectionPool("x"), "/", "Read timed out."),
        urllib3.exceptions.ProtocolError("the body broke off"),
    ],
)
def test_a_broken_connection_is_a_dependency(error: Exception) -> None:
    with pytest.raises(DependencyUnavailableError, match="asking"), translated("asking"):
        raise error


@pytest.mark.parametrize(
    "error", [SSLError(endpoint_url="https://x", error=OSError("cert")), RuntimeError("ours")]
)
def test_what_no_repetition_mends_stays_itself(error: Exception) -> None:
    with pytest.raises(type(error)), translated("asking"):
        raise error


def test_modelled_errors_of_the_operations_are_all_considered() -> None:
    """Fails when botocore learns of an error that nobody has thought about."""
    stays_itself = {
        "AccessDeniedException",
        "InvalidParameterException",
        "ConditionalCheckFailedException",
        "TransactionConflictException",
        "ItemCollectionSizeLimitExceededException",
        "ReplicatedWriteConflictException",
        "ResourceNotFoundException",
    }
    for call in ("detect", "embed", "caption", "facts", "claim"):
        service, operation, _ = CALLS[call]
        client = _client(service)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        named = {code for name, code, _, _ in NAMED if name == call}
        unknown = {shape.name for shape in model.error_shapes} - named - stays_itself - THROTTLED - UNAVAILABLE
        assert not unknown, call


# ---- answers --------------------------------------------------------------------------------------


def test_detection_keeps_the_instances_with_boxes() -> None:
    client = _client("rekognition")
    box = {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}
    answer = {
        "LabelModelVersion": "3.0",
        "Labels": [
            {"Name": "Rabbit", "Confidence": 97.0, "Instances": [{"BoundingBox": box, "Confidence": 96.5}]},
            {"Name": "Animal", "Confidence": 91.0, "Instances": [{"BoundingBox": box}, {"Confidence": 50.0}]},
            {"Name": "Outdoors", "Confidence": 99.0, "Instances": []},
            {"Name": "Grass", "Confidence": 80.0},
        ],
    }
    expected = {
        "Image": {"S3Object": {"Bucket": "media", "Name": "footage/ä b.jpg"}},
        "MaxLabels": 50,
        "MinConfidence": 55.0,
        "Features": ["GENERAL_LABELS"],
        "Settings": {"GeneralLabels": {"LabelCategoryExclusionFilters": list(NEVER_A_CHARACTER)}},
    }
    with Stubber(client) as stubber:
        stubber.add_response("detect_labels", answer, expected)
        found = RekognitionLabels("media", client).detect("footage/ä b.jpg", min_confidence=55.0, only=())
    assert [(one.label, one.confidence) for one in found.boxes] == [("Rabbit", 96.5), ("Animal", 91.0)]
    assert found.boxes[0].box.left == 0.1
    assert found.boxes[0].box.bottom == pytest.approx(0.6)
    assert found.model_version == "3.0"


def test_detection_asks_only_for_the_labels_of_the_cast() -> None:
    client = _client("rekognition")
    with Stubber(client) as stubber:
        stubber.add_response(
            "detect_labels",
            {"Labels": []},
            {
                "Image": {"S3Object": {"Bucket": "media", "Name": "a.jpg"}},
                "MaxLabels": 50,
                "MinConfidence": 55.0,
                "Features": ["GENERAL_LABELS"],
                "Settings": {"GeneralLabels": {"LabelInclusionFilters": ["Rabbit"]}},
            },
        )
        found = RekognitionLabels("media", client).detect("a.jpg", min_confidence=55.0, only=["Rabbit"])
    assert found.boxes == ()
    assert found.model_version == ""


def _embedder(model_id: str, answer: bytes) -> BedrockEmbedder:
    client = _client("bedrock-runtime")
    stubber = Stubber(client)
    body = StreamingBody(io.BytesIO(answer), len(answer))
    stubber.add_response("invoke_model", {"body": body, "contentType": "application/json"})
    stubber.activate()
    return BedrockEmbedder(model_id, client)


def test_an_embedding_is_read_from_each_models_answer() -> None:
    vector = [1, 0.5] * (EMBEDDING_LENGTH // 2)
    titan = json.dumps({"embedding": vector, "inputTextTokenCount": 0}).encode()
    assert _embedder(TITAN, titan).embed(b"") == vector
    nova = json.dumps({"embeddings": [{"embeddingType": "IMAGE", "embedding": vector}]}).encode()
    assert _embedder(NOVA_EMBEDDINGS, nova).embed(b"") == vector
    assert _embedder(TITAN, b'{"embedding": [1]}').model_id == TITAN


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b"{}",
        b'{"embedding": null}',
        b'{"embedding": ["x"]}',
        b'{"embedding": [[1]]}',
        b'{"embedding": [1, 2, 3]}',
        b"[" * 100_000,
        b'{"embeddings": []}',
        b'{"embeddings": [{}]}',
        b'{"embeddings": {}}',
        b"\xff\xfe{",
    ],
)
def test_an_answer_without_an_embedding_is_a_dependency(answer: bytes) -> None:
    with pytest.raises(DependencyUnavailableError, match=f"{TITAN} answered no embedding"):
        _embedder(TITAN, answer).embed(b"\xff\xd8")


@pytest.mark.parametrize("model_id", [TITAN, NOVA_EMBEDDINGS, f"us.{NOVA_EMBEDDINGS}"])
def test_the_picture_is_sent_as_the_model_wants_it(model_id: str) -> None:
    sent: dict[str, Any] = {}

    class Runtime:
        def invoke_model(self, **arguments: Any) -> dict[str, Any]:
            sent.update(arguments)
            return {"body": io.BytesIO(json.dumps({"embedding": [1.0] * EMBEDDING_LENGTH}).encode())}

    BedrockEmbedder(model_id, Runtime()).embed(b"\x89PNG...")
    body = json.loads(sent["body"])
    assert sent["modelId"] == model_id
    if "nova" in model_id:
        image = body["singleEmbeddingParams"]["image"]
        assert (image["format"], image["source"]["bytes"]) == ("png", "iVBORy4uLg==")
        assert body["singleEmbeddingParams"]["embeddingDimension"] == 1024
    else:
        assert body == {"inputImage": "iVBORy4uLg==", "embeddingConfig": {"outputEmbeddingLength": 1024}}


def test_a_caption_is_the_text_of_all_blocks() -> None:
    client = _client("bedrock-runtime")
    content = [{"text": '{"caption":'}, {"text": ' "x"}'}]
    with Stubber(client) as stubber:
        stubber.add_response(
            "converse",
            {
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
                "metrics": {"latencyMs": 1},
            },
            {
                "modelId": NOVA,
                "system": [{"text": "be"}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"image": {"format": "jpeg", "source": {"bytes": b"\xff\xd8"}}},
                            {"text": "say"},
                        ],
                    },
                    {"role": "assistant", "content": [{"text": "no"}]},
                    {"role": "user", "content": [{"text": "again"}]},
                ],
                "inferenceConfig": {"maxTokens": 99, "temperature": 0.2},
            },
        )
        answer = ConverseCaptioner(NOVA, client).answer("be", ["say", "no", "again"], b"\xff\xd8", max_tokens=99)
    assert answer.text == '{"caption": "x"}'
    assert (answer.stop_reason, answer.input_tokens, answer.output_tokens) == ("end_turn", 7, 3)


@pytest.mark.parametrize(("asked", "sent"), [(NOVA, NOVA), (f"us.{NOVA}", NOVA), (f"global.{NOVA}", NOVA)])
def test_the_catalogue_is_asked_for_the_model_of_a_profile(asked: str, sent: str) -> None:
    client = _client("bedrock")
    ends_at = datetime(2030, 1, 1, tzinfo=UTC)
    details = {
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{sent}",
        "modelId": sent,
        "modelName": "Nova Pro",
        "providerName": "Amazon",
        "modelLifecycle": {"status": "LEGACY", "endOfLifeTime": ends_at},
    }
    with Stubber(client) as stubber:
        stubber.add_response("get_foundation_model", {"modelDetails": details}, {"modelIdentifier": sent})
        facts = BedrockCatalogue(client).facts(asked)
    assert (facts.model_id, facts.name, facts.provider) == (asked, "Nova Pro", "Amazon")
    assert (facts.status, facts.ends_at) == ("LEGACY", ends_at)


def test_an_empty_model_id_is_no_request_at_all() -> None:
    with pytest.raises(ParamValidationError):
        BedrockCatalogue(_client("bedrock")).facts("")
