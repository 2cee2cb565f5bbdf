"""The review's gate on the emulator, IAM on: a run waits for people, and goes on from what they decide."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from storycast.adapters.review_log import DynamoReviewLog
from storycast.decisions import Change, What
from storycast.ledger import FINAL_OUTCOMES
from storycast.review import read_review
from storycast.review_desk import Proposal, ReviewClosedError, ReviewDesk
from tests.e2e.film import write_film
from tests.e2e.stack import Stack
from tests.fakes.workflow import keep_the_rest

pytestmark = pytest.mark.e2e

PAGE = "sampling: {frames_per_second: 2}\nreview: {mode: page, minimum_per_character: 2"


@pytest.fixture(scope="module")
def reviewed_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of its own, so that the runs of this file pay for it once."""
    return write_film(tmp_path_factory.mktemp("reviewed") / "film.mp4", seed=41, shots=6)


def settings(**review: Any) -> str:
    more = "".join(f", {name}: {value}" for name, value in review.items())
    return f"{PAGE}{more}}}\n"


def decide(desk: ReviewDesk, what: What, *changes: tuple[str, str, str, str], who: str = "Ada") -> Any:
    made = tuple(Change(subject=s, field=f, before=b, after=a) for s, f, b, a in changes)  # type: ignore[arg-type]
    return desk.decide(Proposal(uuid.uuid4().hex, who, what, "page", made))


def keep(desk: ReviewDesk, *crops: str, who: str = "Ada", after: str = "kept") -> Any:
    what: What = "keep" if after == "kept" else "drop"
    return decide(desk, what, *((f"picture:{crop}", "verdict", "open", after) for crop in crops), who=who)


def finish(desk: ReviewDesk, who: str = "Ada") -> Any:
    return desk.finish(who, uuid.uuid4().hex)


def crops_of(stack: Stack, run_id: str) -> list[str]:
    return [one["image"]["crop_id"] for one in shown(stack, run_id)["pictures"]]


def shown(stack: Stack, run_id: str) -> dict[str, Any]:
    return json.loads(stack.read(f"runs/{run_id}/review/review.json"))


def assert_failed(stack: Stack, arn: str, run_id: str, error: str, says: str) -> None:
    ended = stack.wait(arn)
    assert (ended.status, ended.error) == ("FAILED", error), ended
    assert says in ended.cause
    stack.wait_until("the record", lambda: stack.record(run_id)["status"] == "failed")
    assert stack.record(run_id)["error"] == error
    assert says in stack.record(run_id)["cause"]


# ---- the way through ------------------------------------------------------------------------------


