"""The answers that a fault rule puts in a service's place, in the form that the service's clients read."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from botocore.model import ServiceModel

from local.faults import GARBAGE_PAGE, FaultRule
from local.service_models import service_model

_UNAVAILABLE = {"SlowDown": 503, "ServiceUnavailable": 503, "Throttled": 429}


def check_rule(rule: FaultRule) -> str | None:
    """Say why a fault rule cannot be, or None if it can. Any error code may be asked for."""
    model = service_model(rule.service)
    if model is None:
        return f"no such service: {rule.service} (it is botocore's name that counts)"
    if rule.operation not in model.operation_names:
        return f"{rule.service} has no operation {rule.operation}"
    return None


def garbage(method: str) -> bytes:
    """Return a web page as an answer with status 200; to HEAD, whose answers have no body, an empty one."""
    return answer(200, "text/html", b"" if method == "HEAD" else GARBAGE_PAGE)


def error(service: str, operation: str, code: str, request_id: str, method: str) -> bytes:
    """Return an error of a service as an answer."""
    model = service_model(service)
    protocol = model.metadata["protocol"] if model else "json"
    message = f"{code}, as a fault rule asked for."
    status = _status(model, operation, code)
    ids = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id}
    if method == "HEAD":  # the status is all that can be told
        return answer(status, "application/xml", b"", ids)
    if protocol == "rest-xml":
        text = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
        return answer(status, "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), ids)
    if protocol == "query":
        told = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        text = f"<ErrorResponse>{told}<RequestId>{request_id}</RequestId></ErrorResponse>"
        return answer(status, "text/xml", text.encode(), ids)
    body = json.dumps({"__type": code, "message": message}).encode()
    return answer(status, "application/x-amz-json-1.0", body, {"x-amzn-errortype": code, **ids})


def answer(status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return an HTTP answer as bytes."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _status(model: ServiceModel | None, operation: str, code: str) -> int:
    shapes: Any = model.operation_model(operation).error_shapes if model else ()
    for shape in shapes:
        told = shape.metadata.get("error", {})
        if code in (shape.name, told.get("code")) and told.get("httpStatusCode"):
            return int(told["httpStatusCode"])
    if code in _UNAVAILABLE:
        return _UNAVAILABLE[code]
    return 500 if code.startswith(("Internal", "Server")) or code.endswith("Failure") else 400
