"""From a started execution to an exit code: follow it, say how it ended, bring its folder home."""

import time
from datetime import datetime, timedelta
from pathlib import Path

from botocore.exceptions import ClientError

from cli.billed import lines, wait_until_ended
from cli.claims import StartedRun
from cli.following import SUCCEEDED, Follower, Shown, Snapshot, flattened
from cli.problems import INTERRUPTED, read_on
from cli.progress import clock
from cli.run_copy import copy_run
from cli.screen import Screen
from cli.summary import REPORT, RunState, read_record, said_of_review, show_run, tell_bill
from cli.target import Target
from cli.teardown import start, wait_for
from cli.waiting import ReviewBeside
from cli.watching import follower_of, watch
from storycast import keys
from storycast.runs import Run

RECORD_SECONDS = 10.0
"""How long the record of a failure may take to be written."""
END_SECONDS = 60.0
"""How long the embedded AWS stays up for what is billed to end."""
_UNFINISHED = ("running", "in_review", "training")
_GONE = ("ExecutionDoesNotExist", "ValidationException")


def see_through(
    target: Target, started: StartedRun, out: Path | None, screen: Screen, *, is_ours: bool = True
) -> int:
    """Follow a run to its end.

    An interruption leaves a run on AWS alone, and one that somebody else started; on this machine it stops
    the run that this command started, and ends what is billed for it. One that waits for its review is left
    waiting where the embedded AWS stays up.

    Args:
        target: Where it runs.
        started: The run.
        out: Where to copy its folder, however it ends.
        screen: Where to tell it.
        is_ours: Whether this command started it.

    Returns:
        The exit code.
    """
    follower = follower_of(target, started.execution_arn, started.run_id)
    serve = target.kind == "local" and is_ours and screen.is_live

    def around(shown: Shown) -> Shown:
        return ReviewBeside(shown, target, started.run_id, screen, serve=serve)

    try:
        last = watch(target, follower, screen, around)
    except KeyboardInterrupt:
        _leave(target, started, follower, screen, is_ours=is_ours)
        return INTERRUPTED
    _conclude(target, started, last, screen)
    if out is not None:
        bring_home(target, started.run_id, out, screen)
    return last.exit_code


def _leave(target: Target, started: StartedRun, follower: Follower, screen: Screen, *, is_ours: bool) -> None:
    """Stop a run, or leave it alone, as :func:`see_through` says, and tell which."""
    run_id, at = started.run_id, target.options
    record = read_record(target, run_id)
    waits = record is not None and record.status == "in_review"
    if target.kind == "local" and is_ours and not (waits and target.stays_up):
        _stop(target, started, follower, screen)
        if waits:
            screen.say("What was decided in its review is kept, too: the next run takes it over.")
        return
    if record and waits:
        screen.say(f"Run {run_id} {said_of_review(target, RunState(record, record.status))}")
    screen.say(f"The run goes on. `storycast status {run_id} --follow {at}` shows its progress.")
    screen.say(f"`storycast teardown {run_id} {at}` stops it, and ends all that is billed for it.")


def bring_home(target: Target, run_id: str, out: Path, screen: Screen) -> None:
    """Copy a run's folder and say what was done."""
    copy = copy_run(target.s3, target.bucket, run_id, out, screen)
    same = f", {copy.unchanged} unchanged" if copy.unchanged else ""
    screen.say(f"Copied to {copy.folder}: {copy.copied} files{same}.")
    sheet = copy.folder / "dataset" / "contact_sheet.jpg"
    if sheet.exists():
        screen.say(f"All pictures at a glance: {sheet}")
    for card in sorted(copy.folder.glob("training/**/work-train/adapter/README.md")):
        screen.say(f"An adapter, with how to use it: {card}")
    report = copy.folder / REPORT
    if report.exists():
        screen.say(f"The report: {report}")
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
    if target.kind == "local":
        _await_end(target, started.run_id, screen)
    if record:
        # The dataset of a training that failed is as good as before, and its run is ready.
        is_final = record.status not in _UNFINISHED
        show_run(target, RunState(record, record.status if is_final else "failed"), screen)
    else:
        tell_bill(target, started.run_id, screen)
    where = next((one.stage.label for one in last.stopped), "")
    at = f" at '{where}'" if where else ""
    said = {"TIMED_OUT": "ran out of time", "ABORTED": "was stopped"}.get(last.status, "failed")
    detail = ": ".join(filter(None, [last.error, last.cause]))
    screen.problem(f"The run {said}{at} after {took}." + (f" {detail}" if detail else ""))
    if more := read_on(last.error):
        screen.say(more)


def _settled(target: Target, run_id: str, last: Snapshot) -> Run | None:
    """Return a run's record as it stays.

    After a failure its error and its report are written a moment after the execution has ended.
    """
    deadline = time.monotonic() + RECORD_SECONDS
    while True:
        record = read_record(target, run_id)
        if record is None or last.status == SUCCEEDED or time.monotonic() > deadline:
            return record
        if record.status not in _UNFINISHED and record.error and _is_reported(target, record):
            return record
        time.sleep(0.5)


def _is_reported(target: Target, record: Run) -> bool:
    """Tell whether the report was written after the failure."""
    try:
        head = target.s3.head_object(Bucket=target.bucket, Key=keys.run_file(record.run_id, REPORT))
        ended_at = datetime.fromisoformat(record.ended_at or "")
    except (ClientError, ValueError):
        return False
    # The bucket's times have whole seconds.
    return head["LastModified"] >= ended_at - timedelta(seconds=1)


def _stop(target: Target, started: StartedRun, follower: Follower, screen: Screen) -> None:
    screen.say("Stopping the run ...")
    try:
        target.stepfunctions.stop_execution(
            executionArn=started.execution_arn, error="Interrupted", cause="The user interrupted the command."
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
    if _trains(target, started, follower):
        screen.say("Ending what is billed for it; the embedded AWS stays up for that, as AWS would ...")
        wait_for(target, start(target, started.run_id, "the user interrupted the command"), END_SECONDS)
        _await_end(target, started.run_id, screen)
        tell_bill(target, started.run_id, screen)
    screen.say("Stopped. What it had finished is kept; the same command re-uses it.")


def _trains(target: Target, started: StartedRun, follower: Follower) -> bool:
    """Tell whether an execution has begun what may be billed by the hour."""
    if target.train_arn.replace(":stateMachine:", ":execution:") in started.execution_arn:
        return True
    try:
        stages = follower.snapshot().stages
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        return False
    return any(one.stage.is_nested and one.state not in ("pending", "skipped") for _, _, one in flattened(stages))


def _await_end(target: Target, run_id: str, screen: Screen) -> None:
    """Wait on the embedded AWS until nothing of a run is billed any more: it must not go down before."""
    if wait_until_ended(target, run_id, 0.0):
        screen.say(f"Waiting up to {END_SECONDS:.0f} s until nothing of the run is billed any more ...")
        for line in lines(wait_until_ended(target, run_id, END_SECONDS)):
            screen.warn(f"Has not ended yet, and is ended by the next sweep while the embedded AWS is up. {line}")
