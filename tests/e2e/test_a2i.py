"""A review by Amazon A2I's workers on the emulator, IAM on: loops that complete, fail, are stopped, and events."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.template import A2I_STANDIN_SOURCE
from local.tools import REPOSITORY
from storycast.human_loops import batch_pictures, content_text, input_content
from storycast.names import human_loop_name
from storycast.review import Review
from tests.e2e.film import write_film
from tests.e2e.invoking import invoke
from tests.e2e.stack import Ended, Stack

pytestmark = pytest.mark.e2e

WORKTEAM = "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/film"
SETTINGS = (
    "sampling: {frames_per_second: 2}\nselection: {images_per_character: 7}\nduplicates: {threshold: 0.9999}\n"
    "review: {mode: a2i, minimum_per_character: 1%s}\n"
)


@pytest.fixture(scope="module")
def workers_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of its own, so that the runs of this file pay for it once."""
    return write_film(tmp_path_factory.mktemp("workers") / "film.mp4", seed=51, shots=6)


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    yield
    stack.standins("faults", method="DELETE")


class Workers:
    """A run in ``review.mode: a2i``, and the workers who look at it."""

    def __init__(self, stack: Stack, film: Path, run_id: str, more: str = "") -> None:
        self.stack, self.run_id = stack, run_id
        # A project for each run: what people decided is carried over to later runs of one project.
        self.arn = stack.start_with(film, run_id, run_id, SETTINGS % more)

    def wait_for_loops(self) -> Review:
        """Wait until every batch is before the workers."""
        key = f"runs/{self.run_id}/review/review.json"
        self.stack.wait_until("the review", lambda: key in self.stack.keys(f"runs/{self.run_id}/review/"), 120)
        self.review = Review.model_validate_json(self.stack.read(key))
        assert 10 < len(self.review.pictures) <= 20, "two batches"
        self.stack.wait_until("two loops", lambda: len(self.loops()) == 2)
        return self.review

    def loops(self) -> list[dict[str, Any]]:
        told = self.stack.standins("a2i/loops")["loops"]
        return [one for one in told if one["name"].startswith(f"{self.run_id}-review-")]

    def crops(self, batch: int) -> list[str]:
        return [one.image.crop_id for one in batch_pictures(self.review, batch)]

    def answer(
        self, batch: int, verdict: str = "keep", captions: dict[str, str] | None = None, silent: str = ""
    ) -> None:
        said: dict[str, Any] = {
            f"verdict-{crop}": {"keep": verdict == "keep", "drop": verdict == "drop"}
            for crop in self.crops(batch)
            if crop != silent
        }
        said |= {f"caption-{crop}": text for crop, text in (captions or {}).items()}
        self.ask(batch, "answers", {"worker": "anna", "answer": said})

    def ask(self, batch: int, route: str, document: dict[str, Any] | None = None) -> None:
        self.stack.ask_workers(f"loops/{human_loop_name(self.run_id, batch)}/{route}", document or {})

    def wait(self) -> Ended:
        return self.stack.wait(self.arn)

    def outcomes(self) -> dict[str, str]:
        ledger = self.stack.lines(self.run_id, "ledger.jsonl")
        return {row["id"]: row["outcome"] for row in ledger if row["kind"] == "crop"}

    def decisions(self) -> list[dict[str, Any]]:
        return self.stack.lines(self.run_id, "review/decisions.jsonl")

    def heard(self) -> list[dict[str, Any]]:
        """What CompleteHumanReview logged of this run's loops."""
        logs = self.stack.aws.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/storycast")
        messages = [event["message"] for page in pages for event in page["events"]]
        mine = [message for message in messages if '"taken in"' in message and self.run_id in message]
        return [json.loads(message[message.index("{") :]) for message in mine]


