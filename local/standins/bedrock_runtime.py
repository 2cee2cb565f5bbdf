"""Amazon Bedrock's stand-in, runtime: embeddings by EfficientNet-Lite0, captions from measured facts."""

from __future__ import annotations

import json

from local.standins.catalogue import Model, invocable_model, today
from local.standins.conversation import reply
from local.standins.embeddings import nova_embedding, titan_embedding
from local.standins.errors import ModelledError
from local.standins.service import Call, Params, Service, paid

JSON_TYPE = "application/json"
#: The largest ``body`` of InvokeModel, in bytes; by the service's model.
BODY_LIMIT = 25_000_000


class BedrockRuntime(Service):
    """Invokes the models of the catalogue."""

    service_name = "bedrock-runtime"

    @paid
    def invoke_model(self, params: Params, call: Call) -> Params:
        """Embed a picture with one of the two embedding models."""
        model = _model(params["modelId"], call)
        answering = {"titan_embedding": titan_embedding, "nova_embedding": nova_embedding}.get(model.role)
        if answering is None:
            message = f"The local stand-in plays {model.id} through Converse only, not through InvokeModel."
            raise ModelledError("ValidationException", message)
        body = params.get("body", b"")
        if len(body) > BODY_LIMIT:
            message = f"1 validation error detected: the body is larger than {BODY_LIMIT} bytes"
            raise ModelledError("ValidationException", message)
        answer = answering(body, call)
        return {"body": json.dumps(answer).encode("utf-8"), "contentType": JSON_TYPE}

    @paid
    def converse(self, params: Params, call: Call) -> Params:
        """Write a caption, or what the prompt asks of the vision model that the user runs."""
        model = _model(params["modelId"], call)
        if model.role != "caption":
            raise ModelledError(
                "ValidationException",
                "This action doesn't support the model that you provided. "
                "Try again with a supported text or chat model.",
            )
        return reply(params, call)


def _model(identifier: str, call: Call) -> Model:
    """The model that a request names, if it is still alive."""
    call.model = identifier
    model = invocable_model(identifier)
    if model is None:
        raise ModelledError("ValidationException", "The provided model identifier is invalid.")
    if model.has_ended(today()):
        raise ModelledError(
            "ResourceNotFoundException",
            "This model version has reached the end of its life. "
            "Please refer to the AWS documentation for more details.",
        )
    if model.played_by is None:
        raise ModelledError("ValidationException", f"The local stand-in does not play {model.id}.")
    return model
