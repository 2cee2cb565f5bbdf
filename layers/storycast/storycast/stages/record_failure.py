"""RecordFailure: write down how an execution ended that did not end by itself, and tell people."""

from contextlib import suppress
from datetime import datetime

from storycast.errors import MOST_MESSAGE_BYTES
from storycast.failures import ExecutionEnd, FailureEvent
from storycast.payloads import clipped
from storycast.ports import Claims, Notifier, ObjectStore
from storycast.runs import Run, RunStatus, change_run
from storycast.teardown import TearDownRequest, scope_of


def record_failure(
    end: ExecutionEnd, *, store: ObjectStore, claims: Claims, notifier: Notifier, now: datetime
) -> TearDownRequest:
    """Record the end of an execution that failed, timed out or was stopped.

    Some failures pass every Catch, so this is started by the status event of the execution itself. A training that
    failed leaves its dataset as good as it was: such a run is ready again, with the error beside it.

    Args:
        end: How it ended.
        store: The bucket.
        claims: Knows which run the execution is.
        notifier: Whom to tell.
        now: The time.

    Returns:
        What is to be torn down; nothing where the execution failed before it had a run.
    """
    # What a runtime tells may hold half a character, with which the run could not be recorded as failed.
    error, cause = (clipped(words, MOST_MESSAGE_BYTES) for words in end.named)
    request = scope_of(FailureEvent(detail=end), claims).model_copy(
        update={"reason": f"{end.status}: {error}"[:1000]}
    )

    def ended(run: Run) -> Run:
        if not _is_its_newest(end, run):
            return run
        return run.model_copy(
            update={
                "status": _status(end, run),
                "ended_at": now.isoformat(),
                "error": error,
                "cause": cause,
                "failed_execution_arn": end.execution_arn,
            }
        )

    if request.run_id is not None:
        # Without a record, or with a damaged one, people are told all the same.
        with suppress(KeyError, ValueError):
            change_run(store, request.run_id, ended)
    name = request.run_id or end.execution_arn.rsplit(":", 1)[-1]
    notifier.tell(f"Storycast: {name} {end.status.lower()}", f"{name}: {end.status}\n{error}\n{cause}")
    return request


def _is_its_newest(end: ExecutionEnd, run: Run) -> bool:
    """Whether the record is about this execution, and open; a training that came too early leaves a run alone.

    The first word on the end of a run counts: a run that was stopped is not one that failed because its training
    was stopped with it. So does the first on the end of a training.
    """
    if end.is_training:
        is_told = end.execution_arn == run.failed_execution_arn
        is_early = run.status in {"running", "in_review"}
        return end.execution_arn == run.training_execution_arn and not is_early and not is_told
    return end.execution_arn == run.execution_arn and not (run.status == "failed" and run.error)


def _status(end: ExecutionEnd, run: Run) -> RunStatus:
    """Return the run's status; where build_dataset waited for the training, that one's failure follows."""
    if not end.is_training:
        return "failed"
    return "dataset_ready" if run.status == "training" else run.status
