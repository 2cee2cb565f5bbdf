"""The budget, and what a run has cost: no step begins that could pass it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.billing import Billed
from storycast.budget import refuse_over_budget, refuse_too_dear
from storycast.costs import MOST_IMAGES, costs, hosted_hours, job_seconds, spent_usd
from storycast.errors import BudgetExceededError
from storycast.runs import ModelUsed, Run
from storycast.settings import Storyboard
from storycast.workflow_cost import Work, workflow_price
from tests.fakes.workflow import NOW

TITAN, PRO, CANVAS = "amazon.titan-embed-image-v1", "amazon.nova-pro-v1:0", "amazon.nova-canvas-v1:0"


def run(provider: str = "Amazon", models: Sequence[str] = (TITAN, PRO, CANVAS), **counts: int) -> Run:
    return Run(
        run_id="r",
        project="p",
        status="running",
        execution_arn="arn",
        started_at="2026-01-02",
        models=tuple(ModelUsed(model_id=one, name=one, provider=provider) for one in models),
        counts=counts,
    )


def billed(**changes: Any) -> Billed:
    fields: dict[str, Any] = {
        "name": "r-t1-s1",
        "kind": "provisioned_throughput",
        "run_id": "r",
        "training_id": "t1",
        "session_id": "s1",
        "execution_arn": "arn",
        "state": "live",
        "intended_at": NOW,
        "expires_at": NOW + timedelta(hours=2),
        "arn": "arn:aws:bedrock:thing",
        "created_at": NOW,
        "model_units": 1,
    }
    return Billed.model_validate({**fields, **changes})


def job(**changes: Any) -> Billed:
    return billed(kind="customization_job", model_units=0, image_count=4000, **changes)


# ---- the guard ------------------------------------------------------------------------------------


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5))
def test_a_step_is_refused_exactly_where_it_could_pass_the_budget(
    budget: float, spent: float, step: float
) -> None:
    if budget and spent + step > budget:
        with pytest.raises(BudgetExceededError):
            refuse_over_budget(budget, spent, step, "a step")
    else:
        refuse_over_budget(budget, spent, step, "a step")


def test_the_refusal_says_all_numbers_and_what_to_do() -> None:
    with pytest.raises(BudgetExceededError) as refused:
        refuse_over_budget(10, 4, 7.5, "captions of 5,000 pictures")
    said = str(refused.value)
    for part in ("$7.50", "captions of 5,000 pictures", "$4.00", "budget_usd: 10", "$6.00 is left", "$11.50"):
        assert part in said


def test_a_run_is_refused_where_even_its_low_end_passes_the_budget() -> None:
    refuse_too_dear(0, 100, 200)
    refuse_too_dear(100, 100, 200)
    with pytest.raises(BudgetExceededError, match=r"\$100\.00 to \$200\.00, more than budget_usd: 99"):
        refuse_too_dear(99, 100, 200)


# ---- what a run has cost --------------------------------------------------------------------------


def test_counts_are_priced_stage_by_stage() -> None:
    made = costs(
        run(
            paid_detections=100,
            paid_embeddings=200,
            paid_reference_embeddings=10,
            paid_captions=50,
            paid_input_tokens=100_000,
            paid_output_tokens=10_000,
            paid_panels_trained=6,
            paid_panels_base=2,
            paid_grade_detections=8,
            paid_grade_embeddings=20,
            frames_kept=100,
        ),
        (),
        NOW,
    )
    amounts = {(line.stage, line.what): line.usd for line in made.lines}
    assert amounts.pop(("workflow", "Step Functions, Lambda and S3, by a formula")) == pytest.approx(
        workflow_price(Work(frames=100)).usd
    )
    assert amounts == pytest.approx(
        {
            ("detect_characters", "label detection"): 0.1,
            ("crop_characters", "embeddings"): 0.012,
            ("build_cast", "reference embeddings"): 0.0006,
            ("caption_images", "input tokens"): 0.08,
            ("caption_images", "output tokens"): 0.032,
            ("draw_storyboard", "panels by the trained model"): 0.0,
            ("draw_storyboard", "panels by the base model"): 0.12,
            ("grade_storyboard", "label detection"): 0.008,
            ("grade_storyboard", "embeddings"): 0.0012,
        }
    )
    assert made.total_usd == pytest.approx(sum(line["usd"] for line in made.to_json()["lines"]), abs=1e-5)


def test_panels_cost_what_their_size_and_quality_do() -> None:
    def drawn(**board: Any) -> float:
        made = costs(run(paid_panels_base=1), (), NOW, storyboard=Storyboard.model_validate(board))
        return next(line.usd for line in made.lines if line.stage == "draw_storyboard")

    assert [drawn(), drawn(quality="standard"), drawn(width=2048)] == pytest.approx([0.06, 0.04, 0.08])


def test_a_job_is_counted_in_full_and_marked_unless_it_went_to_its_end() -> None:
    for rows, completed, at_most in (([job()], (), True), ([job()], ("r-t1-s1",), False)):
        made = costs(run(), rows, NOW, completed=completed)
        (line,) = [line for line in made.lines if line.stage == "start_training"]
        assert line.usd == pytest.approx(20)
        assert line.at_most is at_most


def test_a_job_that_was_never_made_costs_nothing_and_one_of_unknown_size_is_not_free() -> None:
    assert spent_usd(run(), [job(state="ended", arn=None, created_at=None)], NOW) < 1
    unknown = costs(run(), [job().model_copy(update={"image_count": 0})], NOW)
    (line,) = [line for line in unknown.lines if line.stage == "start_training"]
    assert line.count == MOST_IMAGES
    assert "nobody wrote down" in line.note


@pytest.mark.parametrize(("minutes", "hours"), [(0, 1), (1, 1), (60, 1), (61, 2), (119, 2), (120, 2), (121, 3)])
def test_each_begun_hour_of_hosting_counts(minutes: int, hours: int) -> None:
    ended = NOW + timedelta(minutes=minutes)
    assert hosted_hours(billed(state="ended", ended_at=ended), NOW + timedelta(days=9)) == hours
    assert hosted_hours(billed(), ended) == hours


def test_hosting_costs_by_units_and_what_was_only_meant_costs_nothing() -> None:
    assert spent_usd(run(), [billed(model_units=2)], NOW) == pytest.approx(121, abs=0.1)
    intended = billed(state="intended", arn=None, created_at=None)
    assert spent_usd(run(), [intended], NOW) < 1
    (live,) = [line for line in costs(run(), [billed()], NOW).lines if line.stage == "provision_model"]
    assert live.note == "still billed"


def container_job(**changes: Any) -> Billed:
    return billed(
        **{
            "kind": "training_job",
            "model_units": 0,
            "instance_type": "ml.g5.xlarge",
            "max_run_s": 7200,
            "arn": "arn:aws:sagemaker:job",
            **changes,
        }
    )


def test_what_a_job_is_billed_is_what_aws_tells_of_it() -> None:
    """AWS takes spot's saving off the seconds, not off the price."""
    row = container_job(state="ended", ended_at=NOW + timedelta(hours=2), billable_s=1800)
    (line,) = [line for line in costs(run(), [row], NOW).lines if line.stage == "start_training"]
    assert line.usd == pytest.approx(0.5 * 1.408)
    assert not line.at_most
    assert "ml.g5.xlarge" in line.what
    drawn = container_job(kind="drawing_job", state="ended", ended_at=NOW + timedelta(hours=2), billable_s=600)
    (line,) = [line for line in costs(run(), [drawn], NOW).lines if line.stage == "provision_model"]
    assert line.usd == pytest.approx(1.408 / 6)


