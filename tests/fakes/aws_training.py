"""A customization service, hosting, billing book and executions in memory, with a clock of their own.

Nothing moves by itself: a test says when a job ends, when hosting is in service, when a deletion takes effect.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from storycast.billing import Billed
from storycast.errors import BillingClosedError, DependencyUnavailableError
from storycast.ports import CustomizationJob, JobFacts, ThroughputFacts
from storycast.training import JobStatus, ThroughputStatus

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"


@dataclass
class Clock:
    """The time of a test."""

    now: datetime = START

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Hosting:
    """A provisioned throughput; it is there, and billed, until its deletion has taken effect."""

    facts: ThroughputFacts
    being_deleted: bool = False


@dataclass
class FakeBedrock:
    """Jobs, models and hosting of an account."""

    clock: Clock
    list_lag: timedelta = timedelta()
    """How long a new job or hosting is missing from lists."""
    jobs: dict[str, JobFacts] = field(default_factory=dict)
    orders: list[CustomizationJob] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    hostings: dict[str, Hosting] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """What was asked for with effect: operation and name or ARN."""
    paid_twice: list[str] = field(default_factory=list)
    """Jobs that were made while another one of the same training was alive or had left a model."""

    def job(self, name: str) -> JobFacts:
        return next(job for job in self.jobs.values() if job.name == name)

    def hosting(self, name: str) -> ThroughputFacts:
        return next(one.facts for one in self.hostings.values() if one.facts.name == name)

    @property
    def billed(self) -> list[str]:
        """Names of what is billed now."""
        jobs = [job.name for job in self.jobs.values() if job.status in {"InProgress", "Stopping"}]
        return sorted([*jobs, *(one.facts.name for one in self.hostings.values())])

    def made(self, operation: str) -> list[str]:
        return [name for called, name in self.calls if called == operation]

    def end_job(self, name: str, status: JobStatus = "Completed", failure: str = "") -> None:
        """Let a job come to its end; a stopped one ends as stopped."""
        job = self.job(name)
        model_arn = f"{ACCOUNT}:custom-model/{name}" if status == "Completed" else None
        if model_arn:
            self.models.add(model_arn)
        self.jobs[job.arn] = replace(
            job,
            status=status,
            ended_at=self.clock.now,
            failure=failure,
            model_arn=model_arn,
            model_name=name if model_arn else None,
            training_loss=0.25 if model_arn else None,
        )

    def move_hosting(self, name: str, status: ThroughputStatus, failure: str = "") -> None:
        hosting = next(one for one in self.hostings.values() if one.facts.name == name)
        hosting.facts = replace(hosting.facts, status=status, failure=failure)

    def settle(self) -> None:
        """Let stops and deletions take effect, and what is being made come into service."""
        for job in list(self.jobs.values()):
            if job.status == "Stopping":
                self.end_job(job.name, "Stopped")
        for arn, hosting in list(self.hostings.items()):
            if hosting.being_deleted:
                del self.hostings[arn]
            elif hosting.facts.status in {"Creating", "Updating"}:
                hosting.facts = replace(hosting.facts, status="InService")

    def is_listed(self, created_at: datetime) -> bool:
        return self.clock.now >= created_at + self.list_lag


class FakeCustomizer:
    """A :class:`~storycast.ports.Customizer`."""

    def __init__(self, bedrock: FakeBedrock) -> None:
        self._bedrock = bedrock

    def create(self, job: CustomizationJob) -> str:
        arn = f"{ACCOUNT}:model-customization-job/{job.name}"
        if arn in self._bedrock.jobs:
            raise DependencyUnavailableError(f"ConflictException: {job.name} is taken")
        training = job.name.rsplit("-", 1)[0]
        for other in self._bedrock.jobs.values():
            alive = other.status in {"InProgress", "Stopping"} or other.model_arn in self._bedrock.models
            if other.name.rsplit("-", 1)[0] == training and alive:
                self._bedrock.paid_twice.append(job.name)
        self._bedrock.jobs[arn] = JobFacts(job.name, arn, "InProgress", self._bedrock.clock.now)
        self._bedrock.orders.append(job)
        self._bedrock.calls.append(("create_job", job.name))
        return arn

    def find(self, name: str) -> JobFacts | None:
        found = (job for job in self._bedrock.jobs.values() if job.name == name)
        return next((job for job in found if self._bedrock.is_listed(job.created_at)), None)

    def get(self, arn: str) -> JobFacts | None:
        return self._bedrock.jobs.get(arn)

    def stop(self, arn: str) -> None:
        job = self._bedrock.jobs.get(arn)
        if job and job.status == "InProgress":
            self._bedrock.jobs[arn] = replace(job, status="Stopping")
            self._bedrock.calls.append(("stop_job", job.name))

    def has_model(self, model_arn: str) -> bool:
        return model_arn in self._bedrock.models

    def delete_model(self, model_arn: str) -> None:
        if any(one.facts.model_arn == model_arn for one in self._bedrock.hostings.values()):
            raise DependencyUnavailableError(f"ConflictException: {model_arn} is hosted")
        if model_arn in self._bedrock.models:
            self._bedrock.models.discard(model_arn)
            self._bedrock.calls.append(("delete_model", model_arn))


class FakeHost:
    """A :class:`~storycast.ports.ModelHost`."""

    def __init__(self, bedrock: FakeBedrock) -> None:
        self._bedrock = bedrock

    def create(self, name: str, model_arn: str, model_units: int, tags: Mapping[str, str]) -> str:
        for arn, one in self._bedrock.hostings.items():
            if one.facts.name == name:
                return arn  # the same clientRequestToken
        number = len(self._bedrock.made("create_hosting")) + 1
        arn = f"{ACCOUNT}:provisioned-model/{number:012d}"
        now = self._bedrock.clock.now
        self._bedrock.hostings[arn] = Hosting(
            ThroughputFacts(name, arn, "Creating", model_arn, model_units, created_at=now)
        )
        self._bedrock.calls.append(("create_hosting", name))
        return arn

    def find(self, name: str) -> ThroughputFacts | None:
        return next((one for one in self.all() if one.name == name), None)

    def get(self, arn: str) -> ThroughputFacts | None:
        hosting = self._bedrock.hostings.get(arn)
        return hosting.facts if hosting else None

    def delete(self, arn: str) -> None:
        hosting = self._bedrock.hostings.get(arn)
        if hosting is None or hosting.being_deleted:
            return
        if hosting.facts.status in {"Creating", "Updating"}:
            raise DependencyUnavailableError(f"ConflictException: {hosting.facts.name} is {hosting.facts.status}")
        hosting.being_deleted = True
        self._bedrock.calls.append(("delete_hosting", hosting.facts.name))

    def all(self) -> Iterator[ThroughputFacts]:
        listed = [one.facts for one in self._bedrock.hostings.values()]
        return iter([one for one in listed if self._bedrock.is_listed(one.created_at)])


class MemoryBook:
    """A :class:`~storycast.ports.BillingBook`; its list of rows may lag behind, as DynamoDB's index does."""

    def __init__(self, clock: Clock, lag: timedelta = timedelta()) -> None:
        self._clock = clock
        self._lag = lag
        self._rows: dict[str, Billed] = {}
        self._written_at: dict[str, datetime] = {}
        self._closed: set[tuple[str, str]] = set()
        self.history: list[tuple[str, str]] = []
        """Each state that a row came to, in order."""

    def intend(self, billed: Billed) -> Billed:
        there = self._rows.get(billed.name)
        if there is None:
            self._written_at[billed.name] = self._clock.now
            self._put(billed)
        elif there.state == "intended":
            self._put(there.model_copy(update={"intended_at": billed.intended_at}))
        if self.is_closed(billed.run_id, billed.session_id):
            self.ending(billed.name, "its session was torn down")
        row = self._rows[billed.name]
        if row.state in {"ending", "ended"}:
            raise BillingClosedError(f"{billed.name} is not made: its teardown has begun.")
        return row

    def created(self, name: str, arn: str, at: datetime) -> None:
        row = self._rows[name]
        state = "live" if row.state == "intended" else row.state
        self._put(row.model_copy(update={"arn": arn, "created_at": row.created_at or at, "state": state}))

    def ending(self, name: str, reason: str) -> Billed:
        row = self._rows[name]
        if row.state in {"intended", "live"}:
            self._put(row.model_copy(update={"state": "ending", "reason": reason}))
        return self._rows[name]

    def ended(self, name: str, at: datetime, reason: str, billable_s: int | None = None) -> None:
        row = self._rows[name]
        if row.is_open:
            update = {
                "state": "ended",
                "ended_at": at,
                "reason": row.reason or reason,
                "billable_s": billable_s,
            }
            self._put(row.model_copy(update=update))

    def row(self, name: str) -> Billed | None:
        return self._rows.get(name)

    def rows(self, run_id: str | None = None) -> list[Billed]:
        seen = [row for name, row in self._rows.items() if self._clock.now >= self._written_at[name] + self._lag]
        wanted = [row for row in seen if run_id in (None, row.run_id)]
        return sorted(wanted, key=lambda row: (row.expires_at, row.name))

    def close(self, run_id: str, session_id: str) -> None:
        self._closed.add((run_id, session_id))

    def is_closed(self, run_id: str, session_id: str) -> bool:
        return (run_id, session_id) in self._closed

    def _put(self, row: Billed) -> None:
        before = self._rows.get(row.name)
        if before is None or before.state != row.state:
            self.history.append((row.name, row.state))
        self._rows[row.name] = row


class FakeExecutions:
    """An :class:`~storycast.ports.Executions` that remembers whom it stopped, and tells the test."""

    def __init__(self, on_stop: Callable[[str], None] = lambda _: None) -> None:
        self.on_stop = on_stop
        self.stopped: list[tuple[str, str, str]] = []

    def stop(self, execution_arn: str, error: str, cause: str) -> None:
        self.stopped.append((execution_arn, error, cause))
        self.on_stop(execution_arn)
