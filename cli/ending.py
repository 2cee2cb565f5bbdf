"""From a started execution to an exit code: follow it, say how it ended, bring its folder home."""

import time
from pathlib import Path

from botocore.exceptions import ClientError

from cli.claims import StartedRun
from cli.following import SUCCEEDED, Follower, Snapshot, follow, pause_locally, pause_on_aws
from cli.problems import DONE, FAILED, INTERRUPTED, exit_code_of_run
from cli.progress import clock, progress_on
from cli.run_copy import copy_run
from cli.screen import Screen
from cli.summary import RunState, read_record, show_run
from cli.target import Target
from storycast.runs import Run

RECORD_SECONDS = 10.0
"""How long the record of a failure may take to be written."""
PATIENCE_SECONDS = 300.0
"""How long AWS may be out of reach before following ends; the run goes on without."""


def see_through(
    target: Target, started: StartedRun, out: Path | None, screen: Screen, *, is_ours: bool = True
) -> int:
    """Follow a run to its end.

    An interruption leaves a run on AWS alone, and one that somebody else started; on this machine it stops
    the run that this command started.

    Args:
        target: Where it runs.
        started: The run.
        out: Where to copy its folder, however it ends.
        screen: Where to tell it.
        is_ours: Whether this command started it.

    Returns:
        The exit code.
    """
    follower = Follower(target.stepfunctions, started.execution_arn)
    pause = pause_locally if target.kind == "local" else pause_on_aws
    patience = 0.0 if target.kind == "local" else PATIENCE_SECONDS
    try:
        last = follow(follower, progress_on(screen), pause_seconds=pause, patience_seconds=patience)
    except KeyboardInterrupt:
        if target.kind == "local" and is_ours:
            _stop(target, started, screen)
        else:
            again = f"storycast status {started.run_id} --follow --target {target.kind}"
            screen.say(f"The run goes on. `{again}` shows its progress.")
        return INTERRUPTED
    _conclude(target, started, last, screen)
    if out is not None:
        bring_home(target, started.run_id, out, screen)
    return exit_code(last)


def exit_code(last: Snapshot) -> int:
    """Return the exit code for an execution that has ended."""
    if last.status == SUCCEEDED:
        return DONE
    return exit_code_of_run(last.error) if last.status == "FAILED" else FAILED


def bring_home(target: Target, run_id: str, out: Path, screen: Screen) -> None:
    """Copy a run's folder and say what was done."""
    copy = copy_run(target.s3, target.bucket, run_id, out, screen)
    same = f", {copy.unchanged} unchanged" if copy.unchanged else ""
    screen.say(f"Copied to {copy.folder}: {copy.copied} files{same}.")
    sheet = copy.folder / "dataset" / "contact_sheet.jpg"
    if sheet.exists():
        screen.say(f"All pictures at a glance: {sheet}")
    for reason in copy.left_out:
        screen.warn(f"Not copied: {reason}.")


def _conclude(target: Target, started: StartedRun, last: Snapshot, screen: Screen) -> None:
    took = clock(last.seconds)
    record = _settled(target, started.run_id, last)
    if last.status == SUCCEEDED:
        screen.say(f"Done in {took}.", style="bold green")
        if record:
            show_run(target, RunState(record, record.status), screen)
        return
    if record:
        show_run(target, RunState(record, "failed"), screen)
    where = next((one.stage.label for one in last.stages if one.state == "stopped"), "")
    at = f" at '{where}'" if where else ""
    said = {"TIMED_OUT": "ran out of time", "ABORTED": "was stopped"}.get(last.status, "failed")
    detail = ": ".join(filter(None, [last.error, last.cause]))
    screen.problem(f"The run {said}{at} after {took}." + (f" {detail}" if detail else ""))


def _settled(target: Target, run_id: str, last: Snapshot, wait_seconds: float = RECORD_SECONDS) -> Run | None:
    """Return a run's record as it stays: a failure is written into it a moment after the execution has ended."""
    deadline = time.monotonic() + wait_seconds
    while True:
        record = read_record(target, run_id)
        if record is None or record.status != "running" or last.status == SUCCEEDED or time.monotonic() > deadline:
            return record
        time.sleep(0.5)


def _stop(target: Target, started: StartedRun, screen: Screen) -> None:
    screen.say("Stopping the run ...")
    try:
        target.stepfunctions.stop_execution(
            executionArn=started.execution_arn, error="Interrupted", cause="The user interrupted the command."
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ExecutionDoesNotExist", "ValidationException"):
            raise
    screen.say("Stopped. What it had finished is kept; the same command re-uses it.")