def test_workers_answers_are_the_dataset(stack: Stack, workers_film: Path) -> None:
    run = Workers(stack, workers_film, "a2i-completed")
    run.wait_for_loops()
    first = run.crops(0)[0]
    stack.wait_until("the status", lambda: stack.record("a2i-completed")["status"] == "in_review")
    assert stack.states.describe_execution(executionArn=run.arn)["status"] == "RUNNING"
    run.answer(0, captions={first: "Character 1 <b>waits</b> & waves, as anna says."})
    taken_in = "runs/a2i-completed/review/a2i/merged-0.json"
    stack.wait_until("the answers", lambda: stack.keys(taken_in))
    # A start that is repeated after the end of its loop takes the answers in itself, and answers the token.
    stack.s3.delete_object(Bucket=stack.bucket, Key=taken_in)
    event = {"run_id": "a2i-completed", "batch": 0, "task_token": "nobody-waits-with-it"}
    assert invoke(stack, "StartHumanReviews", event)["status"] == "completed"
    run.answer(1, "drop")
    ended = run.wait()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    outcomes = run.outcomes()
    assert {outcomes[crop] for crop in run.crops(0)} == {"in_dataset"}
    assert {outcomes[crop] for crop in run.crops(1)} == {"rejected"}
    pictures = {one["image"]["crop_id"]: one for one in stack.lines("a2i-completed", "dataset/pictures.jsonl")}
    assert set(pictures) == set(run.crops(0))
    assert pictures[first]["caption"] == "Character 1 <b>waits</b> & waves, as anna says."
    assert pictures[first]["caption_by"] == "a2i:anna"
    assert {(one["who"], one["via"]) for one in run.decisions()} == {("a2i:anna", "a2i")}
    merged = json.loads(stack.read("runs/a2i-completed/review/a2i/merged-0.json"))
    assert merged["workers"] == ["anna"]


def test_a_batch_that_fails_and_one_that_is_stopped_are_left_out(stack: Stack, workers_film: Path) -> None:
    run = Workers(stack, workers_film, "a2i-failed")
    run.wait_for_loops()
    run.ask(0, "fail", {"reason": "nobody came"})
    *said, unsaid = run.crops(1)
    run.answer(1, silent=unsaid)
    ended = run.wait()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    outcomes = run.outcomes()
    assert {outcomes[crop] for crop in run.crops(0)} == {"not_reviewed"}
    assert {outcomes[crop] for crop in said} == {"in_dataset"}
    assert outcomes[unsaid] == "not_reviewed"
    assert "silent on 1 pictures of batch 1" in " ".join(stack.record("a2i-failed")["warnings"])

    run = Workers(stack, workers_film, "a2i-stopped")
    run.wait_for_loops()
    run.answer(0)
    stack.aws.client("sagemaker-a2i-runtime").stop_human_loop(HumanLoopName=human_loop_name("a2i-stopped", 1))
    ended = run.wait()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert {run.outcomes()[crop] for crop in run.crops(1)} == {"not_reviewed"}


def test_a_run_whose_workers_answer_nothing_fails_by_name(stack: Stack, workers_film: Path) -> None:
    run = Workers(stack, workers_film, "a2i-nobody")
    run.wait_for_loops()
    run.ask(0, "fail", {"reason": "the team is empty"})
    run.ask(1, "stop")
    ended = run.wait()
    assert (ended.status, ended.error) == ("FAILED", "HumanReviewFailedError")
    assert "the team is empty" in ended.cause
    stack.wait_until("the record", lambda: stack.record("a2i-nobody")["status"] == "failed")


def test_events_that_are_repeated_come_late_or_are_of_another_flow_definition(
    stack: Stack, workers_film: Path
) -> None:
    run = Workers(stack, workers_film, "a2i-events")
    run.wait_for_loops()
    other = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/invoices"
    put_event(stack, human_loop_name("a2i-events", 0), other)
    run.answer(0)
    stack.wait_until("the answers", lambda: len(run.heard()) == 1)
    run.ask(0, "event")
    run.ask(0, "event")
    stack.wait_until("both events", lambda: len(run.heard()) == 3)
    run.answer(1)
    ended = run.wait()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    decisions = run.decisions()
    assert [one["what"] for one in decisions] == ["keep", "keep"]
    # Late: the execution is over.
    run.ask(1, "event")
    stack.wait_until("the late event", lambda: len(run.heard()) == 5)
    told = [(one["loop"], one["status"], one["told"]) for one in run.heard()]
    first, second = (human_loop_name("a2i-events", batch) for batch in range(2))
    assert told == [
        (first, "completed", True),
        (first, "completed", False),
        (first, "completed", False),
        (second, "completed", True),
        (second, "completed", False),
    ]
    assert run.decisions() == decisions


