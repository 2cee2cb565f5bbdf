"""Who runs a Custom Labels model: it is started for the first run that needs it, and stopped after the last."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from storycast import names
from storycast.billing import Billed
from storycast.custom_labels import (
    BILLED,
    START_DEADLINE,
    CustomLabelModels,
    Lease,
    LeaseBook,
    LeaseChangedError,
    ModelLeases,
    VersionFacts,
    billed_name,
    why_unusable,
)
from storycast.errors import (
    BillingClosedError,
    DetectorFailedError,
    RequestInvalidError,
    RetryableError,
    ThrottledError,
)
from storycast.plan import RunPlan, read_plan
from storycast.ports import BillingBook, ObjectStore
from storycast.teardown import TearDownRequest

CHANGE_ATTEMPTS = 10
"""How often a change is tried before the state machine shall wait; each of them failed since another succeeded."""


class DetectorLeases:
    """One function's way to a model: the row of its leases, the billing book and the service."""

    def __init__(self, leases: LeaseBook, book: BillingBook, models: CustomLabelModels, *, now: datetime) -> None:
        """Take the ports, and the time."""
        self._leases, self._book, self._models, self._now = leases, book, models, now
        self.touched: set[str] = set()
        """Runs whose rows in the billing book were changed."""
        self.ended: list[str] = []
        """Names of starts that are billed no longer, as of now."""

    def busy(self) -> list[str]:
        """Return the ARNs of the models that somebody needs, or that are being stopped."""
        return list(self._leases.busy())

    def held(self) -> list[Lease]:
        """Return all leases there are."""
        return [lease for arn in self._leases.busy() for lease in self._leases.get(arn).leases]

    def start(self, plan: RunPlan, execution_arn: str) -> dict[str, Any]:
        """Have a run's model running; called again until it is.

        Args:
            plan: The run's plan, which names a model.
            execution_arn: The run's execution.

        Returns:
            ``status``: ``ready``, ``waiting``, ``failed`` or ``overdue``; and ``message``. After the last two the
            run has no lease any more.

        Raises:
            BillingClosedError: The run's teardown has begun.
        """
        detection, run_id = plan.settings.detection, plan.run_id
        arn, session_id = detection.custom_labels_model or "", names.session_id(execution_arn)
        lease = Lease(
            run_id=run_id,
            session_id=session_id,
            execution_arn=execution_arn,
            acquired_at=self._now,
            expires_at=self._now + timedelta(hours=detection.custom_labels_hours),
        )
        row = self._change(arn, lambda row: row.acquired(lease))
        # After the lease: a teardown closes the session and looks for leases then, so one of us sees the other.
        if self._book.is_closed(run_id, session_id):
            self.release(arn, run_id, "its run was torn down")
            raise BillingClosedError(f"{run_id} starts no model: its teardown has begun.")
        if row.state == "stopping":
            row = self._settle(row, "nobody needed it any more")
        if row.state == "stopping":
            return self._waits(row, run_id, "it is still being stopped after another run")
        return self._started(row, run_id, execution_arn, detection.custom_labels_units)

    def release(self, arn: str, run_id: str, reason: str) -> str:
        """Take a run's lease back, and stop the model where nobody else has one.

        Returns:
            How the model still is while it is being stopped; empty where it has stopped, or others need it.
        """
        row = self._change(arn, lambda row: row.released(run_id))
        return self._left(row, reason)

    def expire(self, arn: str, reason: str, *, everybody: bool = False) -> str:
        """Take back what has outlived its time, and what a teardown overlooked; see :meth:`release`.

        Args:
            arn: The model.
            reason: Why.
            everybody: Take back all leases there are.
        """

        def over(row: ModelLeases) -> ModelLeases:
            return row.without(
                tuple(
                    lease
                    for lease in row.leases
                    if everybody
                    or lease.expires_at <= self._now
                    or self._book.is_closed(lease.run_id, lease.session_id)
                )
            )

        return self._left(self._change(arn, over), reason)

    def _left(self, row: ModelLeases, reason: str) -> str:
        if row.state != "stopping":
            return ""
        row = self._settle(row, reason)
        if row.state != "stopping":
            return ""
        facts = self._models.get(row.arn)
        return facts.status if facts else "may still be started"

    def _started(self, row: ModelLeases, run_id: str, execution_arn: str, units: int) -> dict[str, Any]:
        facts = self._models.get(row.arn)
        if problem := self._problem(row, facts):
            return self._fails(row, run_id, problem)
        status = facts.status if facts else ""
        if status in BILLED:
            row = self._noted(row)
        if status == "RUNNING":
            return {"status": "ready", "message": f"{row.arn} runs"}
        if status in BILLED or row.confirmed:
            return self._waits(row, run_id, f"it is {status}")
        if row.may_be_starting(self._now) and row.starter != run_id:
            return self._waits(row, run_id, f"the run {row.starter} starts it")
        return self._start(row, run_id, execution_arn, units)

    def _problem(self, row: ModelLeases, facts: VersionFacts | None) -> str:
        """Return why no waiting makes the model run; empty where it may."""
        problem = why_unusable(row.arn, facts)
        if problem or facts is None:
            return problem
        if not row.confirmed or facts.status in BILLED or row.may_be_stale(self._now):
            return ""
        if facts.status == "FAILED":
            return f"{row.arn} did not start: {facts.message or 'the service does not say why'}"
        return f"{row.arn} is {facts.status}: somebody stopped it while runs needed it"

    def _start(self, row: ModelLeases, run_id: str, execution_arn: str, units: int) -> dict[str, Any]:
        """Start the model: first the intent in its row, then the row in the billing book, then the call."""
        before = row
        try:
            row = self._leases.put(row.intended(run_id, self._now))
        except LeaseChangedError:
            return self._waits(self._leases.get(row.arn), run_id, "another run starts it")
        if before.intended_at is not None:
            self._end_row(before, "it did not start")
        name = billed_name(row.arn, row.generation)
        try:
            self._book.intend(self._billed(row, run_id, execution_arn, units))
            self._models.start(row.arn, units)
        except BillingClosedError as error:
            # No call was made, so that no status can be of one.
            self._came_back(row, seen=True)
            self.release(row.arn, run_id, str(error))
            raise
        except DetectorFailedError as error:
            return self._fails(self._came_back(row, seen=True), run_id, str(error))
        self._book.created(name, row.arn, self._now)
        self.touched.add(run_id)
        facts = self._models.get(row.arn)
        row = self._came_back(row, seen=facts is not None and facts.status in BILLED)
        return self._waits(row, run_id, "it is being started")

    def _came_back(self, row: ModelLeases, *, seen: bool) -> ModelLeases:
        generation = row.generation
        return self._change(row.arn, lambda there: there.came_back(generation, seen=seen))

    def _billed(self, row: ModelLeases, run_id: str, execution_arn: str, units: int) -> Billed:
        return Billed(
            name=billed_name(row.arn, row.generation),
            kind="custom_labels_model",
            run_id=run_id,
            session_id=names.session_id(execution_arn),
            execution_arn=execution_arn,
            state="intended",
            intended_at=self._now,
            expires_at=max((lease.expires_at for lease in row.leases), default=self._now),
            model_units=units,
            arn=row.arn,
        )

    def _end_row(self, row: ModelLeases, reason: str) -> None:
        """Note in the billing book that a start is billed no longer."""
        name = billed_name(row.arn, row.generation)
        there = self._book.row(name)
        if there is not None and there.is_open:
            self._book.ending(name, reason)
            self._book.ended(name, self._now, reason)
            self.touched.add(there.run_id)
            self.ended.append(name)

    def _noted(self, row: ModelLeases) -> ModelLeases:
        """Note that the service tells of a start, also of one whose call never came back."""
        if row.intended_at is None or row.seen:
            return row
        name = billed_name(row.arn, row.generation)
        if self._book.row(name) is not None:
            self._book.created(name, row.arn, row.intended_at)
        return self._came_back(row, seen=True)

    def _waits(self, row: ModelLeases, run_id: str, why: str) -> dict[str, Any]:
        lease = row.lease_of(run_id)
        if lease is None:
            raise BillingClosedError(f"{run_id} waits for no model any more: its lease was taken back.")
        if self._now < lease.acquired_at + START_DEADLINE:
            return {"status": "waiting", "message": f"{row.arn}: {why}"}
        message = f"{row.arn} did not run within {START_DEADLINE.total_seconds() / 3600:g} hours: {why}"
        self.release(row.arn, run_id, message)
        return {"status": "overdue", "message": message[:1000]}

    def _fails(self, row: ModelLeases, run_id: str, message: str) -> dict[str, Any]:
        self.release(row.arn, run_id, message)
        return {"status": "failed", "message": message[:1000]}

    def _settle(self, row: ModelLeases, reason: str) -> ModelLeases:
        """Go on with stopping a model, and return its row."""
        name = billed_name(row.arn, row.generation)
        there = self._book.row(name)
        if there is not None and there.is_open:
            self._book.ending(name, reason)
            self.touched.add(there.run_id)
        facts = self._models.get(row.arn)
        if facts is not None and facts.status == "RUNNING":
            self._models.stop(row.arn)
            facts = self._models.get(row.arn)
        if facts is not None and facts.status in BILLED:
            return self._noted(row)
        if facts is not None and row.may_be_stale(self._now):
            return row
        # First the book: a row that is idle says that nothing of its start is left to be done.
        self._end_row(row, reason)
        generation = row.generation
        return self._change(row.arn, lambda there: there.stopped() if there.generation == generation else there)

    def _change(self, arn: str, change: Callable[[ModelLeases], ModelLeases]) -> ModelLeases:
        for _ in range(CHANGE_ATTEMPTS):
            there = self._leases.get(arn)
            wanted = change(there)
            if wanted == there:
                return there
            try:
                return self._leases.put(wanted)
            except LeaseChangedError:
                continue
        raise ThrottledError(f"the leases of {arn} are written by too many at once: try again")


def end_detectors(asked: TearDownRequest, leases: DetectorLeases, store: ObjectStore) -> dict[str, str]:
    """End what a teardown asks for, of all models that its scope has.

    Args:
        asked: The scope. A training session has no model.
        leases: The way to the models.
        store: The bucket, where the plan of a run is.

    Returns:
        How those models still are that are being stopped.
    """
    if asked.scope not in {"run", "all", "expired"}:
        return {}
    left = {}
    for arn in sorted({*leases.busy(), *_model_of(asked.run_id, store)}):
        try:
            if asked.scope == "run":
                left[arn] = leases.release(arn, asked.run_id or "", asked.reason)
            else:
                left[arn] = leases.expire(arn, asked.reason, everybody=asked.scope == "all")
        except RetryableError as error:
            left[arn] = str(error)
    return {arn: state for arn, state in left.items() if state}


def _model_of(run_id: str | None, store: ObjectStore) -> list[str]:
    """Return the model that a run asks for: its row may be too new for the index."""
    with suppress(RequestInvalidError, ValueError):
        arn = read_plan(store, run_id).settings.detection.custom_labels_model if run_id else None
        return [arn] if arn else []
    return []
