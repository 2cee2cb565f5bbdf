"""AWS IAM: whether a service may assume a role."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated

_ASSUME = "sts:assumerole"
_GONE = "NoSuchEntity"
_MAY_NOT_LOOK = frozenset({"AccessDenied", "AccessDeniedException", "InvalidAction", "NotImplemented"})


class IamRoles:
    """A :class:`~storycast.ports.RoleInspector` over GetRole, which costs nothing."""

    def __init__(self, iam: Any = None) -> None:
        self._iam = iam or client("iam")

    def problems(self, role_arn: str, service: str) -> list[str] | None:
        """Return in words why a service can't assume a role.

        Only the trust policy is looked at. Its conditions are taken to hold: they name the account and the kind of
        job, which are not there yet. Raises as :func:`~storycast.adapters.faults.translated` does.

        Args:
            role_arn: The role.
            service: A service principal, such as ``bedrock.amazonaws.com``.

        Returns:
            The problems, empty where there are none; None where we may not look.
        """
        name = role_arn.rsplit("/", 1)[-1]
        try:
            with translated(f"GetRole {name}"):
                policy = self._iam.get_role(RoleName=name)["Role"].get("AssumeRolePolicyDocument") or {}
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _MAY_NOT_LOOK:
                return None
            if code.startswith(_GONE):
                return [f"The role {role_arn} does not exist."]
            raise
        document = json.loads(unquote(policy)) if isinstance(policy, str) else policy
        if any(_lets(statement, "Allow", service) for statement in _statements(document)):
            if any(
                _lets(statement, "Deny", service) and not statement.get("Condition")
                for statement in _statements(document)
            ):
                return [f"The trust policy of {role_arn} denies sts:AssumeRole to {service}."]
            return []
        return [f"The trust policy of {role_arn} does not allow sts:AssumeRole to {service}."]


def _statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from _listed(document.get("Statement"))


def _lets(statement: Mapping[str, Any], effect: str, service: str) -> bool:
    """Whether a statement is about this service's assuming the role."""
    principal = statement.get("Principal", {})
    services = ["*"] if principal == "*" else _listed(principal.get("Service")) + _listed(principal.get("AWS"))
    named = service in services or "*" in services
    actions = [str(action).lower() for action in _listed(statement.get("Action"))]
    return statement.get("Effect") == effect and named and any(fnmatchcase(_ASSUME, action) for action in actions)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