@pytest.mark.parametrize(
    ("changes", "after_s", "seconds"),
    [
        ({}, 600, 600),
        ({}, 90_000, 7320),
        ({"max_run_s": 0}, 90_000, 90_000),
        ({"state": "ended", "ended_at": NOW + timedelta(seconds=300)}, 600, 300),
        ({"state": "intended", "arn": None, "created_at": None}, 600, 0),
        ({"state": "ended", "billable_s": 0, "ended_at": NOW}, 600, 0),
    ],
)
def test_a_job_of_which_aws_told_nothing_is_counted_at_most(
    changes: dict[str, Any], after_s: int, seconds: float
) -> None:
    now = NOW + timedelta(seconds=after_s)
    row = container_job(**changes)
    assert job_seconds(row, now) == seconds
    for line in costs(run(), [row], now).lines:
        if line.stage == "start_training":
            assert line.at_most
            assert line.count == pytest.approx(seconds / 3600)


def test_a_job_on_an_unknown_instance_is_never_free() -> None:
    (line,) = [
        line
        for line in costs(run(), [container_job(instance_type="")], NOW + timedelta(hours=1)).lines
        if line.stage == "start_training"
    ]
    assert not line.price.known
    assert line.usd >= 37


def test_panels_of_a_drawing_job_cost_nothing_more() -> None:
    (line,) = [line for line in costs(run(paid_panels_job=8), (), NOW).lines if line.stage == "draw_storyboard"]
    assert (line.count, line.usd) == (8, 0)
    assert "job" in line.note


def test_nobody_is_charged_for_what_stand_ins_did() -> None:
    here = costs(run("Storycast local stand-in", paid_detections=5), (), NOW)
    assert not here.charged
    assert "nobody was charged" in here.statement
    assert here.total_usd > 0
    assert "tiny model" not in here.statement, "no job took its time"
    assert "tiny model" in costs(run("Storycast local stand-in"), [container_job()], NOW).statement
    there = costs(run(paid_detections=5), (), NOW)
    assert there.charged
    assert there.as_of in there.statement


def test_an_unknown_model_is_counted_and_named() -> None:
    made = costs(run(models=("maker.new-embed-v9", PRO), paid_embeddings=10), (), NOW)
    (line,) = [line for line in made.to_json()["lines"] if line["stage"] == "crop_characters"]
    assert line["usd"] > 0
    assert not line["price_known"]


def test_a_run_without_models_is_priced_all_the_same() -> None:
    assert spent_usd(run(models=(), paid_embeddings=10), (), NOW) > 0