def test_what_is_decided_is_the_dataset(stack: Stack, reviewed_film: Path) -> None:
    """Kept, dropped, left open, renamed, rewritten, and a duplicate used in another's place."""
    arn = stack.start_with(reviewed_film, "reviewed", "review-1", settings())
    desk = stack.desk("review-1")
    assert stack.states.describe_execution(executionArn=arn)["status"] == "RUNNING"
    review = read_review_of(stack, "review-1")
    twin = next(one for one in review.pictures if one.alternatives)
    others = [one for one in review.pictures if one is not twin]
    dropped, _left_open, written, *rest = [one.image.crop_id for one in others]
    keep(desk, twin.image.crop_id, written, *rest)
    keep(desk, dropped, after="dropped", who="Ben")
    subject, use = f"picture:{twin.image.crop_id}", twin.alternatives[0].image.crop_id
    decide(desk, "use", (subject, "shown", twin.image.crop_id, use))
    model_words = review.by_crop[written].caption
    decide(desk, "caption", (f"picture:{written}", "caption", model_words, "Character 1 <b>waits</b> & waves."))
    decide(desk, "rename", ("character:Character 1", "name", "Character 1", "Zoë"))
    assert finish(desk).state == "finished"
    ended = stack.wait(arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)

    outcomes = stack.assert_ledger_is_whole("review-1", FINAL_OUTCOMES)
    assert outcomes["crop", "rejected"] == outcomes["crop", "not_reviewed"] == 1
    pictures = {one["image"]["crop_id"]: one for one in stack.lines("review-1", "dataset/pictures.jsonl")}
    assert set(pictures) == {use, written, *rest}
    assert pictures[written]["caption"] == "Character 1 <b>waits</b> & waves.", "a person's words stay as they are"
    assert pictures[written]["caption_by"] == "Ada"
    of_zoe = [one for one in pictures.values() if one["image"]["character"] == "Zoë"]
    assert of_zoe
    for one in of_zoe:
        assert one["caption_by"] == "Ada" or one["caption"].startswith("Zoë "), one
        assert one["file_name"].startswith("zoe-")
    manifest = stack.lines("review-1", "dataset/approved.jsonl")
    keys = {line["image-ref"].removeprefix(f"s3://{stack.bucket}/") for line in manifest}
    assert keys == set(stack.keys("runs/review-1/dataset/images/")), "the folder is the dataset"
    log = stack.lines("review-1", "review/decisions.jsonl")
    assert [line["seq"] for line in log] == list(range(1, len(log) + 1))
    assert {"who", "when", "what", "changes"} <= set(log[0])
    assert {change["after"] for line in log if line["who"] == "Ben" for change in line["changes"]} == {"dropped"}
    # Derived again, the manifest is the same byte for byte.
    before = stack.read("runs/review-1/dataset/approved.jsonl")
    again = stack.aws.client("lambda").invoke(
        FunctionName=function_named(stack, "ApplyReviewFunction"), Payload=json.dumps({"run_id": "review-1"})
    )
    assert "FunctionError" not in again, again["Payload"].read()
    assert stack.read("runs/review-1/dataset/approved.jsonl") == before

    # Finished is finished, for everybody.
    with pytest.raises(ReviewClosedError, match=r"Ada finished this review on .* The run is dataset ready"):
        finish(desk, "Ben")
    with pytest.raises(ReviewClosedError, match="Ada finished"):
        keep(desk, dropped)


def function_named(stack: Stack, part: str) -> str:
    pages = stack.aws.client("lambda").get_paginator("list_functions").paginate()
    names = [one["FunctionName"] for page in pages for one in page["Functions"]]
    (name,) = [name for name in names if part in name]
    return name


def read_review_of(stack: Stack, run_id: str) -> Any:
    from storycast.adapters.s3 import S3Store

    return read_review(S3Store(stack.bucket, stack.s3), run_id)


def test_several_reviewers_at_once_lose_nothing(stack: Stack, reviewed_film: Path) -> None:
    """Eight people decide on the same pictures; each decision is in the log once, and who was first holds."""
    arn = stack.start_with(reviewed_film, "together", "review-2", settings())
    stack.desk("review-2")
    crops = crops_of(stack, "review-2")
    answers: dict[str, list[Any]] = {}

    def review(who: str) -> None:
        desk = stack.desk("review-2")
        answers[who] = [keep(desk, crop, who=who, after="kept" if who < "e" else "dropped") for crop in crops]

    people = [threading.Thread(target=review, args=(who,)) for who in "abcdefgh"]
    for person in people:
        person.start()
    for person in people:
        person.join()
    log = stack.desk("review-2").decisions()
    assert [one.seq for one in log] == list(range(1, len(log) + 1))
    assert len({one.id for one in log}) == len(log)
    assert sorted(change.subject for one in log for change in one.changes) == sorted(f"picture:{c}" for c in crops)
    first = {one.changes[0].subject: one for one in log}
    for who, given in answers.items():
        for crop, answer in zip(crops, given, strict=True):
            winner = first[f"picture:{crop}"]
            same = (who < "e") == (winner.changes[0].after == "kept")
            if winner.who == who:
                assert answer.decision == winner
            elif same:
                assert (answer.decision, answer.conflicts) == (None, ()), "they agree"
            else:
                assert answer.conflicts[0].now.by == winner, "and it is told who was first"
    keep_the_rest(stack.desk("review-2"))
    stack.wait(arn)


# ---- other ends -----------------------------------------------------------------------------------


