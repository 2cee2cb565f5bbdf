"""Watching an execution of a target on a screen, as often as the place allows."""

from collections.abc import Callable

from cli.following import Counts, Follower, Shown, Snapshot, Work, follow, pause_locally, pause_on_aws
from cli.job_progress import JobsAtWork
from cli.progress import progress_on
from cli.reviews import ReviewProgress, local_time
from cli.screen import Screen
from cli.summary import read_record
from cli.target import Target

PATIENCE_SECONDS = 300.0
"""How long AWS may be out of reach before watching ends; the execution goes on without."""


def follower_of(target: Target, execution_arn: str, run_id: str | None = None) -> Follower:
    """Return what reads an execution; with a run's id also the executions that it waits for."""

    def child_of(state: str) -> str | None:
        # The embedded AWS's history does not tell; the run's record does, as soon as the child has begun.
        record = read_record(target, run_id) if run_id and state == "TrainModel" else None
        return record.training_execution_arn if record else None

    progress = ReviewProgress(target, run_id) if run_id else None

    def people_of(_state: str) -> tuple[Counts, str] | None:
        seen = progress.look() if progress else None
        if seen is None:
            return None
        until = f"until {local_time(seen.deadline)}" if seen.deadline else ""
        return Counts(seen.decided, total=seen.total, what="decided"), until

    jobs = JobsAtWork(target, run_id) if run_id else None

    def work_of(arn: str, state: str) -> Work | None:
        return jobs.look(arn, state) if jobs else None

    return Follower(target.stepfunctions, execution_arn, child_of=child_of, people_of=people_of, work_of=work_of)


def watch(
    target: Target, follower: Follower, screen: Screen, around: Callable[[Shown], Shown] = lambda shown: shown
) -> Snapshot:
    """Show an execution until it ends, and return how it ended.

    Args:
        target: Where it is.
        follower: Of the execution.
        screen: Where to show it.
        around: Makes what sees each snapshot, too, of what shows it.
    """
    is_local = target.kind == "local"
    return follow(
        follower,
        around(progress_on(screen)),
        pause_seconds=pause_locally if is_local else pause_on_aws,
        patience_seconds=0.0 if is_local else PATIENCE_SECONDS,
    )
