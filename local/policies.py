"""IAM policies: what they say, and whether they let a call through.

Of the language this reads what the template's policies are written in, and refuses the rest rather than guess:
`Allow` and `Deny`, `Action` and `Resource` with wildcards, and the condition operators below; no policy variables.
Evaluated are the policies of one identity in one account; no boundary, no session policy, no policy of an
organisation.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

type Context = Mapping[str, tuple[str, ...]]
Decision = Literal["allowed", "implicitDeny", "explicitDeny"]

_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


class UnreadPolicyError(Exception):
    """A policy says something that is not read here."""


@dataclass(frozen=True)
class Need:
    """A right that a call needs: one action on one resource.

    Attributes:
        action: Such as `rekognition:DetectFaces`.
        resource: An ARN; `*` where the action has no resource.
        context: Values of condition keys, by the key's name.
    """

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, its lists written out."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]]

    def applies_to(self, need: Need) -> bool:
        """Whether it says something of that need, to its good or to its bad."""
        return (
            any(matches(action, need.action, ignore_case=True) for action in self.actions)
            and any(matches(resource, need.resource) for resource in self.resources)
            and all(
                _is_met(operator, key, wanted, need.context)
                for operator, keys in self.conditions.items()
                for key, wanted in keys.items()
            )
        )


def read_statements(document: str | Mapping[str, Any]) -> list[Statement]:
    """Read the statements of a policy document.

    Raises:
        UnreadPolicyError: It has an element or an operator that is not read here.
    """
    policy: Any = json.loads(document) if isinstance(document, str) else document
    return [_statement(one) for one in listed(policy["Statement"])]


def decide(statements: Iterable[Statement], need: Need) -> Decision:
    """Decide as IAM does: a denial beats all, and what nobody allows is denied."""
    effects = {statement.effect for statement in statements if statement.applies_to(need)}
    if "Deny" in effects:
        return "explicitDeny"
    return "allowed" if "Allow" in effects else "implicitDeny"


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether a text is what a pattern with `*` and `?` says. Actions are compared whatever their case."""
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


def listed(value: Any) -> list[Any]:
    """Policies write a list of one as the one."""
    return list(value) if isinstance(value, list | tuple) else [value]


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    written = "".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in pattern)
    return re.compile(written, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _statement(one: Mapping[str, Any]) -> Statement:
    unread = set(one) - _ELEMENTS
    if unread or one["Effect"] not in {"Allow", "Deny"}:
        raise UnreadPolicyError(
            f"Not read in a statement of a policy: {', '.join(sorted(unread)) or one['Effect']}"
        )
    conditions = {
        operator: {key: tuple(str(value) for value in listed(values)) for key, values in keys.items()}
        for operator, keys in one.get("Condition", {}).items()
    }
    for operator in conditions:
        if operator.rpartition(":")[2] not in _COMPARED or operator.rpartition(":")[0] not in _SETS:
            raise UnreadPolicyError(f"Not read in a condition of a policy: {operator}")
    resources = tuple(listed(one["Resource"]))
    texts = (*resources, *(value for keys in conditions.values() for values in keys.values() for value in values))
    if variable := next((text for text in texts if "${" in text), None):
        raise UnreadPolicyError(f"Not read in a policy: a variable, in {variable}")
    return Statement(
        sid=one.get("Sid", ""),
        effect=one["Effect"],
        actions=tuple(listed(one["Action"])),
        resources=resources,
        conditions=conditions,
    )


_COMPARED = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "Null": None,
}
_SETS = {"", "ForAllValues"}


def _is_met(operator: str, key: str, wanted: tuple[str, ...], context: Context) -> bool:
    actual = next((values for name, values in context.items() if name.lower() == key.lower()), ())
    kind, _, name = operator.rpartition(":")
    compare = _COMPARED[name]
    if compare is None:
        return wanted[0].lower() == str(not actual).lower()
    met = [any(compare(value, one) for value in wanted) for one in actual]
    # Of a key that the request does not have, ForAllValues is met and everything else is not.
    return all(met) if kind else any(met)
