"""One suite for the review log in DynamoDB (moto) and the fake one; task tokens through Step Functions."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from storycast.adapters.review_log import DynamoReviewLog
from storycast.adapters.stepfunctions import StepFunctionsCallbacks
from storycast.decisions import Change, Decision, SequenceTakenError
from storycast.errors import ThrottledError
from storycast.ports import Gate, ReviewLog
from tests.fakes.reviews import MemoryReviewLog

TABLE = "reviews"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["fake", "dynamodb"])
def log(request: pytest.FixtureRequest) -> ReviewLog:
    if request.param == "fake":
        return MemoryReviewLog()
    request.getfixturevalue("aws")
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    return DynamoReviewLog(TABLE, dynamodb)


def decision(seq: int, who: str = "Ada", changes: int = 1) -> Decision:
    made = tuple(
        Change(subject=f"picture:{number:040d}", field="caption", before="<b>ä", after="\U0001f430 {{x}}")
        for number in range(changes)
    )
    when = NOW.isoformat()
    return Decision(seq=seq, id=f"click-{who}-{seq}", who=who, when=when, what="keep", via="page", changes=made)


def test_decisions_come_back_in_order_and_from_any_place(log: ReviewLog) -> None:
    made = [decision(seq) for seq in range(1, 13)]
    for one in made:
        log.append("run-1", one)
    log.append("run-10", decision(1, "Ben"))
    assert log.read("run-1") == made
    assert log.read("run-1", 9) == made[9:]
    assert log.read("run-1", 12) == []
    assert log.read("run-2") == []


def test_a_number_is_given_once(log: ReviewLog) -> None:
    log.append("run-1", decision(1))
    with pytest.raises(SequenceTakenError):
        log.append("run-1", decision(1, "Ben"))
    assert [one.who for one in log.read("run-1")] == ["Ada"]


def test_of_many_at_once_one_gets_the_number(log: ReviewLog) -> None:
    lost: list[str] = []

    def append(who: str) -> None:
        try:
            log.append("run-1", decision(1, who))
        except SequenceTakenError:
            lost.append(who)

    people = [threading.Thread(target=append, args=(f"p{number}",)) for number in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len(lost) == 7
    assert len(log.read("run-1")) == 1


def test_large_decisions_are_read_over_several_pages(log: ReviewLog) -> None:
    """A page of DynamoDB has at most 1 MB; these are 2."""
    made = [decision(seq, changes=500) for seq in range(1, 25)]
    for one in made:
        log.append("run-1", one)
    assert log.read("run-1") == made


def test_a_gate_is_as_it_was_opened_last(log: ReviewLog) -> None:
    assert log.gate("run-1") is None
    first = Gate("run-1", "Über uns", "token-1" * 290, NOW, NOW + timedelta(hours=72), NOW)
    log.open(first)
    assert log.gate("run-1") == first
    second = Gate("run-1", "Über uns", "token-2", NOW, NOW + timedelta(hours=72), NOW + timedelta(hours=24))
    log.open(second)
    assert log.gate("run-1") == second
    assert log.gate("run-10") is None


def test_a_projects_runs_the_newest_first(log: ReviewLog) -> None:
    for number in range(25):
        log.remember("p", f"run-{number}", NOW + timedelta(minutes=number))
    log.remember("pp", "another", NOW)
    log.remember("p", "run-24", NOW + timedelta(minutes=24))
    assert log.runs_of("p") == [f"run-{number}" for number in range(24, 4, -1)]
    assert log.runs_of("q") == []


# ---- tokens ---------------------------------------------------------------------------------------


class TokenTaker:
    """A client of Step Functions that answers with an error, or with none."""

    def __init__(self, code: str = "") -> None:
        self.code = code
        self.asked: list[dict[str, Any]] = []

    def send_task_success(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": "x"}}, "SendTaskSuccess")
        return {}


def test_an_answer_is_json() -> None:
    client = TokenTaker()
    assert StepFunctionsCallbacks(client).succeed("token", {"decisions": 3})
    assert client.asked == [{"taskToken": "token", "output": '{"decisions": 3}'}]


@pytest.mark.parametrize("code", ["InvalidToken", "TaskDoesNotExist", "TaskTimedOut"])
def test_a_token_that_nobody_waits_with_is_an_answer(code: str) -> None:
    assert not StepFunctionsCallbacks(TokenTaker(code)).succeed("token", {})


def test_the_codes_are_those_that_the_service_has() -> None:
    model = boto3.client("stepfunctions", region_name="us-east-1").meta.service_model
    errors = {shape.name for shape in model.operation_model("SendTaskSuccess").error_shapes}
    assert {"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"} <= errors


def test_other_faults_stay_faults() -> None:
    with pytest.raises(ThrottledError):
        StepFunctionsCallbacks(TokenTaker("ThrottlingException")).succeed("token", {})
    with pytest.raises(ClientError, match="AccessDenied"):
        StepFunctionsCallbacks(TokenTaker("AccessDeniedException")).succeed("token", {})
