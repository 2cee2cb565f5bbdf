"""What `storycast review` does: find the run that waits, and serve its page until the review is finished."""

import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import ClientError

from cli.problems import DONE, FAILED, INTERRUPTED, InputRefusedError, TargetLostError, is_refused, unwrapped
from cli.reviewers import as_reviewer, name_of, page_of
from cli.reviews import OpenedReview, Progress, ReviewProgress, local_time, open_review
from cli.screen import Screen
from cli.summary import RunState, find_run, newest_records, read_record, reconciled
from cli.target import Target, TargetChoice, opened, refuse_down
from review.serving import PortTakenError
from storycast.errors import BadInputError, DependencyUnavailableError, RequestInvalidError, RetryableError
from storycast.review_desk import Status
from storycast.runs import Run

AGAIN = "Start the run again: nothing is paid twice, and what was decided is taken over."
NEWEST = 100
"""Runs that are looked through for those that wait."""
LOCAL_PAUSE_SECONDS, AWS_PAUSE_SECONDS = 0.5, 3.0
"""Between two looks whether a review is finished: the page knows it before."""
GRACE_SECONDS = 2.0
"""How long the page is still served after the end, so that it can show it."""
PATIENCE_SECONDS = 10.0
"""How long the embedded AWS may not answer before its end is told."""
NEXT_SECONDS = 20.0
"""How long to wait for what the run does next."""


class NotInReviewError(BadInputError):
    """A run does not wait for a review, or no run does."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits, with its review."""

    run: Run
    opened: OpenedReview

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.run.run_id


@contextmanager
def waiting_run(run_id: str | None, choice: TargetChoice, screen: Screen) -> Iterator[tuple[Target, Waiting]]:
    """Find the run that waits for people, on a target that is there.

    Args:
        run_id: The run; the only one that waits where None.
        choice: The target. The embedded AWS is never started for this: a run ends with it.
        screen: Where to list the runs, where several wait.

    Yields:
        The target, and the run.

    Raises:
        TargetUnusableError: The embedded AWS is not up.
        RunNotFoundError: There is no such run.
        NotInReviewError: It does not wait for people; the message says what it does, and what to do.
        NotReviewerError: The credentials may not review.
    """
    refuse_down(choice, f"A run that waits for its review ends with it. {AGAIN}")
    with as_reviewer(), opened(choice, screen) as target:
        run = find_run(target, run_id) if run_id else _only_one(target, screen)
        state = _as_it_is(target, run)
        if state.status != "in_review":
            raise NotInReviewError(_why_not(target, state))
        found = open_review(target, run.run_id)
        status = found.desk.status()
        if status.state != "waiting":
            raise NotInReviewError(status.message)
        if found.review.mode == "a2i":
            screen.say(
                "Amazon A2I's workers look at these pictures, too, and do not overrule what is decided here. Once "
                "it is finished here, the run goes on when they have answered, or when it looks next."
            )
        yield target, Waiting(run, found)


def serve(
    run_id: str | None,
    choice: TargetChoice,
    screen: Screen,
    *,
    who: str | None,
    port: int | None,
    open_it: bool,
) -> int:
    """Serve a review's page to the person at this machine, until somebody finishes the review.

    Args:
        run_id: The run; the only one that waits where None.
        choice: The target.
        screen: Where to tell it.
        who: Under which name they decide; who they are to AWS, or on this machine, where None.
        port: Where to listen; the first free one of the usual ones where None.
        open_it: Whether to open the page in the browser.

    Returns:
        The exit code.
    """
    with waiting_run(run_id, choice, screen) as (target, waiting):
        me = name_of(target, who)
        tell_progress(target, waiting, screen)
        screen.say(f"You decide as {me}.")
        try:
            with page_of(waiting.opened, me, port) as url:
                screen.say(f"The review: {url}", style="bold")
                screen.say("Ctrl-C closes the page, not the review. What was decided is kept.")
                if open_it and not webbrowser.open(url):
                    screen.warn("No browser could be opened; open the address in one.")
                status = _end_of(target, waiting.opened)
                time.sleep(GRACE_SECONDS)
        except PortTakenError as error:
            raise InputRefusedError([str(error)]) from None
        except KeyboardInterrupt:
            screen.say("The page is closed.")
            tell_progress(target, waiting, screen)
            screen.say(f"`storycast review {waiting.run_id} {target.options}` opens it again.")
            return INTERRUPTED
        return tell_end(target, waiting.run_id, status, screen)


