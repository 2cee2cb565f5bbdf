"""Values of the service models in JSON and in headers, both ways."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import Any
from urllib.parse import unquote

from botocore.model import Shape
from botocore.utils import parse_timestamp

from local.standins.errors import DefectError
from local.standins.http import HttpRequest


class WireValueError(ValueError):
    """A value in a request that its shape cannot be read from."""


def member_name(name: str, shape: Shape) -> str:
    """The name that a member has on the wire."""
    return str(shape.serialization.get("name", name))


def read_json(value: Any, shape: Shape) -> Any:  # noqa: PLR0911 - one for each type
    """Read a JSON value as the shape says; members that the shape does not know stay, for the validator.

    Raises:
        WireValueError: A blob is not base64, or a timestamp is none.
    """
    if value is None or getattr(shape, "is_document_type", False):
        return value
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            names = {member_name(name, member): name for name, member in shape.members.items()}  # type: ignore[attr-defined]
            return {
                names.get(key, key): read_json(inner, shape.members[names[key]]) if key in names else inner  # type: ignore[attr-defined]
                for key, inner in value.items()
                if inner is not None and key != "__type"
            }
        case "list" if isinstance(value, list):
            return [read_json(inner, shape.member) for inner in value]  # type: ignore[attr-defined]
        case "map" if isinstance(value, dict):
            return {key: read_json(inner, shape.value) for key, inner in value.items()}  # type: ignore[attr-defined]
        case "blob" if isinstance(value, str):
            return _decoded(value)
        case "timestamp" if isinstance(value, (int, float, str)):
            return _parsed_time(value)
    return value


def write_json(value: Any, shape: Shape) -> Any:  # noqa: PLR0911 - one for each type
    """Write a value as JSON the way the shape says; members that are None are left out."""
    if value is None or getattr(shape, "is_document_type", False):
        return value
    match shape.type_name:
        case "structure":
            return {
                member_name(name, shape.members[name]): write_json(inner, shape.members[name])  # type: ignore[attr-defined]
                for name, inner in value.items()
                if inner is not None
            }
        case "list":
            return [write_json(inner, shape.member) for inner in value]  # type: ignore[attr-defined]
        case "map":
            return {key: write_json(inner, shape.value) for key, inner in value.items()}  # type: ignore[attr-defined]
        case "blob":
            return base64.b64encode(_as_bytes(value)).decode("ascii")
        case "timestamp":
            return _written_time(value, shape.serialization.get("timestampFormat", "unixTimestamp"))
    return value


def read_text(text: str, shape: Shape) -> Any:
    """Read a value from a path, a query or a header.

    Raises:
        WireValueError: The text is no value of that type.
    """
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "timestamp":
                return _parsed_time(text)
            case "blob":
                return _decoded(text)
    except (ValueError, KeyError) as error:
        raise WireValueError(f"{text!r} is not a {shape.type_name}") from error
    return text


def write_text(value: Any, shape: Shape) -> str:
    """Write a value as the text of a header."""
    match shape.type_name:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return str(_written_time(value, shape.serialization.get("timestampFormat", "rfc822")))
        case "blob":
            return base64.b64encode(_as_bytes(value)).decode("ascii")
    return str(value)


def read_located(shape: Shape, labels: dict[str, str], request: HttpRequest) -> dict[str, Any]:
    """Read the members of an input that stand in the path, the query and the headers.

    Args:
        shape: The operation's input.
        labels: The labels of the path, still percent-encoded.
        request: The request.

    Raises:
        WireValueError: A text is no value of its member's type.
    """
    params: dict[str, Any] = {}
    for name, member in shape.members.items():  # type: ignore[attr-defined]
        location, key = member.serialization.get("location"), member_name(name, member)
        if location == "uri" and key in labels:
            params[name] = read_text(unquote(labels[key]), member)
        elif location == "querystring":
            values = [value for found, value in request.query if found == key]
            if values and member.type_name == "list":
                params[name] = [read_text(value, member.member) for value in values]
            elif values:
                params[name] = read_text(values[-1], member)
        elif location == "header" and key.lower() in request.headers:
            params[name] = read_text(request.headers[key.lower()], member)
        elif location == "headers":
            found = {
                header[len(key) :]: value
                for header, value in request.headers.items()
                if header.startswith(key.lower())
            }
            if found:
                params[name] = found
    return params


def _as_bytes(value: Any) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireValueError("A blob is not valid base64") from error


def _parsed_time(value: float | str) -> dt.datetime:
    try:
        moment: dt.datetime = parse_timestamp(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise WireValueError(f"{value!r} is not a timestamp") from error
    return moment


def _written_time(moment: Any, style: str) -> str | float:
    if not isinstance(moment, dt.datetime) or moment.tzinfo is None:
        raise DefectError(f"A timestamp must be a datetime with a time zone, not {moment!r}")
    utc = moment.astimezone(dt.UTC)
    if style == "iso8601":
        return utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    if style == "rfc822":
        return utc.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return utc.timestamp()
