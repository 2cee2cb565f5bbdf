"""What CreateModelCustomizationJob is asked for, and what the service refuses before a job begins."""

from __future__ import annotations

from local.standins.catalogue import Model, foundation_model, has_ended
from local.standins.errors import ModelledError
from local.standins.objects import ObjectUnreadableError, split_uri
from local.standins.service import Call, Params

#: Where Nova Canvas and Titan Image Generator can be fine-tuned; the second also in us-west-2.
REGION = "us-east-1"
#: Ranges of Nova Canvas's hyperparameters: least, most, default.
VALUES: dict[str, tuple[float, float, str]] = {
    "stepCount": (10, 20_000, "500"),
    "batchSize": (8, 192, "8"),
    "learningRate": (1e-7, 1e-4, "0.00001"),
}


def checked_request(params: Params, call: Call) -> tuple[Model, dict[str, str]]:
    """Refuse what can't be trained.

    Returns:
        The base model, and the hyperparameters with their defaults.

    Raises:
        ModelledError: ValidationException, with what is wrong.
    """
    call.model = params["baseModelIdentifier"]
    base = _base_model(params, call)
    values = {name: default for name, (_, _, default) in VALUES.items()} | params.get("hyperParameters", {})
    for name, value in values.items():
        if problem := _value_problem(name, value):
            raise _invalid(problem)
    if params.get("customizationType", "FINE_TUNING") != "FINE_TUNING":
        raise _invalid(f"{base.id} can be customised by FINE_TUNING only.")
    if params.get("validationDataConfig", {}).get("validators"):
        raise _invalid(f"{base.id} takes no validation data.")
    uri = params["trainingDataConfig"].get("s3Uri", "")
    try:
        split_uri(uri)
    except ObjectUnreadableError as error:
        raise _invalid(f"The training data can't be {uri or 'left out'}: name s3://<bucket>/<key>.") from error
    return base, values


def _base_model(params: Params, call: Call) -> Model:
    base = foundation_model(params["baseModelIdentifier"])
    if base is None:
        raise _invalid("The provided model identifier is invalid.")
    if has_ended(base):
        raise _invalid(f"The provided model identifier is invalid: {base.id} reached its end of life.")
    if "FINE_TUNING" not in base.customizations or call.region != REGION:
        raise _invalid(f"Fine-tuning {base.id} is not supported in {call.region}.")
    return base


def _value_problem(name: str, value: str) -> str:
    if name not in VALUES:
        return f"There is no hyperparameter {name}; there are {', '.join(VALUES)}."
    least, most, _ = VALUES[name]
    try:
        legal = least <= float(value) <= most and (name == "learningRate" or value.isdecimal())
    except ValueError:
        legal = False
    return "" if legal else f"The hyperparameter {name} can't be '{value}': it is {least:g} to {most:g}."


def _invalid(message: str) -> ModelledError:
    return ModelledError("ValidationException", message)