@pytest.fixture
def impatient(stack: Stack) -> Iterator[None]:
    """Let a wait for workers last two seconds: the emulator reads no timeout from a path."""
    sound = stack.states.describe_state_machine(stateMachineArn=stack.machine)["definition"]
    changed = json.loads(sound)
    changed["States"]["StartHumanReviews"]["ItemProcessor"]["States"]["StartOneReview"]["TimeoutSeconds"] = 2
    stack.states.update_state_machine(stateMachineArn=stack.machine, definition=json.dumps(changed))
    yield
    stack.states.update_state_machine(stateMachineArn=stack.machine, definition=sound)


def starts(stack: Stack, mark: int) -> list[str | None]:
    """What A2I answered to each attempt to start a loop."""
    return [call["error"] for call in stack.calls(mark) if call["operation"] == "StartHumanLoop"]


def test_a_start_whose_answer_is_lost_starts_no_second_loop(stack: Stack, workers_film: Path) -> None:
    mark = stack.calls_so_far()
    rule = {"service": "sagemaker-a2i-runtime", "operation": "StartHumanLoop", "error": "answer_lost", "count": 1}
    stack.standins("faults", [rule])
    run = Workers(stack, workers_film, "a2i-lost")
    run.wait_for_loops()
    stack.wait_until("the second attempt", lambda: "ConflictException" in starts(stack, mark))
    run.answer(0)
    run.answer(1)
    ended = run.wait()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert len(run.loops()) == 2
    assert {run.outcomes()[crop] for crop in (*run.crops(0), *run.crops(1))} == {"in_dataset"}


@pytest.mark.usefixtures("impatient")
def test_a_start_that_is_repeated_waits_on_for_the_same_loops(stack: Stack, workers_film: Path) -> None:
    """The first two attempts fail in the function; later ones find what is there, with a new token each."""
    mark = stack.calls_so_far()
    rule = {"service": "sagemaker-a2i-runtime", "operation": "StartHumanLoop", "error": "ThrottlingException"}
    stack.standins("faults", [rule | {"count": 6}])
    run = Workers(stack, workers_film, "a2i-retried")
    run.wait_for_loops()
    stack.wait_until("the loops found again", lambda: starts(stack, mark).count("ConflictException") >= 2)
    run.answer(0)
    run.answer(1)
    ended = run.wait()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    told = starts(stack, mark)
    assert told[:6] == ["ThrottlingException"] * 6
    assert told.count(None) == 2, "no loop is started twice"
    assert {run.outcomes()[crop] for crop in (*run.crops(0), *run.crops(1))} == {"in_dataset"}


@pytest.mark.usefixtures("impatient")
def test_workers_are_stopped_when_the_reviews_time_is_over(stack: Stack, workers_film: Path) -> None:
    run = Workers(stack, workers_film, "a2i-overdue", f", timeout_hours: {15 / 3600}")
    run.wait_for_loops()
    run.answer(0)
    ended = run.wait()
    assert (ended.status, ended.error) == ("FAILED", "ReviewTimedOutError")
    names = [human_loop_name("a2i-overdue", batch) for batch in range(2)]
    stack.wait_until("the stop", lambda: {one["status"] for one in run.loops()} == {"Completed", "Stopped"})
    stack.wait_until("its event", lambda: [one["loop"] for one in run.heard()] == names)
    assert [one["told"] for one in run.heard()] == [True, False], "nobody waits for the second one"


