"""Amazon Bedrock's catalogue of foundation models."""

from datetime import datetime
from typing import Any

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.ended_models import ENDED_MODELS, EndedModel
from storycast.errors import ModelNotAvailableError, StorycastError
from storycast.model_ids import plain_model_id
from storycast.ports import ModelFacts

_UNKNOWN: dict[str, type[StorycastError]] = {
    "ResourceNotFoundException": ModelNotAvailableError,
    "ValidationException": ModelNotAvailableError,
}


class BedrockCatalogue:
    """A :class:`~storycast.ports.ModelCatalogue` over GetFoundationModel, which costs nothing."""

    def __init__(self, bedrock: Any = None) -> None:
        self._bedrock = bedrock or client("bedrock")

    def facts(self, model_id: str) -> ModelFacts:
        """Return what is known of a model; of an inference profile, what is known of its model.

        A model that has ended and that the catalogue has forgotten is as it was last known.
        """
        plain = plain_model_id(model_id)
        try:
            with translated(f"GetFoundationModel {plain}", _UNKNOWN):
                details = self._bedrock.get_foundation_model(modelIdentifier=plain)["modelDetails"]
        except ModelNotAvailableError:
            if plain in ENDED_MODELS:
                return _forgotten(model_id, ENDED_MODELS[plain])
            raise
        lifecycle = details.get("modelLifecycle", {})
        ends_at: datetime | None = lifecycle.get("endOfLifeTime")
        return ModelFacts(
            model_id=model_id,
            name=details.get("modelName", plain),
            provider=details.get("providerName", ""),
            status=lifecycle.get("status", "ACTIVE"),
            ends_at=ends_at,
            customizations=tuple(details.get("customizationsSupported", ())),
            inference=tuple(details.get("inferenceTypesSupported", ())),
        )


def _forgotten(model_id: str, ended: EndedModel) -> ModelFacts:
    return ModelFacts(
        model_id=model_id,
        name=ended.name,
        provider=ended.provider,
        status="LEGACY",
        ends_at=ended.ended_at,
        customizations=ended.customizations,
        inference=ended.inference,
    )
