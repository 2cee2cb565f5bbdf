"""InvokeModel's bodies for the two embedding models, and their limits."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import Field

from local.standins.bodies import Body, malformed, read_body
from local.standins.embedder import embed_picture
from local.standins.errors import ModelledError
from local.standins.objects import ObjectTooLargeError, ObjectUnreadableError, read_object, split_uri
from local.standins.pictures import PictureUnreadableError, read_header, read_pixels
from local.standins.service import Call

# "Amazon Titan Multimodal Embeddings G1": at most 25 MB and 2,048 x 2,048 px.
BYTES_LIMIT = 25 * 1024 * 1024
TITAN_PIXELS_LIMIT = 2048 * 2048
NO_TEXT_ENCODER = (
    "The local stand-in has no text encoder: it embeds pictures only, by EfficientNet-Lite0. "
    "Send a picture without text, or use the real service."
)


class TitanConfig(Body):
    """``embeddingConfig`` of Titan Multimodal Embeddings."""

    outputEmbeddingLength: Literal[256, 384, 1024] = 1024  # noqa: N815 - the service's key


class TitanBody(Body):
    """What Titan Multimodal Embeddings takes."""

    inputText: str | None = None  # noqa: N815 - the service's key
    inputImage: str | None = None  # noqa: N815 - the service's key
    embeddingConfig: TitanConfig = TitanConfig()  # noqa: N815 - the service's key


class NovaS3Location(Body):
    """A picture in S3."""

    uri: str
    bucketOwner: str | None = None  # noqa: N815 - the service's key


class NovaSource(Body):
    """Where a picture is: base64 in the request, or in S3."""

    bytes: str | None = None
    s3Location: NovaS3Location | None = None  # noqa: N815 - the service's key


class NovaImage(Body):
    """A picture to embed."""

    format: Literal["png", "jpeg", "gif", "webp"]
    source: NovaSource
    detailLevel: Literal["STANDARD_IMAGE", "DOCUMENT_IMAGE"] = "STANDARD_IMAGE"  # noqa: N815 - the service's key


class NovaParams(Body):
    """``singleEmbeddingParams`` of Nova Multimodal Embeddings; exactly one of the four inputs."""

    embeddingPurpose: Literal[  # noqa: N815 - the service's key
        "GENERIC_INDEX",
        "GENERIC_RETRIEVAL",
        "TEXT_RETRIEVAL",
        "IMAGE_RETRIEVAL",
        "VIDEO_RETRIEVAL",
        "DOCUMENT_RETRIEVAL",
        "AUDIO_RETRIEVAL",
        "CLASSIFICATION",
        "CLUSTERING",
    ]
    embeddingDimension: Literal[256, 384, 1024, 3072] = 3072  # noqa: N815 - the service's key
    image: NovaImage | None = None
    text: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    video: dict[str, Any] | None = None


class NovaBody(Body):
    """What Nova Multimodal Embeddings takes in InvokeModel."""

    schemaVersion: Literal["nova-multimodal-embed-v1"] = "nova-multimodal-embed-v1"  # noqa: N815 - the service's key
    taskType: Annotated[Literal["SINGLE_EMBEDDING"], Field()]  # noqa: N815 - the service's key
    singleEmbeddingParams: NovaParams  # noqa: N815 - the service's key


def titan_embedding(body: bytes, call: Call) -> dict[str, Any]:
    """Answer as ``amazon.titan-embed-image-v1`` does."""
    request = read_body(TitanBody, body)
    if request.inputText:
        raise ModelledError("ValidationException", NO_TEXT_ENCODER)
    if not request.inputImage:
        raise malformed("required key [inputText] or [inputImage] not found")
    content = _decoded(request.inputImage)
    vector = _embedded(
        content, request.embeddingConfig.outputEmbeddingLength, call, ("png", "jpeg"), TITAN_PIXELS_LIMIT
    )
    return {"embedding": vector, "inputTextTokenCount": 0, "message": None}


def nova_embedding(body: bytes, call: Call) -> dict[str, Any]:
    """Answer as ``amazon.nova-2-multimodal-embeddings-v1:0`` does."""
    params = read_body(NovaBody, body).singleEmbeddingParams
    given = [name for name in ("text", "image", "audio", "video") if getattr(params, name) is not None]
    if len(given) != 1:
        raise malformed("singleEmbeddingParams takes exactly one of text, image, audio and video")
    if params.image is None:
        message = (
            NO_TEXT_ENCODER if given == ["text"] else f"The local stand-in embeds pictures only, no {given[0]}."
        )
        raise ModelledError("ValidationException", message)
    source = params.image.source
    if (source.bytes is None) == (source.s3Location is None):
        raise malformed("image.source takes either bytes or s3Location")
    content = fetched(source.s3Location.uri) if source.s3Location else _decoded(source.bytes or "")
    vector = _embedded(content, params.embeddingDimension, call, (params.image.format,), None)
    return {"embeddings": [{"embeddingType": "IMAGE", "embedding": vector}]}


def fetched(uri: str) -> bytes:
    """Read a picture that a request names by its S3 URI.

    Raises:
        ModelledError: ValidationException; the operations of Bedrock model no S3 error of their own.
    """
    try:
        return read_object(*split_uri(uri), limit=BYTES_LIMIT)
    except (ObjectUnreadableError, ObjectTooLargeError) as error:
        raise ModelledError("ValidationException", f"Failed to read the S3 object: {error}") from error


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ModelledError(
            "ValidationException", "Failed to decode the image: it is not valid base64."
        ) from error


def _embedded(
    content: bytes, length: int, call: Call, formats: tuple[str, ...], pixels_limit: int | None
) -> list[float]:
    call.about(content)
    if len(content) > BYTES_LIMIT:
        raise ModelledError("ValidationException", "400 Bad Request: Image exceeds max size allowed.")
    try:
        header = read_header(content)
        if header.format not in formats:
            message = f"400 Bad Request: The image is {header.format}, not {' or '.join(formats)}."
            raise ModelledError("ValidationException", message)
        if pixels_limit is not None and header.width_px * header.height_px > pixels_limit:
            raise ModelledError("ValidationException", "400 Bad Request: Image exceeds max pixels allowed.")
        return embed_picture(read_pixels(content), length)
    except PictureUnreadableError as error:
        raise ModelledError("ValidationException", f"400 Bad Request: {error}.") from error
