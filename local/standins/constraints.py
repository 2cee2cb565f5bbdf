"""What botocore's validator leaves out: enums, patterns and upper limits, as the real services check them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from botocore.model import Shape
from botocore.validate import ParamValidator

_VALIDATOR = ParamValidator()


def problems(value: dict[str, Any], shape: Shape | None) -> list[str]:
    """Say what is wrong with the parameters of a request.

    Args:
        value: The parameters, by the model's member names.
        shape: The operation's input shape; None means that it takes nothing.

    Returns:
        One sentence for each problem, empty if there is none: botocore's own checks first (required
        members, types, lower limits), then enums, patterns and upper limits.
    """
    if shape is None:
        return [] if not value else ["This operation takes no parameters"]
    report = _VALIDATOR.validate(value, shape)
    if report.has_errors():
        return [report.generate_report()]
    return _beyond(value, shape, "")


def output_problems(value: dict[str, Any], shape: Shape | None) -> list[str]:
    """Say what is wrong with an answer: botocore's checks and the enums.

    Upper limits and patterns of answers are not checked, since the services do not keep them either
    (``modelName`` is limited to 20 characters, and Titan's own name has 30).
    """
    if shape is None:
        return [] if not value else ["This operation answers nothing"]
    report = _VALIDATOR.validate(value, shape)
    if report.has_errors():
        return [report.generate_report()]
    return [problem for problem in _beyond(value, shape, "") if "enum value set" in problem]


def _beyond(value: Any, shape: Shape, path: str) -> list[str]:
    if value is None or getattr(shape, "is_document_type", False):
        return []
    found = _limits(value, shape, path)
    match shape.type_name:
        case "structure":
            for name, member in value.items():
                found += _beyond(member, shape.members[name], f"{path}.{name}" if path else name)  # type: ignore[attr-defined]
        case "list":
            for number, member in enumerate(value):
                found += _beyond(member, shape.member, f"{path}.{number + 1}")  # type: ignore[attr-defined]
        case "map":
            for name, member in value.items():
                found += _beyond(member, shape.value, f"{path}.{name}")  # type: ignore[attr-defined]
    return found


def _limits(value: Any, shape: Shape, path: str) -> list[str]:
    rules = shape.metadata
    found = []
    where = f"Value at '{path}' failed to satisfy constraint: Member must"
    most = rules.get("max")
    if most is not None and shape.type_name != "blob":  # services have errors of their own for those
        if isinstance(value, (str, list, dict)):
            if len(value) > most:
                found.append(f"{where} have length less than or equal to {most}")
        elif isinstance(value, (int, float)) and value > most:
            found.append(f"{where} have value less than or equal to {most}")
    if isinstance(value, str):
        if rules.get("enum") and value not in rules["enum"]:
            found.append(f"{where} satisfy enum value set: [{', '.join(rules['enum'])}]")
        pattern = _compiled(rules.get("pattern"))
        if pattern is not None and not pattern.fullmatch(value):
            found.append(f"{where} satisfy regular expression pattern: {rules['pattern']}")
    return found


@cache
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    """A pattern of the model as Python reads it; None where Python cannot (the models use Java's syntax)."""
    if pattern is None:
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None
