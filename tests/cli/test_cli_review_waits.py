"""A run that waits for its review, as whoever follows it or asks for its status sees it."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import httpx
import pytest
from rich.console import Console

from cli.claims import StartedRun
from cli.ending import see_through
from cli.following import Follower
from cli.progress import PlainProgress
from cli.screen import Screen
from cli.target import Target
from cli.watching import follower_of
from storycast import keys
from storycast.review import Review
from tests.cli.records import RUN_ID, put_record, put_review
from tests.cli.reviews import decide, decisions, finish_in_page, invoke, keep, refused, wait_for_people
from tests.cli.stepfunctions import FakeStepFunctions, definition_of


@pytest.fixture
def build(stepfunctions: FakeStepFunctions) -> FakeStepFunctions:
    stepfunctions.definition = definition_of("build_dataset")
    return stepfunctions


def loop(build: FakeStepFunctions) -> None:
    """Wait once more: the token's time is over, somebody looks, the run waits on with a new one."""
    build.event("TaskTimedOut", taskTimedOutEventDetails={"resourceType": "lambda", "resource": "invoke"})
    build.leave("OpenReview")
    build.enter("CheckReview")
    build.leave("CheckReview", review={"status": "waiting", "message": "Nobody finished the review"})
    build.enter("ChooseAfterReview")
    build.leave("ChooseAfterReview")
    build.enter("OpenReview")


def lines_about(screen: Screen, stage: str) -> list[str]:
    told = [line.strip().split("  ", 1)[-1] for line in screen.console.export_text(clear=False).splitlines()]
    return [line for line in told if line.startswith(stage)]


def test_a_wait_in_many_turns_is_one_stage_with_what_people_have_done(
    target: Target, build: FakeStepFunctions, waiting: Review, screen: Screen
) -> None:
    follower: Follower = follower_of(target, build.execution_arn, RUN_ID)
    plain = PlainProgress(screen)
    build.enter("OpenReview")
    plain.update(follower.snapshot())
    for _ in range(3):
        loop(build)
        plain.update(follower.snapshot())
    assert [one.stage.name for one in follower.snapshot().running] == ["OpenReview"]
    decide(target, "anna", *(keep(one.image.crop_id) for one in waiting.pictures))
    plain.update(follower.snapshot())
    build.leave("OpenReview")
    build.enter("ApplyReview")
    last = follower.snapshot()
    plain.update(last)
    (begun, decided, done) = lines_about(screen, "Wait for the review")
    assert begun.startswith("Wait for the review: 0 of 6 decided, until 2026-11-25")
    assert decided.startswith("Wait for the review: 6 of 6 decided, until 2026-11-25")
    assert done.startswith("Wait for the review: 6 of 6 decided, done in")
    assert "CheckReview" not in [one.stage.name for one in last.stages]


def test_a_review_whose_time_is_over_is_where_the_run_stopped(
    target: Target, build: FakeStepFunctions, waiting: Review
) -> None:
    build.enter("OpenReview")
    build.leave("OpenReview")
    build.enter("CheckReview")
    build.leave("CheckReview", review={"status": "timed_out"})
    build.event("FailStateEntered", stateEnteredEventDetails={"name": "ReviewTimedOut"})
    build.end("FAILED", "ReviewTimedOutError", "Nobody finished the review")
    last = follower_of(target, build.execution_arn, RUN_ID).snapshot()
    assert [one.stage.label for one in last.stopped] == ["Wait for the review"]
    assert last.exit_code == 2


def test_workers_of_a2i_are_one_stage_too(
    target: Target, build: FakeStepFunctions, open_target: None, screen: Screen
) -> None:
    wait_for_people(target, build, mode="a2i")
    build.enter("StartHumanReviews")
    build.event("MapStateStarted", mapStateStartedEventDetails={"length": 4})
    build.leave("StartHumanReviews")
    build.enter("CheckReview")
    follower = follower_of(target, build.execution_arn, RUN_ID)
    (running,) = follower.snapshot().running
    assert running.stage.label == "Wait for Amazon A2I's workers"
    assert running.counts
    assert (running.counts.done, running.counts.total) == (0, 6)
    assert "Amazon A2I's workers look at it" in invoke("status", RUN_ID).stdout


