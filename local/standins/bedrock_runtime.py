"""Amazon Bedrock's stand-in, runtime: embeddings by EfficientNet-Lite0, captions from measured facts."""

from __future__ import annotations

import base64
import json

from local.standins.bedrock_world import CustomModel
from local.standins.catalogue import Model, has_ended, invocable_model, is_played_as_active
from local.standins.conversation import reply
from local.standins.embeddings import nova_embedding, titan_embedding
from local.standins.errors import ModelledError
from local.standins.outcomes import ImageOutcome
from local.standins.service import Call, Params, Service, paid
from local.standins.storyboard import draw_panels, read_image_request

JSON_TYPE = "application/json"
#: The largest ``body`` of InvokeModel, in bytes; by the service's model.
BODY_LIMIT = 25_000_000


class BedrockRuntime(Service):
    """Invokes the models of the catalogue."""

    service_name = "bedrock-runtime"

    @paid
    def invoke_model(self, params: Params, call: Call) -> Params:
        """Embed a picture with one of the two embedding models, or draw panels."""
        if ":provisioned-model/" in params["modelId"]:
            return self._draw(params, call, self._hosted(params["modelId"], call))
        model = _model(params["modelId"], call)
        if model.role == "image":
            return self._draw(params, call, None)
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

    def _hosted(self, arn: str, call: Call) -> CustomModel:
        """The custom model behind a hosting that is in service."""
        call.model = arn
        with self.world.bedrock.reading() as kept:
            hosting = next((one for one in kept.hostings if one.arn == arn and one.deleted_at is None), None)
            model = next((one for one in kept.models if hosting and one.arn == hosting.model_arn), None)
        if hosting is None or model is None:
            raise ModelledError("ResourceNotFoundException", "There is no such provisioned throughput.")
        if hosting.status != "InService":
            raise ModelledError("ModelNotReadyException", f"The provisioned throughput is {hosting.status}.")
        return model

    def _draw(self, params: Params, call: Call, model: CustomModel | None) -> Params:
        body = params.get("body", b"")
        request = read_image_request(body)
        call.about(body)
        outcome = self.world.outcomes.take("image")
        asked = outcome if isinstance(outcome, ImageOutcome) else ImageOutcome()
        if asked.refuse:
            raise ModelledError("ValidationException", asked.refuse)
        pictures = draw_panels(request, model, self.world.bedrock.folder)[: asked.keep]
        images = [base64.b64encode(picture).decode() for picture in pictures]
        answer = {"images": images, "error": asked.error or None}
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
    if has_ended(model):
        raise ModelledError(
            "ResourceNotFoundException",
            "This model version has reached the end of its life. "
            "Please refer to the AWS documentation for more details.",
        )
    if model.played_by is None and not is_played_as_active(model):
        raise ModelledError("ValidationException", f"The local stand-in does not play {model.id}.")
    return model
