"""The preflight of a training: what would fail after it was paid for is found where asking is free."""

from datetime import timedelta
from typing import Any

import pytest

from storycast.errors import (
    BudgetExceededError,
    ModelNotAvailableError,
    ModelRetiredError,
    StorycastError,
    TrainingAccessError,
    TrainingPlanInvalidError,
)
from storycast.findings import Finding
from storycast.preflight import SERVICE, refuse_problems, training_findings
from storycast.settings import Settings
from tests.fakes.services import GivenRoles, ListedModels
from tests.fakes.workflow import NOW, ROLE_ARN

CANVAS = "amazon.nova-canvas-v1:0"
ASKED: dict[str, Any] = {
    "training": {"target": "bedrock"},
    "budget_usd": 5000,
    "storyboard": {"prompts": ["Mara in the rain"]},
}


def findings(changes: dict[str, Any] | None = None, **given: Any) -> list[Finding]:
    arguments: dict[str, Any] = {
        "catalogue": ListedModels(),
        "roles": GivenRoles(),
        "role_arn": ROLE_ARN,
        "region": "us-east-1",
        "record_count": 60,
        "now": NOW,
        "hosting_units": 2,
    }
    settings = Settings.model_validate({**ASKED, **(changes or {})})
    return training_findings(settings, **{**arguments, **given})


def problem(found: list[Finding]) -> Finding:
    (one,) = [finding for finding in found if finding.level == "problem"]
    return one


def test_where_all_is_well_nothing_else_is_said() -> None:
    found = findings()
    assert {finding.level for finding in found} == {"ok"}
    assert {finding.subject for finding in found} == {
        "base model",
        "region",
        "budget",
        "dataset",
        "role",
        "quota",
        "prompts",
    }
    assert refuse_problems(found) == []


def test_nothing_is_asked_where_nothing_is_trained() -> None:
    catalogue, roles = ListedModels({CANVAS: NOW}), GivenRoles("bad")
    assert findings({"training": {"target": "none"}}, catalogue=catalogue, roles=roles) == []
    assert catalogue.asked == []
    assert roles.asked == []


def test_an_ended_model_is_refused_with_its_end_and_with_what_to_do_instead() -> None:
    found = findings(catalogue=ListedModels({CANVAS: NOW - timedelta(days=3)}))
    assert problem(found).error is ModelRetiredError
    with pytest.raises(ModelRetiredError) as refused:
        refuse_problems(found)
    assert "reached its end of life on 2025-12-30" in str(refused.value)
    assert "training.target: none" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"catalogue": ListedModels(legacy=[CANVAS])}, ModelRetiredError, "is Legacy"),
        (
            {"catalogue": ListedModels({CANVAS: NOW + timedelta(hours=73)})},
            ModelRetiredError,
            "before the 74 hours",
        ),
        ({"catalogue": ListedModels(missing=[CANVAS])}, ModelNotAvailableError, "is not there"),
        ({"region": "eu-central-1"}, TrainingAccessError, "in us-east-1 only"),
        ({"record_count": 4}, TrainingPlanInvalidError, "at least 5"),
        ({"record_count": 10_001}, TrainingPlanInvalidError, "at most 10,000"),
        ({"roles": GivenRoles("The role does not exist.")}, TrainingAccessError, "does not exist"),
        ({"hosting_units": 0}, TrainingAccessError, "AWS Support"),
    ],
)
def test_what_stands_against_a_training(given: dict[str, Any], error: type[StorycastError], said: str) -> None:
    found = problem(findings(**given))
    assert found.error is error
    assert said in found.message


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"budget_usd": 0}, TrainingPlanInvalidError, "above 0"),
        ({"budget_usd": 100}, BudgetExceededError, r"\$181.50 before it is ended by force"),
    ],
)
def test_settings_that_no_training_can_have(
    changes: dict[str, Any], error: type[StorycastError], said: str
) -> None:
    with pytest.raises(error, match=said):
        refuse_problems(findings(changes))


def test_a_model_that_cannot_be_tuned_or_hosted_is_refused() -> None:
    class Plain(ListedModels):
        def facts(self, model_id: str) -> Any:
            from dataclasses import replace

            return replace(super().facts(model_id), customizations=(), inference=("ON_DEMAND",))

    found = [one for one in findings(catalogue=Plain()) if one.level == "problem"]
    assert [one.error for one in found] == [TrainingPlanInvalidError] * 2
    assert "names ON_DEMAND for it" in found[1].message


def test_what_nobody_can_look_at_is_unknown_and_stops_nothing() -> None:
    found = findings(
        {"training": {"target": "bedrock", "base_model": "maker.paint-v1"}},
        roles=GivenRoles(may_look=False),
        record_count=None,
        hosting_units=None,
    )
    unknown = [finding.subject for finding in found if finding.level == "unknown"]
    assert unknown == ["region", "dataset", "role", "quota"]
    assert refuse_problems(found) == []


def test_the_role_is_asked_about_for_bedrock_and_not_at_all_without_one() -> None:
    roles = GivenRoles()
    findings(roles=roles)
    assert roles.asked == [(ROLE_ARN, SERVICE)]
    roles = GivenRoles()
    found = findings(roles=roles, role_arn="", region="")
    assert roles.asked == []
    assert [one.subject for one in found if one.level == "unknown"] == ["region", "role"]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Mara with no hat", ["'no'"]),
        ("A street without cars, not wet", ["'without'", "'not'"]),
        ("Tom doesn’t smile", ["'doesn’t'"]),
        ("A knot, a notice and Nora", []),
    ],
)
def test_negations_in_prompts_are_told(prompt: str, words: list[str]) -> None:
    warnings = refuse_problems(findings({"storyboard": {"prompts": [prompt]}}))
    assert len(warnings) == bool(words)
    assert all(word in warnings[0] for word in words)
    assert not words or "Avoid using negating words" in warnings[0]


def test_a_training_without_prompts_is_told_and_needs_no_hosting() -> None:
    found = findings({"storyboard": {}, "budget_usd": 10}, hosting_units=0)
    assert [one.subject for one in found if one.level == "warning"] == ["prompts"]
    assert "nothing is drawn" in refuse_problems(found)[0]


def test_the_first_problem_names_the_error_and_all_are_told() -> None:
    found = findings(catalogue=ListedModels({CANVAS: NOW}), region="eu-west-1", record_count=3)
    with pytest.raises(ModelRetiredError) as refused:
        refuse_problems(found)
    for part in ("end of life", "us-east-1 only", "at least 5"):
        assert part in str(refused.value)