def test_a_review_that_approves_nothing_ends_by_name(stack: Stack, reviewed_film: Path) -> None:
    arn = stack.start_with(reviewed_film, "nothing", "review-3", settings())
    desk = stack.desk("review-3")
    crops = crops_of(stack, "review-3")
    keep(desk, *crops, after="dropped")
    finish(desk)
    assert_failed(stack, arn, "review-3", "NothingApprovedError", f"none of {len(crops)} pictures was approved")
    assert stack.assert_ledger_is_whole("review-3", FINAL_OUTCOMES)["crop", "rejected"] == len(crops)
    assert stack.keys("runs/review-3/dataset/images/") == []


def test_too_few_pictures_make_a_dataset_and_no_training(stack: Stack, reviewed_film: Path) -> None:
    canvas = "amazon.nova-canvas-v1:0"
    stack.standins("catalogue", {"play_as_active": [canvas]})
    try:
        mark = stack.calls_so_far()
        training = f"training: {{target: bedrock, base_model: '{canvas}', step_count: 100, batch_size: 8}}\n"
        arn = stack.start_with(reviewed_film, "few", "review-4", settings() + training + "budget_usd: 1000\n")
        desk = stack.desk("review-4")
        assert shown(stack, "review-4")["training"]["cost_usd"][1] > 0, "who finishes is told what it costs"
        keep(desk, crops_of(stack, "review-4")[0])
        finish(desk)
        ended = stack.wait(arn)
    finally:
        stack.standins("catalogue", {"play_as_active": []})
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    record = stack.record("review-4")
    assert record["status"] == "dataset_ready"
    assert any("1 of at least 2 pictures" in warning for warning in record["warnings"])
    assert "CreateModelCustomizationJob" not in {call["operation"] for call in stack.calls(mark)}
    assert "TrainModel" not in stack.entered(arn)


@pytest.fixture
def impatient(stack: Stack) -> Iterator[Callable[[int], None]]:
    """Let the wait for people last so many seconds: the emulator reads no timeout from a path."""
    sound = stack.states.describe_state_machine(stateMachineArn=stack.machine)["definition"]

    def wait(seconds: int) -> None:
        changed = json.loads(sound)
        changed["States"]["OpenReview"]["TimeoutSeconds"] = seconds
        stack.states.update_state_machine(stateMachineArn=stack.machine, definition=json.dumps(changed))

    yield wait
    stack.states.update_state_machine(stateMachineArn=stack.machine, definition=sound)


