"""Amazon Bedrock's stand-in, runtime: embeddings, captions from measured facts, composites for panels."""

from __future__ import annotations

import base64
import json

from local.standins.bodies import read_body
from local.standins.catalogue import Model, foundation_model, has_ended, invocable_model, is_played_as_active
from local.standins.conversation import reply
from local.standins.custom_models import found_model
from local.standins.embeddings import nova_embedding, titan_embedding
from local.standins.errors import ModelledError
from local.standins.image_request import ImageRequest
from local.standins.outcomes import CaptionOutcome, ImageOutcome
from local.standins.service import Call, Params, Service, paid
from local.standins.storyboard import TrainingPictures, draw_panels

JSON_TYPE = "application/json"
#: The largest ``body`` of InvokeModel, in bytes; by the service's model.
BODY_LIMIT = 25_000_000

_ENDED = (
    "This model version has reached the end of its life. Please refer to the AWS documentation for more details."
)


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
        return _answer(answering(_body(params), call))

    def _hosted(self, arn: str, call: Call) -> TrainingPictures:
        """The training pictures of the custom model behind a hosting that is in service."""
        call.model = arn
        with self.world.bedrock.reading() as kept:
            hosting = next((one for one in kept.hostings if one.arn == arn and one.deleted_at is None), None)
            if hosting is None:
                raise ModelledError("ResourceNotFoundException", "There is no such provisioned throughput.")
            if hosting.status not in {"InService", "Updating"}:
                raise ModelledError("ModelNotReadyException", f"The provisioned throughput is {hosting.status}.")
            model = found_model(kept.models, hosting.current_model_arn)
        base = foundation_model(model.base_model)
        if base is None or has_ended(base):
            raise ModelledError("ResourceNotFoundException", _ENDED)
        return TrainingPictures(self.world.bedrock.pictures_folder(model), tuple(model.pictures))

    def _draw(self, params: Params, call: Call, known: TrainingPictures | None) -> Params:
        body = _body(params)
        call.about(body)
        request = read_body(ImageRequest, body)
        asked = self.world.outcomes.take(ImageOutcome)
        if asked.refuse:
            raise ModelledError("ValidationException", asked.refuse)
        pictures = draw_panels(request, known)[: asked.keep]
        images = [base64.b64encode(picture).decode("ascii") for picture in pictures]
        return _answer({"images": images, "error": asked.error or None})

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
        return reply(params, call, self.world.outcomes.take(CaptionOutcome))


def _body(params: Params) -> bytes:
    body: bytes = params.get("body", b"")
    if len(body) > BODY_LIMIT:
        message = f"1 validation error detected: the body is larger than {BODY_LIMIT} bytes"
        raise ModelledError("ValidationException", message)
    return body


def _answer(document: Params) -> Params:
    return {"body": json.dumps(document).encode("utf-8"), "contentType": JSON_TYPE}


def _model(identifier: str, call: Call) -> Model:
    """The model that a request names, if it is still alive."""
    call.model = identifier
    model = invocable_model(identifier)
    if model is None:
        raise ModelledError("ValidationException", "The provided model identifier is invalid.")
    if has_ended(model):
        raise ModelledError("ResourceNotFoundException", _ENDED)
    if model.played_by is None and not is_played_as_active(model):
        raise ModelledError("ValidationException", f"The local stand-in does not play {model.id}.")
    return model
