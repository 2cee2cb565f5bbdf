"""EndBilled: stop jobs and end hosting, and tell what is still billed."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from storycast.billing import INTENT_GRACE, Billed
from storycast.errors import DependencyUnavailableError, RequestInvalidError
from storycast.failures import FailureEvent
from storycast.ports import BillingBook, Claims, Customizer, Executions, ModelHost, Notifier, ObjectStore
from storycast.runs import read_run
from storycast.stages.billing_copy import copy_rows
from storycast.stages.trained import record_model
from storycast.teardown import TearDownRequest, scope_of
from storycast.training import read_training_plan, training_claim

PATIENCE = timedelta(hours=6)
"""How long a teardown waits for the services; then people are told, and the sweep goes on trying."""
ABANDONED = timedelta(minutes=30)
"""How long after its ``expires_at`` a row may be *ending* before the sweep takes it up."""


def end_billed(
    request: TearDownRequest | FailureEvent,
    *,
    execution_arn: str,
    started_at: datetime,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    customizer: Customizer,
    host: ModelHost,
    executions: Executions,
    notifier: Notifier,
    now: datetime,
) -> dict[str, Any]:
    """End what is billed within a scope; called again until nothing is left.

    Args:
        request: The scope; or the event of a failure that could not be recorded, which has one.
        execution_arn: The teardown itself.
        started_at: When it began.
        store: The bucket.
        claims: Knows which run an execution is, and who trains what.
        book: What is billed.
        customizer: Stops jobs.
        host: Ends hosting.
        executions: Stops what could make more.
        notifier: Whom to tell.
        now: The time.

    Returns:
        ``status``: ``ended``, ``ending``, or ``overdue``; and ``message``, which names what is still there.

    Raises:
        RequestInvalidError: The scope needs a run or a session that is not named.
    """
    asked = scope_of(request, claims)
    _check(asked)
    rows = [row for row in book.rows() if row.is_open and _is_asked_for(row, asked, now)]
    if asked.scope in {"run", "all"}:
        for arn in _executions(asked, rows, store) - {execution_arn}:
            executions.stop(arn, "TornDown", asked.reason)
    left = []
    for row in rows:
        ending = book.ending(row.name, asked.reason)
        end = _end_job if row.kind == "customization_job" else _end_hosting
        service: Any = customizer if row.kind == "customization_job" else host
        try:
            state = end(ending, service, now)
        except DependencyUnavailableError as error:
            state = str(error)  # one that can't be ended now keeps nobody from ending the others
        if state:
            left.append(f"{row.name} ({state})")
            continue
        book.ended(row.name, now, asked.reason)
        if row.kind == "customization_job":
            _close_training(row, store, claims, customizer)
    for run_id in {row.run_id for row in rows}:
        copy_rows(store, book, run_id)
    if not left:
        return {"status": "ended", "message": f"{len(rows)} ended" if rows else "nothing was billed"}
    message = f"still billed: {', '.join(left)}"
    if now < started_at + PATIENCE:
        return {"status": "ending", "message": message[:1000]}
    notifier.tell(
        "Storycast: hosting still alive",
        f"{message}\n\nIt has not ended for {PATIENCE.total_seconds() / 3600:g} hours. End it in the console of "
        "Amazon Bedrock, or run `storycast teardown --all`. The sweep tries again every 15 minutes.",
    )
    return {"status": "overdue", "message": message[:1000]}


def _check(asked: TearDownRequest) -> None:
    if asked.scope in {"run", "session"} and asked.run_id is None:
        raise RequestInvalidError(f"The scope '{asked.scope}' needs a run_id.")
    if asked.scope == "session" and asked.session_id is None:
        raise RequestInvalidError("The scope 'session' needs a session_id.")


def _is_asked_for(row: Billed, asked: TearDownRequest, now: datetime) -> bool:
    if asked.scope == "all":
        return True
    if asked.scope == "expired":
        return row.expires_at <= now or (row.state == "ending" and row.intended_at + ABANDONED <= now)
    if asked.scope == "none" or row.run_id != asked.run_id:
        return False
    return asked.scope == "run" or row.session_id == asked.session_id


def _executions(asked: TearDownRequest, rows: Sequence[Billed], store: ObjectStore) -> set[str]:
    """Return the executions that could still make something billed; some of them may have ended."""
    arns = {row.execution_arn for row in rows}
    with suppress(KeyError):
        run = read_run(store, asked.run_id or "")
        arns |= {arn for arn in (run.execution_arn, run.training_execution_arn) if arn}
    return arns


def _end_job(row: Billed, customizer: Customizer, now: datetime) -> str:
    """Stop a job; return how it still is, empty where it has ended."""
    job = customizer.get(row.arn) if row.arn else customizer.find(row.name)
    if job is None:
        return _unmade(row, now)
    if job.status == "InProgress":
        customizer.stop(job.arn)
        job = customizer.get(job.arn)
    return "" if job.status in {"Completed", "Failed", "Stopped"} else job.status


def _end_hosting(row: Billed, host: ModelHost, now: datetime) -> str:
    """End a hosting; return how it still is, empty where it is gone."""
    found = host.get(row.arn) if row.arn else host.find(row.name)
    if found is None:
        return "" if row.arn else _unmade(row, now)
    host.delete(found.arn)
    found = host.get(found.arn)
    return found.status if found else ""


def _unmade(row: Billed, now: datetime) -> str:
    """Return that a call which makes it may still be under way; empty after the grace."""
    return "" if now >= row.intended_at + INTENT_GRACE else "may still be made"


def _close_training(row: Billed, store: ObjectStore, claims: Claims, customizer: Customizer) -> None:
    """Write the model down where the job had come to its end, or let the next session train."""
    try:
        plan = read_training_plan(store, row.run_id, row.training_id, row.session_id)
    except RequestInvalidError:
        return
    job = customizer.find(row.name)
    if job is not None and job.status == "Completed":
        record_model(plan, job, store=store)
    else:
        claims.release(training_claim(plan), row.name)
