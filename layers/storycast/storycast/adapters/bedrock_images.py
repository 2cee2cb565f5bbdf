"""Amazon Bedrock Runtime: pictures of a prompt, by an image model of the catalogue or by one trained from it."""

import base64
import binascii
import json
from typing import Any

from storycast.adapters.clients import client_without_retries
from storycast.adapters.faults import translated
from storycast.errors import (
    DependencyUnavailableError,
    ModelNotAvailableError,
    PanelRefusedError,
    StorycastError,
)
from storycast.ports import Drawn
from storycast.storyboard import PanelRequest

READ_TIMEOUT_S = 300
"""Amazon Nova User Guide, "Image generation": set it to at least five minutes, or premium pictures are cut off."""

_CODES: dict[str, type[StorycastError]] = {
    "AccessDeniedException": ModelNotAvailableError,
    "ResourceNotFoundException": ModelNotAvailableError,
    "ValidationException": PanelRefusedError,
}
_NOT_THE_PROMPT = ("model identifier", "on-demand throughput")
"""Words of the ValidationException that is about the model, not about what it was asked for."""


class BedrockImages:
    """An :class:`~storycast.ports.ImageModel` over InvokeModel; each picture is paid for, a refusal is not."""

    def __init__(self, runtime: Any = None) -> None:
        # One attempt: after a broken connection another one would pay for the same pictures again, and two of five
        # minutes fill the function's time. The state machine repeats, and finds what was paid.
        self._runtime = runtime or client_without_retries("bedrock-runtime", READ_TIMEOUT_S)

    def draw(self, model_id: str, request: PanelRequest) -> Drawn:
        """Return the pictures that a model drew; see :meth:`ImageModel.draw`.

        Raises:
            DependencyUnavailableError: The answer holds neither a picture nor a reason.
        """
        try:
            with translated(f"InvokeModel {model_id}", _CODES):
                answer = self._runtime.invoke_model(
                    modelId=model_id,
                    body=json.dumps(_body(request)),
                    contentType="application/json",
                    accept="application/json",
                )
                content = answer["body"].read()
        except PanelRefusedError as error:
            if any(words in str(error) for words in _NOT_THE_PROMPT):
                raise ModelNotAvailableError(str(error)) from error
            raise
        return _drawn(model_id, request, content)


def _body(request: PanelRequest) -> dict[str, Any]:
    """Return the request as the walk-through has it ("Build character consistent storyboards ...", part 2)."""
    asked = {"text": request.prompt}
    if request.negative_prompt:
        asked["negativeText"] = request.negative_prompt
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": asked,
        "imageGenerationConfig": {
            "numberOfImages": request.image_count,
            "quality": request.quality,
            "width": request.width_px,
            "height": request.height_px,
            "cfgScale": request.cfg_scale,
            "seed": request.seed,
        },
    }


def _drawn(model_id: str, request: PanelRequest, content: bytes) -> Drawn:
    try:
        parsed = json.loads(content)
        encoded = parsed.get("images") or []
        pictures = tuple(base64.b64decode(picture, validate=True) for picture in encoded)
        error = str(parsed.get("error") or "")
    except (ValueError, AttributeError, TypeError, RecursionError, binascii.Error) as problem:
        raise DependencyUnavailableError(
            f"InvokeModel {model_id} answered no pictures: {type(problem).__name__}"
        ) from problem
    if not pictures and not error:
        raise DependencyUnavailableError(
            f"InvokeModel {model_id} answered neither a picture nor why there is none"
        )
    if len(pictures) < request.image_count and not error:
        error = f"the model gave {len(pictures)} of {request.image_count} pictures and no reason"
    return Drawn(pictures, error)
