"""Watching an execution of a target on a screen, as often as the place allows."""

from cli.following import Follower, Snapshot, follow, pause_locally, pause_on_aws
from cli.progress import progress_on
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

    return Follower(target.stepfunctions, execution_arn, child_of=child_of)


def watch(target: Target, follower: Follower, screen: Screen) -> Snapshot:
    """Show an execution until it ends, and return how it ended."""
    is_local = target.kind == "local"
    return follow(
        follower,
        progress_on(screen),
        pause_seconds=pause_locally if is_local else pause_on_aws,
        patience_seconds=0.0 if is_local else PATIENCE_SECONDS,
    )
