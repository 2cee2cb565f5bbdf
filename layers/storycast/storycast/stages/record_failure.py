"""RecordFailure: write down how an execution ended that did not end by itself, and tell people."""

from datetime import datetime

from storycast.failures import ExecutionEnd, FailureEvent
from storycast.ports import Claims, Notifier, ObjectStore
from storycast.runs import Run, read_run, write_run
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
    error, cause = end.named
    request = scope_of(FailureEvent(detail=end), claims).model_copy(
        update={"reason": f"{end.status}: {error}"[:1000]}
    )
    run = _run_of(store, request.run_id)
    if run is not None and end.execution_arn in {run.execution_arn, run.training_execution_arn}:
        # A training that build_dataset waits for is followed by the failure of that one, which marks the run.
        status = "dataset_ready" if end.is_training and run.status != "failed" else "failed"
        update = {"status": status, "ended_at": now.isoformat(), "error": error, "cause": cause}
        write_run(store, run.model_copy(update=update))
    name = request.run_id or end.execution_arn.rsplit(":", 1)[-1]
    notifier.tell(f"Storycast: {name} {end.status.lower()}", f"{name}: {end.status}\n{error}\n{cause}")
    return request


def _run_of(store: ObjectStore, run_id: str | None) -> Run | None:
    if run_id is None:
        return None
    try:
        return read_run(store, run_id)
    except KeyError:
        return None
