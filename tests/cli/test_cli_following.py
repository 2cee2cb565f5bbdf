"""Following: stages, counts and the end, from what Step Functions tells."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console

from cli.following import Counts, Follower, Snapshot, StageProgress, follow
from cli.machine import Stage, read_machine
from cli.problems import exit_code_of_run, message_of
from cli.progress import LiveProgress, PlainProgress, clock, drawn
from cli.screen import Screen
from tests.cli.stepfunctions import BEGAN, DEFINITION, FakeStepFunctions


def followed(fake: FakeStepFunctions) -> Follower:
    client: Any = fake
    return Follower(client, fake.execution_arn, now=lambda: fake.now)


def states(snapshot: Snapshot) -> dict[str, str]:
    return {one.stage.name: one.state for one in snapshot.stages}


def test_stages_come_from_the_definition_in_their_order() -> None:
    import json

    machine = read_machine(json.dumps(DEFINITION))
    assert [(stage.name, stage.certain) for stage in machine.stages if stage.is_shown] == [
        ("PrepareRun", True),
        ("ProbeFootage", True),
        ("SampleFrames", True),
        ("AskReviewer", False),
        ("ApplyReview", True),
    ]
    sample = machine.stage("SampleFrames")
    assert sample
    assert (sample.is_distributed, sample.map_label, sample.label) == (True, "Segments", "Sample frames")
    assert machine.stage("ProbeOne") is None


def test_a_loop_in_the_definition_ends() -> None:
    machine = read_machine(
        '{"StartAt": "Look", "States": {"Look": {"Type": "Task", "Next": "Ready"}, "Ready": {"Type": "Choice", '
        '"Choices": [{"Next": "End"}], "Default": "Rest"}, "Rest": {"Type": "Wait", "Next": "Look"}, '
        '"End": {"Type": "Succeed"}}}'
    )
    assert [stage.name for stage in machine.stages if stage.certain] == ["Look"]


def test_snapshots_tell_stages_and_counts(stepfunctions: FakeStepFunctions) -> None:
    follower = followed(stepfunctions)
    first = follower.snapshot()
    assert (first.status, first.has_ended, first.running) == ("RUNNING", False, ())
    assert set(states(first).values()) == {"pending"}

    stepfunctions.enter("PrepareRun")
    stepfunctions.leave("PrepareRun")
    stepfunctions.enter("ProbeFootage")
    stepfunctions.event("MapStateStarted", mapStateStartedEventDetails={"length": 2})
    stepfunctions.event("TaskStateEntered", stateEnteredEventDetails={"name": "ProbeOne"})
    stepfunctions.event(
        "MapIterationSucceeded", mapIterationSucceededEventDetails={"name": "ProbeFootage", "index": 0}
    )
    second = follower.snapshot()
    assert states(second)["PrepareRun"] == "done"
    assert [one.counts for one in second.running] == [Counts(done=1, total=2)]

    stepfunctions.leave("ProbeFootage")
    stepfunctions.enter("SampleFrames")
    stepfunctions.count("Segments", succeeded=1, failed=1, total=4)
    third = follower.snapshot()
    assert [(one.stage.name, one.counts) for one in third.running] == [("SampleFrames", Counts(1, 1, 4))]

    stepfunctions.count("Segments", succeeded=3, failed=1, total=4)
    stepfunctions.leave("SampleFrames")
    stepfunctions.enter("ApplyReview")
    stepfunctions.leave("ApplyReview")
    stepfunctions.end()
    last = follower.snapshot()
    assert last.has_ended
    assert states(last) == dict.fromkeys(("PrepareRun", "ProbeFootage", "SampleFrames", "ApplyReview"), "done")
    assert last.seconds == (stepfunctions.now - BEGAN).total_seconds()
    assert {one.stage.name: one.counts for one in last.stages}["SampleFrames"] == Counts(3, 1, 4)


def test_a_map_run_without_label_is_found_by_its_time(stepfunctions: FakeStepFunctions) -> None:
    stepfunctions.enter("SampleFrames")
    stepfunctions.count("3d7c0a70-made-by-aws", succeeded=0, total=7)
    assert [one.counts for one in followed(stepfunctions).snapshot().running] == [Counts(total=7)]


def test_history_is_read_page_by_page_and_only_once(stepfunctions: FakeStepFunctions) -> None:
    stepfunctions.page_size = 2
    follower = followed(stepfunctions)
    for name in ("PrepareRun", "ProbeFootage", "SampleFrames"):
        stepfunctions.enter(name)
        stepfunctions.leave(name)
    assert list(states(follower.snapshot()).values()).count("done") == 3
    before = len(stepfunctions.calls)
    stepfunctions.enter("ApplyReview")
    assert states(follower.snapshot())["ApplyReview"] == "running"
    asked = [name for name, _ in stepfunctions.calls[before:]]
    assert asked.count("GetExecutionHistory") == 1


def test_a_failure_shows_where_and_why(stepfunctions: FakeStepFunctions) -> None:
    stepfunctions.enter("PrepareRun")
    stepfunctions.end("FAILED", "SettingsInvalidError", '{"errorMessage": "unknown key", "stackTrace": ["x"]}')
    last = followed(stepfunctions).snapshot()
    assert (last.error, last.cause, states(last)["PrepareRun"]) == (
        "SettingsInvalidError",
        "unknown key",
        "stopped",
    )


def test_following_waits_for_an_execution_that_is_not_known_yet(stepfunctions: FakeStepFunctions) -> None:
    def unknown() -> None:
        raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": "?"}}, "DescribeExecution")

    slept: list[float] = []
    stepfunctions.steps = [unknown, unknown, lambda: None, stepfunctions.end]
    screen = Screen(Console(record=True))
    last = follow(followed(stepfunctions), PlainProgress(screen), pause_seconds=lambda _: 3.0, sleep=slept.append)
    assert (last.status, slept) == ("SUCCEEDED", [1.0, 1.0, 3.0])
    stepfunctions.steps = [unknown] * 99
    with pytest.raises(ClientError):
        follow(followed(stepfunctions), PlainProgress(screen), pause_seconds=lambda _: 3.0, sleep=slept.append)


def test_following_outlives_a_network_that_is_away_for_a_while(stepfunctions: FakeStepFunctions) -> None:
    def away() -> None:
        raise EndpointConnectionError(endpoint_url="https://states.us-east-1.amazonaws.com")

    plain = PlainProgress(Screen(Console(record=True)))
    stepfunctions.steps = [away, away, lambda: None, away, stepfunctions.end]
    slept: list[float] = []
    last = follow(
        followed(stepfunctions), plain, pause_seconds=lambda _: 2.0, patience_seconds=10.0, sleep=slept.append
    )
    assert (last.status, slept) == ("SUCCEEDED", [5.0, 5.0, 2.0, 5.0])
    stepfunctions.steps = [away] * 3
    with pytest.raises(EndpointConnectionError):
        follow(
            followed(stepfunctions), plain, pause_seconds=lambda _: 2.0, patience_seconds=10.0, sleep=slept.append
        )


def test_a_run_is_followed_without_counts_where_they_may_not_be_read(
    stepfunctions: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListMapRuns")

    monkeypatch.setattr(stepfunctions, "list_map_runs", refuse)
    stepfunctions.enter("SampleFrames")
    assert [one.counts for one in followed(stepfunctions).snapshot().running] == [None]


def test_plain_progress_is_one_line_per_change(stepfunctions: FakeStepFunctions, screen: Screen) -> None:
    follower, plain = followed(stepfunctions), PlainProgress(screen)
    stepfunctions.enter("SampleFrames")
    for succeeded in range(101):
        stepfunctions.count("Segments", succeeded=succeeded, total=100)
        plain.update(follower.snapshot())
    stepfunctions.leave("SampleFrames")
    plain.update(follower.snapshot())
    plain.update(follower.snapshot())
    lines = screen.console.export_text().splitlines()
    assert lines[:2] == ["   0:01  Sample frames: 0 of 100", "   0:01  Sample frames: 10 of 100"]
    assert lines[-1] == "   0:02  Sample frames: 100 of 100, done in 1.0 s"
    assert len(lines) == 12


def test_live_progress_redraws_a_terminal(stepfunctions: FakeStepFunctions) -> None:
    import io

    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    stepfunctions.enter("AskReviewer")
    with LiveProgress(Screen(terminal)) as live:
        live.update(followed(stepfunctions).snapshot())
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "Ask reviewer" in shown
    assert "Waits for a person." in shown


def test_what_a_definition_says_can_not_control_the_terminal() -> None:
    hostile = Stage("Evil", "Task", "\x1b]0;owned\x07", certain=True)
    console = Console(record=True, force_terminal=True)
    console.print(drawn(Snapshot("RUNNING", 1.0, (StageProgress(hostile, "running", 1.0),))))
    assert "\x1b]" not in console.export_text(styles=True)


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("plain words", "plain words"),
        ('{"errorMessage": "no key", "errorType": "X", "stackTrace": []}', "no key"),
        ('{"Error": "X", "Cause": "{\\"errorMessage\\": \\"deep\\"}"}', "deep"),
        ('{"other": 1}', '{"other": 1}'),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
def test_the_message_is_found_in_a_cause(cause: str, message: str) -> None:
    assert message_of(cause) == message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("SettingsInvalidError", 2),
        ("NoFramesError", 2),
        ("TooManyLostError", 1),
        ("ThrottledError", 1),
        ("States.Runtime", 1),
        ("annotations", 1),
        ("", 1),
    ],
)
def test_errors_of_input_are_exit_code_2(error: str, code: int) -> None:
    assert exit_code_of_run(error) == code


def test_durations_read_as_people_write_them() -> None:
    assert [clock(seconds) for seconds in (0.4, 67, 3723)] == ["0:00", "1:07", "1:02:03"]