def tell_progress(target: Target, waiting: Waiting, screen: Screen) -> None:
    """Say how far a review is."""
    if seen := ReviewProgress(target, waiting.run_id).look():
        screen.say(f"Run {waiting.run_id} of project {waiting.run.project} {seen}.")


def tell_end(target: Target, run_id: str, status: Status, screen: Screen) -> int:
    """Say how a review ended and what the run does next, and return the exit code."""
    if status.state != "finished":
        screen.problem(status.message)
        return FAILED
    screen.say(status.message, style="bold green")
    deadline = time.monotonic() + NEXT_SECONDS
    while (state := _next(target, run_id)) and state.status == "in_review" and time.monotonic() < deadline:
        time.sleep(1.0)
    if state is None:
        return DONE
    error, cause = unwrapped(state.run.error or "", state.run.cause or "")
    if state.status == "failed" and error:
        screen.warn(f"The run ended: {error}: {cause}")
    elif state.status == "in_review":
        screen.say("It has not gone on yet; it looks again by itself in a while.")
    else:
        screen.say(f"The run is {state.status.replace('_', ' ')}.")
    screen.say(f"`storycast status {run_id} --follow {target.options}` shows what it does.")
    return DONE


def _end_of(target: Target, opened_review: OpenedReview) -> Status:
    """Wait until a review takes no more decisions.

    Raises:
        TargetLostError: The embedded AWS is gone.
    """
    pause_s = LOCAL_PAUSE_SECONDS if target.kind == "local" else AWS_PAUSE_SECONDS
    unreached_s = 0.0
    while True:
        try:
            status = opened_review.desk.status()
        except DependencyUnavailableError as error:
            unreached_s += pause_s
            if target.kind == "local" and unreached_s > PATIENCE_SECONDS:
                raise TargetLostError(
                    f"The embedded AWS does not answer any more, and the run has ended with it. {AGAIN}"
                ) from error
        except (RetryableError, ClientError):
            # The page tells it: credentials may have expired, and are good again after the next login.
            unreached_s = 0.0
        else:
            unreached_s = 0.0
            if status.state != "waiting":
                return status
        time.sleep(pause_s)


def _only_one(target: Target, screen: Screen) -> Run:
    records = [run for run in newest_records(target, NEWEST) if run.status == "in_review"]
    looked = [(run, ReviewProgress(target, run.run_id).look()) for run in records]
    waiting = [
        (run, seen)
        for run, seen in looked
        if not (seen and seen.by_workers) and _as_it_is(target, run).status == "in_review"
    ]
    if not waiting:
        raise NotInReviewError(
            f"No run waits for people in {target.place}. `storycast status {target.options}` lists the runs."
        )
    if len(waiting) == 1:
        return waiting[0][0]
    for line in _listed(waiting):
        screen.say(line)
    raise NotInReviewError(f"{len(waiting)} runs wait for people. Name one: `storycast review RUN`.")


def _listed(waiting: list[tuple[Run, Progress | None]]) -> Iterator[str]:
    width = max(len(run.run_id) for run, _ in waiting)
    for run, seen in waiting:
        since = f", since {local_time(seen.since)}" if seen and seen.since else ""
        yield f"{run.run_id:<{width}}  project {run.project}{since}{f', {seen}' if seen else ''}"


def _as_it_is(target: Target, run: Run) -> RunState:
    """Return a run's status as it is now; by its record alone for those who may not look at executions."""
    try:
        return reconciled(target, run)
    except ClientError as error:
        if not is_refused(error):
            raise
        return RunState(run, run.status)


def _next(target: Target, run_id: str) -> RunState | None:
    try:
        record = read_record(target, run_id)
        return _as_it_is(target, record) if record else None
    except ClientError:
        return None


def _why_not(target: Target, state: RunState) -> str:
    """Say what a run does, or did, that does not wait for people."""
    run_id, at = state.run.run_id, target.options
    if state.status == "running":
        return f"Run {run_id} has not come to its review yet. `storycast status {run_id} --follow {at}` shows it."
    error, cause = unwrapped(state.run.error or "", state.run.cause or "")
    if state.status in ("failed", "stopped", "timed out", "lost"):
        told = f": {error}: {cause}" if error else ""
        return f"Run {run_id} has ended ({state.status}{told}) and waits for no review. {AGAIN}"
    try:
        found = open_review(target, run_id)
    except RequestInvalidError:
        return f"Run {run_id} is {state.status.replace('_', ' ')} and had no review."
    if found.review.mode == "auto":
        return f"Run {run_id} was approved by itself (review.mode: auto) and waits for nobody."
    return f"Run {run_id} waits for no review any more. {found.desk.status().message}"
