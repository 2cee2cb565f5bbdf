"""EndBilled: stop jobs and models, end hosting, and tell what is still billed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from storycast import keys, names
from storycast.billing import INTENT_GRACE, TARGETS, Billed
from storycast.detector_leases import DetectorLeases, end_detectors
from storycast.errors import RequestInvalidError, RetryableError
from storycast.failures import FailureEvent
from storycast.ports import BillingBook, Claims, Executions, JobFacts, Notifier, ObjectStore
from storycast.renderers import Renderer
from storycast.runs import read_run
from storycast.stages.billing_copy import copy_rows
from storycast.stages.reading import read_record
from storycast.stages.trained import close_training
from storycast.teardown import TearDownRequest, scope_of
from storycast.trainers import Trainer
from storycast.training import Target, TrainedModel, TrainingPlan, read_training_plan

PATIENCE = timedelta(hours=6)
"""How long a teardown waits for the services; then people are told, and the sweep goes on trying."""
ABANDONED = timedelta(minutes=30)
"""How long after its intent a row may be *ending* before the sweep takes it up: an earlier teardown left it so."""


def end_billed(
    request: TearDownRequest | FailureEvent,
    *,
    execution_arn: str,
    started_at: datetime,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    trainer_of: Callable[[Target], Trainer],
    renderer_of: Callable[[Target], Renderer],
    detectors: DetectorLeases,
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
        trainer_of: Returns what stops the training jobs of a target.
        renderer_of: Returns what ends hosting, or drawing jobs, of a target.
        detectors: Stops Custom Labels models that nobody needs any more.
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
    makers = _makers(asked, book, store, detectors)
    # Before the rows are read: who writes one after that learns that its session is closed.
    for run_id, session_id in sorted(makers):
        book.close(run_id, session_id)
    if asked.scope in {"run", "all"}:
        for arn in sorted(_executions(asked, makers, store) - {execution_arn}):
            executions.stop(arn, "TornDown", asked.reason)
    rows = [
        row for row in book.rows() if row.kind in TARGETS and row.is_open and _is_asked_for(row, asked, book, now)
    ]

    def end(row: Billed) -> str:
        ending = book.ending(row.name, asked.reason)
        target = TARGETS[row.kind]
        if row.is_training:
            return _end_job(ending, store, claims, book, trainer_of(target), now)
        return _end_drawing(ending, store, book, renderer_of(target), now)

    # Runs share a model, so that a run's end is not its end.
    left = end_detectors(asked, detectors, store) | _ended_each(rows, end)
    for run_id in sorted({row.run_id for row in rows} | detectors.touched):
        copy_rows(store, book, run_id)
    ended = len(rows) + len(detectors.ended)
    if not left:
        return {"status": "ended", "message": f"{ended} ended" if ended else "nothing was billed"}
    message = f"still billed: {', '.join(f'{name} ({state})' for name, state in left.items())}"[:1000]
    if now < started_at + PATIENCE:
        return {"status": "ending", "message": message}
    _tell_overdue(left, claims, notifier, now)
    return {"status": "overdue", "message": message}


def _ended_each(rows: Sequence[Billed], end: Callable[[Billed], str]) -> dict[str, str]:
    """End each row and return how those still are that have not ended.

    Raises:
        Exception: What kept one from being ended; it keeps nobody from ending the others and is raised after them.
    """
    left: dict[str, str] = {}
    faults: list[Exception] = []
    for row in rows:
        try:
            left[row.name] = end(row)
        except RetryableError as error:
            left[row.name] = str(error)
        except Exception as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return {name: state for name, state in left.items() if state}


def _tell_overdue(left: Mapping[str, str], claims: Claims, notifier: Notifier, now: datetime) -> None:
    """Tell people once a day of each that would not end; the sweep's own teardowns find the same ones."""
    me = now.isoformat()
    news = [name for name in left if claims.claim(f"alive#{name}#{now:%Y-%m-%d}", me, {}) == me]
    if not news:
        return
    notifier.tell(
        "Storycast: still billed",
        f"still billed: {', '.join(f'{name} ({left[name]})' for name in news)}\n\n"
        f"It has not ended for {PATIENCE.total_seconds() / 3600:g} hours. End it in the console of Amazon "
        "Bedrock, SageMaker AI or Rekognition, or run `storycast teardown --all`. The sweep tries again every "
        "15 minutes.",
    )


def _check(asked: TearDownRequest) -> None:
    if asked.scope in {"run", "session"} and asked.run_id is None:
        raise RequestInvalidError(f"The scope '{asked.scope}' needs a run_id.")
    if asked.scope == "session" and asked.session_id is None:
        raise RequestInvalidError("The scope 'session' needs a session_id.")