def follow_to_review(
    target: Target,
    build: FakeStepFunctions,
    screen: Screen,
    *then: Callable[[], None],
    is_ours: bool = True,
) -> int:
    """Follow a run that comes to its review; ``then`` is what happens at each further look."""
    build.events, build.status, build.ended = [], "RUNNING", {}
    build.steps = [lambda: build.enter("PrepareReview"), lambda: build.enter("OpenReview"), lambda: None, *then]
    return see_through(target, StartedRun(RUN_ID, build.execution_arn), None, screen, is_ours=is_ours)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A screen that is a terminal."""
    monkeypatch.setattr("cli.screen.Screen.is_live", property(lambda _: True))
    console = Console(record=True, highlight=False, width=200, force_terminal=True, file=StringIO())
    return Screen(console, Console(stderr=True, highlight=False))


def test_off_a_terminal_the_command_is_told_once(
    target: Target, build: FakeStepFunctions, waiting: Review, screen: Screen
) -> None:
    assert follow_to_review(target, build, screen, lambda: loop(build), lambda: loop(build), build.end) == 0
    told = screen.console.export_text()
    assert told.count(f"Review waits: `storycast review {RUN_ID} --target local`") == 1
    assert "?key=" not in told


def test_of_a_run_on_aws_the_command_is_told_on_a_terminal_too(
    target: Target, build: FakeStepFunctions, waiting: Review, terminal: Screen
) -> None:
    assert follow_to_review(replace(target, kind="aws"), build, terminal, lambda: loop(build), build.end) == 0
    told = terminal.console.export_text()
    assert told.count(f"Review waits: `storycast review {RUN_ID} --target aws`") == 1
    assert "?key=" not in told


def test_on_a_terminal_the_page_is_served_beside_a_local_run(
    target: Target, build: FakeStepFunctions, waiting: Review, terminal: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    urls: list[str] = []

    def act() -> None:
        shown = terminal.console.export_text(clear=False)
        urls.append(next(word for word in shown.split() if word.startswith("http://127.0.0.1:")))
        with httpx.Client(base_url=urls[0].partition("/?")[0], trust_env=False) as client:
            assert client.get(urls[0]).status_code == 303
            assert client.get("/api/review").json()["me"] == "ada"
            finish_in_page(client)

    def go_on() -> None:
        build.leave("OpenReview")
        build.enter("ApplyReview")

    def look_once_more() -> None:
        # The browser shows how it ended.
        with httpx.Client(base_url=urls[0].partition("/?")[0], trust_env=False) as client:
            client.get(urls[0])
            assert client.get("/api/decisions?after=0").json()["status"]["state"] == "finished"

    looks = [lambda: loop(build), act, go_on, look_once_more, build.end]
    assert follow_to_review(replace(target, stays_up=False), build, terminal, *looks) == 0
    shown = terminal.console.export_text()
    assert shown.count("Review waits: http://127.0.0.1:") == 1
    assert "You decide there as ada. (Ctrl-C leaves it; the run ends with the embedded AWS" in shown
    assert decisions(target) == [("ada", "finish", "page")]
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls[0], trust_env=False)


def test_a_page_that_can_not_be_served_stops_nothing(
    target: Target, build: FakeStepFunctions, waiting: Review, terminal: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review.serving.PORTS", 0)
    assert follow_to_review(target, build, terminal, build.end) == 0
    shown = terminal.console.export_text()
    assert "can't be served here: The ports" in shown
    assert f"Review waits: `storycast review {RUN_ID} --target local`" in shown


def test_somebody_elses_run_gets_no_page_here(
    target: Target, build: FakeStepFunctions, waiting: Review, terminal: Screen
) -> None:
    assert follow_to_review(target, build, terminal, build.end, is_ours=False) == 0
    assert "?key=" not in terminal.console.export_text()


def test_ctrl_c_ends_a_run_with_its_emulator_and_leaves_it_waiting_where_that_stays(
    target: Target, build: FakeStepFunctions, waiting: Review, screen: Screen
) -> None:
    decide(target, "anna", keep("000000"))
    assert follow_to_review(replace(target, stays_up=False), build, screen, interrupt) == 130
    assert build.status == "ABORTED"
    told = screen.console.export_text()
    assert "What was decided in its review is kept, too: the next run takes it over." in told

    assert follow_to_review(replace(target, stays_up=True), build, screen, interrupt) == 130
    assert build.status == "RUNNING"
    told = screen.console.export_text()
    assert "1 of 6 pictures decided" in told
    assert f"`storycast review {RUN_ID} --target local`" in told


def test_status_tells_what_a_run_waits_for(target: Target, build: FakeStepFunctions, waiting: Review) -> None:
    decide(target, "anna", keep("000000"))
    build.enter("OpenReview")
    for shown in (invoke("status").stdout, invoke("status", RUN_ID).stdout):
        assert "waits for review until 2026-11-25" in shown
        assert f"1 of 6 pictures decided: `storycast review {RUN_ID} --target local`" in shown
    assert "Wait for the review: running, 1 of 6 decided, until" in invoke("status", RUN_ID).stdout
    told = json.loads(invoke("status", RUN_ID, "--json").stdout)
    assert told["status"] == "in_review"
    assert told["review"] == {"decided": 1, "pictures": 6, "deadline": "2026-11-25T12:00:00+00:00"}
    put_record(target)
    assert json.loads(invoke("status", RUN_ID, "--json").stdout)["review"] is None


def test_status_of_a_run_whose_review_may_not_be_read_is_told_all_the_same(
    target: Target, build: FakeStepFunctions, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.s3.delete_object(Bucket=target.bucket, Key=keys.review(RUN_ID))
    assert f"waits for review: `storycast review {RUN_ID}" in invoke("status", RUN_ID).stdout

    def deny(*_: Any, **__: Any) -> Any:
        raise refused("GetItem")

    put_review(target)
    monkeypatch.setattr(target.dynamodb, "get_item", deny)
    assert f"waits for review: `storycast review {RUN_ID}" in invoke("status", RUN_ID).stdout
