"""Every right of the template is used by some path, and every path has its right.

Reads what the end-to-end tests left: `make test-permissions`, or the end of `make test`, which leaves out what
`make test-training` alone walks. Nothing here is skipped: without fresh records the tests fail.
"""

import os
import re
import time

import pytest

from storycast.container_jobs import LOG_GROUP
from tests.permissions.compared import allowed_by_none, needless_resources, unused_actions
from tests.permissions.defined import needs_of_machines, needs_of_rules
from tests.permissions.granted import REVIEWERS, Grant, grants
from tests.permissions.not_walked import OF_ANOTHER_BUCKET, OF_TRAINING, ONLY_ON_AWS, WHOLE_IN_TRAINING
from tests.permissions.used import Use, records, uses
from tests.workflow.files import ROOT, resources

SUITES = tuple(os.environ.get("STORYCAST_CALLS_OF", "e2e training").split())
DEFINED = tuple(Use(who, need.action, need.resource) for who, need in (*needs_of_machines(), *needs_of_rules()))


def _is_of_training(grant: Grant) -> bool:
    is_whole_there = (grant.who, grant.statement.sid) in WHOLE_IN_TRAINING
    return is_whole_there or grant.condition == OF_TRAINING or grant.who == "TrainingRole"


WALKED = [
    grant
    for grant in grants()
    if (grant.who, grant.statement.sid) not in ONLY_ON_AWS
    and grant.condition != OF_ANOTHER_BUCKET
    and ("training" in SUITES or not _is_of_training(grant))
]
pytestmark = pytest.mark.permissions


def _of_role(who: str) -> list[Use]:
    return [use for use in (*uses(SUITES), *DEFINED) if use.who == who and not use.is_denied]


def test_the_records_are_there_and_younger_than_what_they_are_of() -> None:
    for suite in SUITES:
        left = records((suite,))
        how = {"e2e": "make test-e2e", "training": "make test-training"}[suite]
        assert left, f"No calls are written down in .storycast/calls/{suite}: run {how}"
        sources = [ROOT / "template.yaml", *(ROOT / "statemachine").glob("*.asl.json")]
        newest = max(source.stat().st_mtime for source in sources)
        oldest = min(path.stat().st_mtime for path in left)
        assert oldest > newest, (
            f"The template is younger than the calls of {suite} that are written down: run {how}"
        )
        assert oldest > time.time() - 24 * 3600, f"The calls of {suite} are of yesterday: run {how}"
    callers = {use.who for use in uses(SUITES)}
    functions = {f"{name}Role" for name in resources("AWS::Serverless::Function")}
    assert functions <= callers, f"Functions that called nothing: {sorted(functions - callers)}"


@pytest.mark.parametrize("grant", WALKED, ids=str)
def test_every_action_and_every_resource_of_a_statement_is_used(grant: Grant) -> None:
    calls = _of_role(grant.who)
    unused = unused_actions(grant, calls)
    assert not unused, f"{grant} allows {unused}, which no call used"
    needless = needless_resources(grant, calls)
    assert not needless, f"{grant} names {needless}, which no call was about"


TRIED = {
    REVIEWERS: "tests sign as a reviewer and try what reviewers may not",
    "A2iRole": "tests assume it and try to read what it may not",
}
"""Whose denials are there on purpose. Where tests take a right away, the template allows what is denied."""


def test_every_call_is_allowed_by_some_statement() -> None:
    assert not allowed_by_none((*uses(SUITES), *DEFINED), TRIED)


def test_callers_are_roles_of_the_template_and_reviewers() -> None:
    assert {use.who for use in uses(SUITES)} <= {grant.who for grant in grants()}


def test_what_only_aws_uses_is_still_there() -> None:
    there = {(grant.who, grant.statement.sid) for grant in grants()}
    assert {*ONLY_ON_AWS, *WHOLE_IN_TRAINING} <= there
    assert all(len(reason) > 30 for reason in ONLY_ON_AWS.values())


def test_a_job_writes_only_the_log_of_jobs() -> None:
    (log,) = [grant for grant in grants() if grant.statement.sid == "WriteItsLog"]
    assert re.search(rf":log-group:{LOG_GROUP}\*$", log.statement.resources[0])