def _is_asked_for(row: Billed, asked: TearDownRequest, book: BillingBook, now: datetime) -> bool:
    if asked.scope == "all":
        return True
    if asked.scope == "expired":
        if row.state == "ending":
            return row.expires_at <= now or row.intended_at + ABANDONED <= now
        # Of a closed session: its teardown did not see the row, which was too new for the index.
        return row.expires_at <= now or book.is_closed(row.run_id, row.session_id)
    if asked.scope == "none" or row.run_id != asked.run_id:
        return False
    return asked.scope == "run" or row.session_id == asked.session_id


def _makers(
    asked: TearDownRequest, book: BillingBook, store: ObjectStore, detectors: DetectorLeases
) -> dict[tuple[str, str], str]:
    """Return the sessions that must make nothing any more, by run and session, and each one's execution.

    A run's are those that have planned something, whatever became of them: a function of an execution that was
    stopped may still be at work, and its row be yet to come.
    """
    if asked.scope == "session":
        return {(asked.run_id or "", asked.session_id or ""): ""}
    if asked.scope == "all":
        leases = {(lease.run_id, lease.session_id): lease.execution_arn for lease in detectors.held()}
        return leases | {(row.run_id, row.session_id): row.execution_arn for row in book.rows() if row.is_open}
    if asked.scope != "run":
        return {}
    run_id = asked.run_id or ""
    makers = {(row.run_id, row.session_id): row.execution_arn for row in book.rows(run_id)}
    for stored in store.list(keys.run_file(run_id, "training/")):
        if stored.key.endswith("/plan.json"):
            plan = read_record(store, stored.key, TrainingPlan)
            makers[run_id, stored.key.split("/")[-2]] = plan.execution_arn if plan else ""
    with suppress(KeyError, ValueError):
        # What the run itself starts, such as a Custom Labels model, belongs to its own execution.
        execution_arn = read_run(store, run_id).execution_arn
        makers[run_id, names.session_id(execution_arn)] = execution_arn
    return makers


def _executions(asked: TearDownRequest, makers: Mapping[tuple[str, str], str], store: ObjectStore) -> set[str]:
    """Return the executions that could still make something billed; most of them have ended."""
    arns = set(makers.values())
    with suppress(KeyError, ValueError):
        run = read_run(store, asked.run_id or "")
        arns |= {run.execution_arn, run.training_execution_arn or ""}
    return arns - {""}


def _end_job(
    row: Billed, store: ObjectStore, claims: Claims, book: BillingBook, trainer: Trainer, now: datetime
) -> str:
    """Stop a job; return how it still is, empty where it has ended."""
    job = trainer.find(row)
    if job is None and row.arn is None and _may_be_made(row, now):
        return "may still be made"
    if job is not None and row.arn is None:
        book.created(row.name, job.arn, job.created_at)
        row = row.model_copy(update={"arn": job.arn})
    if job is not None and not job.has_ended and job.status != "Stopping":
        trainer.stop(job)
        job = trainer.find(row)
    if job is not None and not job.has_ended:
        return job.status
    _close_training(row, job, store, claims, trainer)
    # Last: a row that has ended says that nothing of its job is left to be done.
    ended_at, billable_s = (job.ended_at, job.billable_s) if job else (None, None)
    book.ended(row.name, ended_at or now, row.reason, billable_s)
    return ""


def _end_drawing(row: Billed, store: ObjectStore, book: BillingBook, renderer: Renderer, now: datetime) -> str:
    """End what draws; return how it still is, empty where it is gone or has ended."""
    found = renderer.find(row)
    if found is None and row.arn is None and _may_be_made(row, now):
        return "may still be made"
    if found is not None and row.arn is None:
        book.created(row.name, found.arn, found.created_at)
        row = row.model_copy(update={"arn": found.arn})
    if found is not None and found.ended_at is None:
        renderer.end(found)
        found = renderer.find(row)
    if found is not None and found.ended_at is None:
        return found.status
    if found is not None:
        _keep_panels(row, store, renderer)
    ended_at, billable_s = (found.ended_at, found.billable_s) if found else (None, None)
    book.ended(row.name, ended_at or now, row.reason, billable_s)
    return ""


def _may_be_made(row: Billed, now: datetime) -> bool:
    """Whether a call that makes it may still be under way."""
    return now < row.intended_at + INTENT_GRACE


def _close_training(
    row: Billed, job: JobFacts | None, store: ObjectStore, claims: Claims, trainer: Trainer
) -> None:
    """Write the model down where the job had come to its end, or let the next session train."""
    try:
        plan = read_training_plan(store, row.run_id, row.training_id, row.session_id)
    except (RequestInvalidError, ValueError):
        return
    close_training(plan, row.name, job, store=store, claims=claims, trainer=trainer)


def _keep_panels(row: Billed, store: ObjectStore, renderer: Renderer) -> None:
    """Write down what a drawing job drew before it ended."""
    with suppress(RequestInvalidError, ValueError):
        plan = read_training_plan(store, row.run_id, row.training_id, row.session_id)
        model = read_record(store, keys.trained_model(plan.project, plan.fingerprint), TrainedModel)
        renderer.keep(plan, model.model_arn if model else "")
