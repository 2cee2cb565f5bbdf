"""Amazon Bedrock Runtime: image embeddings and captions."""

import base64
import json
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from storycast.adapters.clients import CAPTION_S, paid_client
from storycast.adapters.faults import translated, understood
from storycast.errors import (
    DependencyUnavailableError,
    FrameRefusedError,
    ModelNotAvailableError,
    StorycastError,
)
from storycast.ports import Answer

EMBEDDING_LENGTH = 1024
TEMPERATURE = 0.2

_GONE: dict[str, type[StorycastError]] = {"ResourceNotFoundException": ModelNotAvailableError}
_PICTURE_REFUSED: dict[str, type[StorycastError]] = {**_GONE, "ValidationException": FrameRefusedError}


class BedrockEmbedder:
    """An :class:`~storycast.ports.Embedder` over InvokeModel; one paid call per picture."""

    def __init__(self, model_id: str, runtime: Any = None) -> None:
        self._model_id = model_id
        self._runtime = runtime or paid_client("bedrock-runtime")

    @property
    def model_id(self) -> str:
        """Id of the embedding model."""
        return self._model_id

    def embed(self, picture: bytes) -> list[float]:
        """Return the embedding of a JPEG or PNG.

        Raises:
            FrameRefusedError: The model does not take this picture.
            ModelNotAvailableError: The region does not have the model, or it has ended.
        """
        body = _nova_body(picture) if "nova-2-multimodal-embeddings" in self._model_id else _titan_body(picture)
        with translated(f"InvokeModel {self._model_id}", _PICTURE_REFUSED):
            answer = self._runtime.invoke_model(
                modelId=self._model_id,
                body=json.dumps(body),
                contentType="application/json",
                accept="application/json",
            )
            content = answer["body"].read()
        try:
            parsed = json.loads(content)
            values = parsed["embeddings"][0]["embedding"] if "embeddings" in parsed else parsed["embedding"]
            embedding = [float(value) for value in values]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise DependencyUnavailableError(
                f"InvokeModel {self._model_id} answered no embedding: {type(error).__name__}"
            ) from error
        if len(embedding) != EMBEDDING_LENGTH:
            # It would compare with no other of the run.
            raise DependencyUnavailableError(
                f"InvokeModel {self._model_id} answered no embedding: {len(embedding)} components, "
                f"not {EMBEDDING_LENGTH}"
            )
        return embedding


class ConverseCaptioner:
    """A :class:`~storycast.ports.Captioner` over Converse; each answer is a paid call."""

    def __init__(self, model_id: str, runtime: Any = None) -> None:
        self._model_id = model_id
        self._runtime = runtime or paid_client("bedrock-runtime", CAPTION_S)

    def answer(self, system: str, turns: Sequence[str], picture: bytes, *, max_tokens: int) -> Answer:
        """Return the model's answer to a conversation about a picture.

        Raises:
            FrameRefusedError: The model does not take this request.
            ModelNotAvailableError: The region does not have the model, or it has ended.
        """
        picture_format = "png" if picture.startswith(b"\x89PNG") else "jpeg"
        messages: list[dict[str, Any]] = [
            {"role": role, "content": [{"text": turn}]}
            for role, turn in zip(cycle(("user", "assistant")), turns, strict=False)
        ]
        messages[0]["content"].insert(0, {"image": {"format": picture_format, "source": {"bytes": picture}}})
        with translated(f"Converse {self._model_id}", _PICTURE_REFUSED):
            answer = self._runtime.converse(
                modelId=self._model_id,
                system=[{"text": system}],
                messages=messages,
                inferenceConfig={"maxTokens": max_tokens, "temperature": TEMPERATURE},
            )
        with understood(f"Converse {self._model_id}"):
            message = answer.get("output", {}).get("message", {})
            usage = answer.get("usage", {})
            return Answer(
                text="".join(block.get("text", "") for block in message.get("content", ())),
                stop_reason=str(answer.get("stopReason", "")),
                input_tokens=int(usage.get("inputTokens", 0)),
                output_tokens=int(usage.get("outputTokens", 0)),
                notes=dict(answer.get("additionalModelResponseFields") or {}),
            )


def _titan_body(picture: bytes) -> dict[str, Any]:
    return {
        "inputImage": base64.b64encode(picture).decode(),
        "embeddingConfig": {"outputEmbeddingLength": EMBEDDING_LENGTH},
    }


def _nova_body(picture: bytes) -> dict[str, Any]:
    return {
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "GENERIC_INDEX",
            "embeddingDimension": EMBEDDING_LENGTH,
            "image": {
                "format": "png" if picture.startswith(b"\x89PNG") else "jpeg",
                "detailLevel": "STANDARD_IMAGE",
                "source": {"bytes": base64.b64encode(picture).decode()},
            },
        },
    }