def test_the_token_is_replaced_while_a_review_waits(
    stack: Stack, reviewed_film: Path, impatient: Callable[[int], None]
) -> None:
    """Each wait has its own token; a reviewer who came with the first one finishes with the newest."""
    impatient(2)
    arn = stack.start_with(reviewed_film, "patient", "review-5", settings())
    desk = stack.desk("review-5")
    log = DynamoReviewLog(stack.aws.outputs["ReviewTableName"], stack.aws.client("dynamodb"))
    first = log.gate("review-5").task_token
    stack.wait_until("another token", lambda: log.gate("review-5").task_token != first)
    assert stack.record("review-5")["status"] == "in_review"
    # People are told again, once they were told long ago.
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    stack.aws.client("dynamodb").update_item(
        TableName=stack.aws.outputs["ReviewTableName"],
        Key={"pk": {"S": "gate#review-5"}, "sk": {"S": "gate"}},
        UpdateExpression="SET reminded_at = :then",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":then": {"S": long_ago}},
    )
    yesterday = datetime.now(UTC) - timedelta(days=1)
    stack.wait_until("a reminder", lambda: log.gate("review-5").reminded_at > yesterday)
    with pytest.raises(ClientError, match=r"Task|Token"):
        stack.states.send_task_success(taskToken=first, output="{}")
    keep_the_rest(desk)
    ended = stack.wait(arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert stack.entered(arn).count("CheckReview") >= 1


@pytest.mark.parametrize("rule", ["fail", "approved"])
def test_after_the_time_out_the_projects_rule_decides(
    stack: Stack, reviewed_film: Path, impatient: Callable[[int], None], rule: str
) -> None:
    impatient(1)
    run_id = f"review-late-{rule}"
    hours = 15 / 3600
    arn = stack.start_with(reviewed_film, f"late {rule}", run_id, settings(timeout_hours=hours, on_timeout=rule))
    desk = stack.desk(run_id)
    crops = crops_of(stack, run_id)
    keep(desk, *crops[:3])
    if rule == "fail":
        assert_failed(stack, arn, run_id, "ReviewTimedOutError", "Nobody finished the review")
        with pytest.raises(ReviewClosedError, match="The time for this review was over"):
            finish(desk)
        # Started again, what was decided is there already, and nothing is paid twice.
        mark = stack.calls_so_far()
        arn = stack.start_with(reviewed_film, f"late {rule}", "review-again", settings())
        desk = stack.desk("review-again")
        carried = {one["image"]["crop_id"]: one["carried"] for one in shown(stack, "review-again")["pictures"]}
        assert {crop for crop, one in carried.items() if one and one["verdict"] == "kept"} == set(crops[:3])
        finish(desk)
        assert stack.wait(arn).status == "SUCCEEDED"
        assert stack.paid_calls(mark) == {}
        run_id = "review-again"
    else:
        ended = stack.wait(arn)
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
        assert stack.lines(run_id, "review/decisions.jsonl")[-1]["what"] == "time_out"
    kept = {one["image"]["crop_id"] for one in stack.lines(run_id, "dataset/pictures.jsonl")}
    assert kept == set(crops[:3])


def test_a_run_that_was_stopped_takes_no_more_decisions_and_says_so(stack: Stack, reviewed_film: Path) -> None:
    arn = stack.start_with(reviewed_film, "stopped", "review-6", settings())
    desk = stack.desk("review-6")
    stack.states.stop_execution(executionArn=arn, error="Cancelled", cause="A test did it.")
    stack.wait_until("the record", lambda: stack.record("review-6")["status"] == "failed")
    with pytest.raises(ReviewClosedError, match=r"The run does not wait for a review\. The run failed"):
        finish(desk)
    assert desk.status().state == "ended"


# ---- who may review -------------------------------------------------------------------------------


@pytest.fixture
def reviewer(stack: Stack) -> Iterator[Callable[[str], Any]]:
    """Clients of a user who has the policy for reviewers and no other."""
    import boto3

    iam = stack.aws.client("iam")
    iam.create_user(UserName="reviewer")
    policy = stack.aws.outputs["ReviewerPolicyArn"]
    iam.attach_user_policy(UserName="reviewer", PolicyArn=policy)
    keys = iam.create_access_key(UserName="reviewer")["AccessKey"]

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=stack.aws.endpoints.of(service),
            region_name=stack.s3.meta.region_name,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
        )

    yield client
    iam.delete_access_key(UserName="reviewer", AccessKeyId=keys["AccessKeyId"])
    iam.detach_user_policy(UserName="reviewer", PolicyArn=policy)
    iam.delete_user(UserName="reviewer")


def test_the_reviewers_policy_is_enough_and_not_more(
    stack: Stack, reviewed_film: Path, reviewer: Callable[[str], Any]
) -> None:
    arn = stack.start_with(reviewed_film, "theirs", "review-7", settings())
    desk = stack.desk("review-7", reviewer)
    crop = crops_of(stack, "review-7")[0]
    s3 = reviewer("s3")
    assert s3.list_objects_v2(Bucket=stack.bucket, Prefix="runs/")["KeyCount"] > 0
    assert s3.get_object(Bucket=stack.bucket, Key=f"runs/review-7/review/thumbs/{crop}.jpg")
    assert reviewer("cloudformation").describe_stacks(StackName="storycast")["Stacks"]
    for call in (
        lambda: s3.put_object(Bucket=stack.bucket, Key="runs/review-7/review/review.json", Body=b"{}"),
        lambda: s3.get_object(Bucket=stack.bucket, Key="projects/theirs/project.yaml"),
        lambda: reviewer("dynamodb").scan(TableName=stack.aws.outputs["TableName"]),
        lambda: reviewer("stepfunctions").stop_execution(executionArn=arn),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
            call()
    keep_the_rest(desk, "reviewer")
    ended = stack.wait(arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)


def test_the_time_of_a_decision_has_its_zone(stack: Stack) -> None:
    for line in stack.lines("review-1", "review/decisions.jsonl"):
        assert datetime.fromisoformat(line["when"]).tzinfo == UTC
