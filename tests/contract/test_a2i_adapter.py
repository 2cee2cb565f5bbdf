"""Amazon A2I's adapter against the stand-in: what a run asks for, and what refusals become."""

import json

import pytest

from storycast.adapters.a2i import A2iHumanReviews
from storycast.errors import DependencyUnavailableError, HumanReviewFailedError, ThrottledError
from storycast.stages.complete_human_review import ENDS
from tests.contract.test_standins_a2i import BUILT_IN

pytestmark = pytest.mark.usefixtures("cloud")
CONTENT = json.dumps({"pictures": [{"picture": "s3://media/a.png"}]})


@pytest.fixture
def humans(client):
    return A2iHumanReviews(client("sagemaker-a2i-runtime"))


def test_a_loop_is_started_once_described_and_stopped(humans):
    assert humans.facts("adapter-1") is None
    assert humans.start("adapter-1", BUILT_IN, CONTENT) is True
    assert humans.start("adapter-1", BUILT_IN, CONTENT) is False
    facts = humans.facts("adapter-1")
    assert (facts.name, facts.status, facts.flow_definition_arn) == ("adapter-1", "InProgress", BUILT_IN)
    assert (facts.failure, facts.output_uri) == ("", "")
    humans.stop("adapter-1")
    assert humans.facts("adapter-1").status in {"Stopping", "Stopped"}


def test_how_a_loop_ended_is_told(humans, standins, cloud):
    humans.start("adapter-2", BUILT_IN, CONTENT)
    standins.world.human_loops.answer("adapter-2", "anna", {})
    facts = humans.facts("adapter-2")
    assert facts.status == "Completed"
    assert facts.output_uri.endswith("/adapter-2/output.json")
    humans.start("adapter-3", BUILT_IN, CONTENT)
    standins.world.human_loops.fail("adapter-3", "InternalError", "nobody came")
    assert humans.facts("adapter-3").failure == "nobody came"


def test_stopping_what_has_ended_or_is_gone_is_no_fault(humans, standins):
    humans.start("adapter-4", BUILT_IN, CONTENT)
    standins.world.human_loops.fail("adapter-4", "InternalError", "")
    humans.stop("adapter-4")
    humans.stop("adapter-nobody")


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("ValidationException", HumanReviewFailedError),
        ("ServiceQuotaExceededException", HumanReviewFailedError),
        ("AccessDeniedException", HumanReviewFailedError),
        ("ThrottlingException", ThrottledError),
        ("InternalServerException", DependencyUnavailableError),
        ("connection_cut", DependencyUnavailableError),
    ],
)
def test_what_refusals_become(humans, own, code, becomes):
    rule = {"service": "sagemaker-a2i-runtime", "operation": "StartHumanLoop", "error": code}
    assert own("POST", "faults", [rule])[0] == 200
    with pytest.raises(becomes) as caught:
        humans.start("adapter-5", BUILT_IN, CONTENT)
    if becomes is HumanReviewFailedError:
        assert "takes no new customers" in str(caught.value)
        assert "review.mode: page" in str(caught.value)


def test_every_status_of_the_service_is_known(client):
    statuses = client("sagemaker-a2i-runtime").meta.service_model.shape_for("HumanLoopStatus").enum
    assert set(statuses) == {*ENDS, "InProgress", "Stopping"}