def test_a_run_without_a_flow_definition_is_refused_before_anything_is_paid(
    stack: Stack, tmp_path: Path, workers_film: Path
) -> None:
    """As on a stack that was deployed without one: the function is told of none."""
    functions = stack.aws.client("lambda")
    name = next(
        one["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for one in page["Functions"]
        if "CheckPlanFunction" in one["FunctionName"]
    )
    there = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    film = write_film(tmp_path / "film.mp4", seed=52)
    mark = stack.calls_so_far()
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": there | {"A2I_FLOW_DEFINITION_ARN": ""}}
    )
    try:
        ended = stack.run(film, "a2i-none", "a2i-none", SETTINGS % "")
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": there})
    assert (ended.status, ended.error) == ("FAILED", "SettingsInvalidError")
    assert "storycast a2i-setup" in ended.cause
    assert stack.paid_calls(mark) == {}


def test_the_flow_definition_of_a2i_setup_shows_pictures_and_writes_answers_by_the_stacks_role(
    stack: Stack, workers_film: Path
) -> None:
    """The role may read a dataset's pictures and write answers, and nothing else of the bucket."""
    run = Workers(stack, workers_film, "a2i-role")
    run.wait_for_loops()
    command = [REPOSITORY / ".venv/bin/storycast", "a2i-setup", "--target", "local", "--workteam", WORKTEAM]
    for _ in range(2):
        said = subprocess.run(
            [*command, "--state", stack.aws.state_dir], capture_output=True, text=True, check=True
        ).stdout
    (arn,) = re.findall(r"arn:aws:sagemaker:\S+:flow-definition/\S+", said)
    one = batch_pictures(run.review, 0)[0]
    uri = f"s3://{stack.bucket}/runs/a2i-role/dataset/images/{one.file_name}"
    secret = f"s3://{stack.bucket}/runs/a2i-role/run.json"
    content = input_content(run.review, 0, stack.bucket)
    content["pictures"] = [content["pictures"][0], content["pictures"][0] | {"picture": secret}]
    stack.aws.client("sagemaker-a2i-runtime").start_human_loop(
        HumanLoopName="by-role", FlowDefinitionArn=arn, HumanLoopInput={"InputContent": content_text(content)}
    )
    pages = f"{stack.aws.endpoints.standins}/_storycast/a2i/loops/by-role"
    with urllib.request.urlopen(f"{pages}/task", timeout=20) as page:
        assert b"LOCAL STAND-IN" in page.read()
    with urllib.request.urlopen(f"{pages}/picture?number=0", timeout=20) as picture:
        assert picture.read() == stack.read(uri.removeprefix(f"s3://{stack.bucket}/"))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{pages}/picture?number=1", timeout=20)
    with refused.value as told:
        assert told.code == 403
        assert "AccessDenied" in json.load(told)["message"]
    done = stack.ask_workers("loops/by-role/answers", {"worker": "anna", "answer": {}})
    assert done["status"] == "Completed"
    written = json.loads(stack.read(done["output_uri"].removeprefix(f"s3://{stack.bucket}/")))
    assert written["humanLoopName"] == "by-role"
    # Its events are another flow definition's, which the stack does not hear.
    run.answer(0)
    run.answer(1)
    ended = run.wait()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert {one["loop"] for one in run.heard()} == {human_loop_name("a2i-role", batch) for batch in range(2)}


def put_event(stack: Stack, loop: str, flow: str) -> None:
    """Send an event of another flow definition that has a loop of the same name, in another region say."""
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:human-loop/{loop}"
    detail = {
        "creationTime": "2026-01-02T12:00:00.123Z",
        "failureCode": None,
        "failureReason": "not ours",
        "flowDefinitionArn": flow,
        "humanLoopArn": arn,
        "humanLoopName": loop,
        "humanLoopOutput": None,
        "humanLoopStatus": "Failed",
    }
    entry = {
        "Source": A2I_STANDIN_SOURCE,
        "DetailType": "SageMaker A2I HumanLoop Status Change",
        "Resources": [arn],
        "Detail": json.dumps(detail),
    }
    assert stack.aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
