"""The wire protocols ``json`` and ``rest-json``, driven by botocore's service models.

It is the inverse of botocore: requests are read, answers and errors are written. Event streams are not
spoken.
"""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

from local.service_models import path_pattern
from local.standins.constraints import output_problems, problems
from local.standins.errors import COMMON_ERRORS, DefectError, ModelledError, RefusedError, UnmodelledError
from local.standins.http import HttpAnswer, HttpRequest
from local.standins.shapes import WireValueError, member_name, read_json, read_located, write_json, write_text

#: What a service calls parameters that its model does not allow.
_INVALID = ("ValidationException", "InvalidParameterException", "InvalidRequestException")


class Wire:
    """One service on the wire."""

    def __init__(self, service_name: str) -> None:
        """Load the model of a service by its botocore name, such as ``bedrock-runtime``."""
        self.model: ServiceModel = botocore.session.get_session().get_service_model(service_name)
        self.protocol: str = self.model.metadata["protocol"]
        if self.protocol not in {"json", "rest-json"}:
            raise DefectError(f"{service_name} speaks {self.protocol}, which the stand-ins do not")
        self._paths = sorted(
            (self._path_of(name) for name in self.model.operation_names), key=lambda path: -path[0]
        )

    @property
    def signing_name(self) -> str:
        """The service's name in a credential scope; Bedrock's two services share one."""
        return str(self.model.signing_name)

    def match(self, request: HttpRequest) -> tuple[OperationModel, dict[str, str]] | None:
        """Find the operation that a request asks for, and the still encoded labels of its path.

        Returns:
            None if the request is not for this service, or for none of its operations.
        """
        if self.protocol == "json":
            prefix, _, name = request.headers.get("x-amz-target", "").partition(".")
            if prefix != self.model.metadata["targetPrefix"] or name not in self.model.operation_names:
                return None
            return self.model.operation_model(name), {}
        if "x-amz-target" in request.headers:
            return None
        for _, method, pattern, name in self._paths:
            found = pattern.fullmatch(request.path) if method == request.method else None
            if found:
                return self.model.operation_model(name), found.groupdict()
        return None

    def read(self, operation: OperationModel, labels: dict[str, str], request: HttpRequest) -> dict[str, Any]:
        """Read and validate the parameters of a request.

        Returns:
            The parameters by the model's member names; blobs are bytes, timestamps are datetimes.

        Raises:
            ModelledError: The service's validation error, when the model does not allow them.
        """
        shape = operation.input_shape
        try:
            params = self._body_params(shape, request)
            if shape is not None and self.protocol == "rest-json":
                params |= read_located(shape, labels, request)
        except (WireValueError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise self._invalid(operation, f"The request cannot be read: {error}") from error
        found = problems(params, shape)
        if found:
            count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
            raise self._invalid(operation, count + "; ".join(found))
        return params

    def write(self, operation: OperationModel, output: dict[str, Any]) -> HttpAnswer:
        """Validate an operation's answer and put it on the wire.

        Raises:
            DefectError: The model does not allow this answer.
        """
        shape = operation.output_shape
        found = output_problems(output, shape)
        if found:
            raise DefectError(f"{operation.name} answered what its model does not allow: {'; '.join(found)}")
        if self.protocol == "json" or shape is None:
            body = b"{}" if shape is None else _dumped(write_json(output, shape))
            return HttpAnswer(200, body, {"content-type": self._content_type})
        members = shape.members
        headers = {"content-type": self._content_type}
        rest: dict[str, Any] = {}
        status = int(operation.http.get("responseCode", 200))
        for name, value in output.items():
            location = members[name].serialization.get("location")
            if location == "header":
                headers[member_name(name, members[name]).lower()] = write_text(value, members[name])
            elif location == "headers":
                prefix = members[name].serialization.get("name", "")
                headers |= {f"{prefix}{key}".lower(): str(inner) for key, inner in value.items()}
            elif location == "statusCode":
                status = int(value)
            else:
                rest[name] = value
        payload = shape.serialization.get("payload")
        if payload is None:
            return HttpAnswer(status, _dumped(write_json(rest, shape)), headers)
        if members[payload].type_name in {"blob", "string"}:
            raw = rest.get(payload, b"")
            return HttpAnswer(status, raw.encode("utf-8") if isinstance(raw, str) else bytes(raw), headers)
        return HttpAnswer(status, _dumped(write_json(rest.get(payload, {}), members[payload])), headers)

    def write_error(self, operation: OperationModel, error: ModelledError, request_id: str) -> HttpAnswer:
        """Put an error on the wire, so that a real client raises it under its name.

        Raises:
            UnmodelledError: The operation's model does not list that error.
        """
        if isinstance(error, RefusedError):
            return refusal(error, request_id)
        shape = self.error_shape(operation, error.code)
        body: dict[str, Any] = {"message": error.message}
        for name, member in shape.members.items():  # type: ignore[attr-defined]
            known = {"message": error.message, "code": error.code, "logref": request_id}
            value = error.members.get(name, known.get(name.lower()))
            if value is not None:
                body[member_name(name, member)] = write_json(value, member)
        unknown = set(error.members) - set(shape.members)  # type: ignore[attr-defined]
        if unknown:
            raise UnmodelledError(f"{error.code} has no members {sorted(unknown)}")
        status = int(shape.metadata.get("error", {}).get("httpStatusCode", 0)) or _default_status(shape)
        headers = {"content-type": self._content_type, "x-amzn-errortype": error.code}
        if self.protocol == "json":
            body = {
                "__type": error.code,
                "Code": error.code,
                "Logref": request_id,
                "Message": error.message,
            } | body
            headers.pop("x-amzn-errortype")
        return HttpAnswer(status, _dumped(body), headers)

    def error_shape(self, operation: OperationModel, code: str) -> Shape:
        """The shape of an error that an operation may answer with.

        Raises:
            UnmodelledError: The operation's model does not list it.
        """
        for shape in operation.error_shapes:
            if code in {shape.name, shape.metadata.get("error", {}).get("code")}:
                return shape
        modelled = ", ".join(sorted(shape.name for shape in operation.error_shapes))
        raise UnmodelledError(f"{operation.name} does not model {code}; it models {modelled}")

    def internal_error(self, operation: OperationModel, message: str) -> ModelledError:
        """The error by which this operation says that the service itself failed."""
        for shape in operation.error_shapes:
            if shape.name in {"InternalServerError", "InternalServerException", "InternalFailure"}:
                return ModelledError(shape.name, message)
        return RefusedError("InternalFailure", message)

    @property
    def _content_type(self) -> str:
        version = self.model.metadata.get("jsonVersion")
        return f"application/x-amz-json-{version}" if self.protocol == "json" else "application/json"

    def _invalid(self, operation: OperationModel, message: str) -> ModelledError:
        modelled = {shape.name for shape in operation.error_shapes}
        for code in _INVALID:
            if code in modelled:
                return ModelledError(code, message)
        return RefusedError("ValidationException", message)

    def _path_of(self, name: str) -> tuple[int, str, re.Pattern[str], str]:
        """How specific an operation's path is (characters outside labels), and what it matches."""
        http = self.model.operation_model(name).http
        pattern, letters = path_pattern(http["requestUri"].partition("?")[0])
        return letters, http["method"], pattern, name

    def _body_params(self, shape: Shape | None, request: HttpRequest) -> dict[str, Any]:
        if shape is None:
            return {}
        payload = shape.serialization.get("payload") if self.protocol == "rest-json" else None
        if payload is not None:
            member = shape.members[payload]  # type: ignore[attr-defined]
            if not request.body:
                return {}
            if member.type_name == "blob":
                return {payload: request.body}
            if member.type_name == "string":
                return {payload: request.body.decode("utf-8")}
            return {payload: read_json(json.loads(request.body), member)}
        document = json.loads(request.body) if request.body.strip() else {}
        if not isinstance(document, dict):
            raise WireValueError("the body is not a JSON object")
        params = read_json(document, shape)
        return dict(params)


def refusal(error: RefusedError, request_id: str) -> HttpAnswer:
    """Put an error that no operation models on the wire, in a form that both protocols' clients read."""
    body = {"__type": error.code, "message": error.message, "Logref": request_id}
    headers = {"content-type": "application/json", "x-amzn-errortype": error.code}
    return HttpAnswer(COMMON_ERRORS[error.code], _dumped(body), headers)


def _default_status(shape: Shape) -> int:
    """The status of an error whose model names none: 500 if it says that the service failed, else 400."""
    return 500 if shape.metadata.get("fault") or shape.name.startswith("Internal") else 400


def _dumped(document: Any) -> bytes:
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("utf-8")
