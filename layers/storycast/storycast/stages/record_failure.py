"""RecordFailure: write down how an execution ended that did not end by itself, and tell people."""

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from storycast.ports import Claims, Notifier, ObjectStore
from storycast.runs import Run, read_run, write_run


class ExecutionEnd(BaseModel):
    """The ``detail`` of a ``Step Functions Execution Status Change`` event."""

    model_config = ConfigDict(frozen=True)

    execution_arn: str = Field(alias="executionArn")
    status: str
    error: str | None = None
    cause: str | None = None


def record_failure(
    end: ExecutionEnd, *, store: ObjectStore, claims: Claims, notifier: Notifier, now: datetime
) -> dict[str, Any]:
    """Record the end of an execution that failed, timed out or was stopped.

    Some failures pass every Catch, so this is started by the status event of the execution itself.

    Args:
        end: How it ended.
        store: The bucket.
        claims: Knows which run the execution is.
        notifier: Whom to tell.
        now: The time.

    Returns:
        The run's id, None where the execution failed before it had a run.
    """
    arn, status = end.execution_arn, end.status
    error = end.error or status
    cause = _cause(end.cause)
    run = _run_of(store, claims, arn)
    if run is not None:
        update = {"status": "failed", "ended_at": now.isoformat(), "error": error, "cause": cause}
        write_run(store, run.model_copy(update=update))
    run_id = run.run_id if run else None
    name = run_id or arn.rsplit(":", 1)[-1]
    notifier.tell(f"Storycast: {name} {status.lower()}", f"{name}: {status}\n{error}\n{cause}")
    return {"run_id": run_id, "status": status}


def _run_of(store: ObjectStore, claims: Claims, execution_arn: str) -> Run | None:
    run_id = claims.run_of(execution_arn)
    if run_id is None:
        return None
    try:
        return read_run(store, run_id)
    except KeyError:
        return None


def _cause(cause: str | None) -> str:
    """Return the message in a cause; a function's cause is JSON with a stack trace that helps nobody here."""
    text = cause or ""
    try:
        return str(json.loads(text)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return text
