"""What is allowed beside what was done."""

from collections.abc import Collection, Iterable

from local.policies import Need, matches
from tests.permissions.granted import Grant, grants, is_allowed
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


def allowed_by_none(calls: Iterable[Use], tried: Collection[str]) -> list[Use]:
    """Return the calls that no statement of their role allows; denied ones, too, but where tests ask for denials.

    The bucket's listing is left out: it is inferred from reading objects, of roles too that do without it.
    """
    roles = {grant.who for grant in grants()}
    return [
        use
        for use in calls
        if use.who in roles and use.resource and use.action != "s3:ListBucket"
        if not (use.is_denied and use.who in tried)
        if not is_allowed(use.who, Need(use.action, use.resource))
    ]
