"""What is allowed beside what was done."""

from collections.abc import Iterable

from local.policies import matches
from tests.permissions.granted import Grant
from tests.permissions.used import Use


def unused_actions(grant: Grant, calls: Iterable[Use]) -> list[str]:
    """Return the actions of a statement that no call used on anything that it names."""
    told = list(calls)
    return [
        action
        for action in grant.statement.actions
        if not any(use.action == action and grant.allows(action, use.resource) for use in told)
    ]


def needless_resources(grant: Grant, calls: Iterable[Use]) -> list[str]:
    """Return the resources of a statement that no call of its actions was about."""
    mine = [use for use in calls if grant.allows(use.action, use.resource)]
    return [
        pattern
        for pattern in grant.statement.resources
        if not any(use.resource is None or matches(pattern, use.resource) for use in mine)
    ]
