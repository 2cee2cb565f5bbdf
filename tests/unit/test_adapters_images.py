"""Pictures of a prompt through a real client: the walk-through's request, each answer and each error."""

import base64
import io
import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from storycast.adapters.bedrock_images import BedrockImages
from storycast.adapters.clients import client_without_retries
from storycast.errors import (
    DependencyUnavailableError,
    ModelNotAvailableError,
    PanelRefusedError,
    StorycastError,
    ThrottledError,
)
from storycast.storyboard import PanelRequest

ARN = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc"
REQUEST = PanelRequest(
    prompt="Mara by a river",
    negative_prompt="text, ugly",
    image_count=2,
    width_px=1280,
    height_px=720,
    quality="premium",
    cfg_scale=8.0,
    seed=12,
)


def _client() -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _images(answer: bytes, expected: dict[str, Any] | None = None) -> BedrockImages:
    client = _client()
    stubber = Stubber(client)
    body = StreamingBody(io.BytesIO(answer), len(answer))
    stubber.add_response("invoke_model", {"body": body, "contentType": "application/json"}, expected)
    stubber.activate()
    return BedrockImages(client)


def _answer(**members: Any) -> bytes:
    return json.dumps(members).encode()


def _encoded(*pictures: bytes) -> list[str]:
    return [base64.b64encode(picture).decode() for picture in pictures]


def test_the_request_is_the_walk_throughs() -> None:
    body = {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "Mara by a river", "negativeText": "text, ugly"},
        "imageGenerationConfig": {
            "numberOfImages": 2,
            "quality": "premium",
            "width": 1280,
            "height": 720,
            "cfgScale": 8.0,
            "seed": 12,
        },
    }
    expected = {
        "modelId": ARN,
        "body": json.dumps(body),
        "contentType": "application/json",
        "accept": "application/json",
    }
    drawn = _images(_answer(images=_encoded(b"one", b"two")), expected).draw(ARN, REQUEST)
    assert drawn.pictures == (b"one", b"two")
    assert drawn.error == ""


def test_an_empty_negative_prompt_is_left_out() -> None:
    class Runtime:
        def invoke_model(self, **arguments: Any) -> dict[str, Any]:
            assert json.loads(arguments["body"])["textToImageParams"] == {"text": "Mara by a river"}
            return {"body": io.BytesIO(_answer(images=_encoded(b"one", b"two")))}

    asked = REQUEST.model_copy(update={"negative_prompt": ""})
    assert len(BedrockImages(Runtime()).draw(ARN, asked).pictures) == 2


@pytest.mark.parametrize(
    ("answer", "pictures", "error"),
    [
        (_answer(images=_encoded(b"one", b"two"), error=None), 2, ""),
        (_answer(images=_encoded(b"one"), error="one was blocked"), 1, "one was blocked"),
        (_answer(images=_encoded(b"one")), 1, "the model gave 1 of 2 pictures and no reason"),
        (_answer(images=[], error="all were blocked"), 0, "all were blocked"),
        (_answer(images=None, error="all were blocked"), 0, "all were blocked"),
        (_answer(error="all were blocked"), 0, "all were blocked"),
    ],
)
def test_what_is_missing_has_a_reason(answer: bytes, pictures: int, error: str) -> None:
    drawn = _images(answer).draw(ARN, REQUEST)
    assert (len(drawn.pictures), drawn.error) == (pictures, error)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b"{}",
        b'{"images": 1}',
        b'{"images": [1]}',
        b'{"images": ["%%%"]}',
        b'{"images": ["abc"]}',
        b'{"images": [], "error": null}',
        b"\xff\xfe{",
    ],
)
def test_an_answer_with_neither_picture_nor_reason_is_a_dependency(answer: bytes) -> None:
    with pytest.raises(DependencyUnavailableError, match=f"{ARN} answered"):
        _images(answer).draw(ARN, REQUEST)


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        ("ValidationException", "This request has been blocked by our content filters.", 400, PanelRefusedError),
        ("ValidationException", "The provided model identifier is invalid.", 400, ModelNotAvailableError),
        (
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn’t supported.",
            400,
            ModelNotAvailableError,
        ),
        ("ResourceNotFoundException", "has reached the end of its life", 404, ModelNotAvailableError),
        ("AccessDeniedException", "You don't have access to the model", 403, ModelNotAvailableError),
        ("ThrottlingException", "slowly", 429, ThrottledError),
        ("ServiceQuotaExceededException", "no more", 400, ThrottledError),
        ("ModelTimeoutException", "too long", 408, DependencyUnavailableError),
        ("ModelErrorException", "broken", 424, DependencyUnavailableError),
        ("ModelNotReadyException", "not yet", 429, DependencyUnavailableError),
        ("InternalServerException", "down", 500, DependencyUnavailableError),
        ("ServiceUnavailableException", "down", 503, DependencyUnavailableError),
    ],
)
def test_each_modelled_error_has_our_name(
    code: str, message: str, status: int, expected: type[StorycastError]
) -> None:
    client = _client()
    with Stubber(client) as stubber:
        stubber.add_client_error("invoke_model", code, message, http_status_code=status)
        with pytest.raises(StorycastError, match="InvokeModel") as caught:
            BedrockImages(client).draw(ARN, REQUEST)
    assert type(caught.value) is expected


def test_an_error_that_nobody_knows_stays_itself() -> None:
    client = _client()
    with Stubber(client) as stubber:
        stubber.add_client_error("invoke_model", "SomethingNew", "?", http_status_code=400)
        with pytest.raises(ClientError, match="SomethingNew"):
            BedrockImages(client).draw(ARN, REQUEST)


def test_an_answer_that_never_comes_is_a_dependency() -> None:
    class Runtime:
        def invoke_model(self, **_: Any) -> Any:
            raise ReadTimeoutError(endpoint_url="https://x")

    with pytest.raises(DependencyUnavailableError):
        BedrockImages(Runtime()).draw(ARN, REQUEST)


def test_its_own_client_waits_for_premium_pictures_and_never_asks_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client_without_retries.cache_clear()
    config = BedrockImages()._runtime.meta.config
    client_without_retries.cache_clear()
    assert config.read_timeout == 300
    assert config.retries["total_max_attempts"] == 1
