"""Amazon Bedrock's stand-in, control plane: the catalogue of foundation models, training and hosting."""

from __future__ import annotations

import datetime as dt

from local.standins.catalogue import Model, foundation_model, has_ended, is_played_as_active, models, today
from local.standins.custom_models import CustomModels
from local.standins.customization import Customization
from local.standins.errors import ModelledError
from local.standins.hosting import HostingService
from local.standins.service import Call, Params
from local.standins.tags import Tags
from local.standins.vision_server import vision_server

#: Shown to users in records and reports wherever the provider of a model is.
PROVIDER = "Storycast local stand-in"
#: The provider that the real service names; ``byProvider`` takes either.
REAL_PROVIDER = "Amazon"


class Bedrock(Customization, CustomModels, HostingService, Tags):
    """Says what models there are, how far in their lives, and who really answers for them here."""

    def get_foundation_model(self, params: Params, call: Call) -> Params:
        """Describe one model; an ended one as LEGACY with its ``endOfLifeTime``, see docs/stand-ins.md."""
        call.model = params["modelIdentifier"]
        model = foundation_model(params["modelIdentifier"])
        if model is None:
            raise ModelledError("ValidationException", "The provided model identifier is invalid.")
        return {"modelDetails": _details(model, call.region)}

    def list_foundation_models(self, params: Params, call: Call) -> Params:
        """List the catalogue, filtered as asked; ended models are not listed, as in the service."""
        day = today()
        wanted = [model for model in models() if not has_ended(model, day) and _passes(model, params)]
        return {"modelSummaries": [_details(model, call.region) for model in wanted]}


def _passes(model: Model, params: Params) -> bool:
    provider = params.get("byProvider")
    return (
        (provider is None or provider.lower() in {PROVIDER.lower(), REAL_PROVIDER.lower()})
        and params.get("byOutputModality", model.output[0]) in model.output
        and params.get("byInferenceType", model.inference[0]) in model.inference
        and ("byCustomizationType" not in params or params["byCustomizationType"] in model.customizations)
    )


def _details(model: Model, region: str) -> Params:
    lifecycle: Params = {"status": "ACTIVE"}
    if not is_played_as_active(model):
        lifecycle["status"] = "LEGACY" if model.is_legacy(today()) else "ACTIVE"
        if model.legacy is not None:
            lifecycle["legacyTime"] = _midnight(model.legacy)
        if model.end_of_life is not None:
            lifecycle["endOfLifeTime"] = _midnight(model.end_of_life)
    return {
        "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model.id}",
        "modelId": model.id,
        "modelName": _name(model),
        "providerName": PROVIDER,
        "inputModalities": list(model.input),
        "outputModalities": list(model.output),
        "responseStreamingSupported": False,
        "customizationsSupported": list(model.customizations),
        "inferenceTypesSupported": list(model.inference),
        "modelLifecycle": lifecycle,
    }


def _name(model: Model) -> str:
    """The model's name and who answers for it, for users to read."""
    if model.role == "caption" and (server := vision_server()):
        return f"{model.name}, passed on to {server.host}"
    if is_played_as_active(model):
        return f"{model.name}, ended {model.end_of_life}, played as active by composites of training pictures"
    return f"{model.name}, played by {model.played_by}" if model.played_by else f"{model.name}, not played"


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
