"""InvokeModel's JSON bodies: read strictly, refused in the service's words."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from local.standins.errors import ModelledError


class Body(BaseModel):
    """Base of the bodies and their parts."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def read_body[T: Body](kind: type[T], body: bytes) -> T:
    """Read a body.

    Raises:
        ModelledError: ValidationException, with all that is wrong with it.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        found = []
        for problem in error.errors(include_url=False, include_input=False):
            where = ".".join(map(str, problem["loc"]))
            if problem["type"] == "extra_forbidden":
                found.append(f"extraneous key [{where}] is not permitted")
            elif problem["type"] == "missing":
                found.append(f"required key [{where}] not found")
            else:
                found.append(f"{where or 'body'}: {problem['msg']}")
        raise malformed("; ".join(found)) from error


def malformed(what: str) -> ModelledError:
    """The service's error for a body that its schema does not allow."""
    message = f"Malformed input request: {what}, please reformat your input and try again."
    return ModelledError("ValidationException", message)
