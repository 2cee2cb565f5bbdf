"""SageMaker's training jobs in memory; like all services here nothing moves by itself.

A job that completes leaves what the trainer leaves: an adapter, a table of losses, panels. What to do it reads in
the bucket, as the real one does: ``job.json``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from storycast.errors import DependencyUnavailableError, TrainingAccessError
from storycast.ports import ContainerJob, JobFacts
from storycast.training import JobStatus
from tests.fakes.aws_training import Clock
from tests.fakes.store import MemoryStore

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job"
PNG = b"\x89PNG\r\n\x1a\n picture IEND\xaeB`\x82"
STAND_IN = "local stand-in: random weights"
METRICS = b"step_number,epoch_number,training_loss,held_out_loss,learning_rate,pictures_per_second\n"


@dataclass
class FakeSageMaker:
    """Jobs of an account. A name serves once, for ever."""

    clock: Clock
    store: MemoryStore
    jobs: dict[str, JobFacts] = field(default_factory=dict)
    orders: dict[str, ContainerJob] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """What was asked for with effect: operation and name."""
    paid_twice: list[str] = field(default_factory=list)
    """Trainings that were begun while another one of the same was alive or had left a model."""
    used_names: set[str] = field(default_factory=set)
    limit: int = 100
    """Jobs at once that the account's quota allows."""

    @property
    def billed(self) -> list[str]:
        """Names of what is billed now."""
        return sorted(name for name, job in self.jobs.items() if not job.has_ended)

    def made(self, operation: str) -> list[str]:
        return [name for called, name in self.calls if called == operation]

    def told(self, name: str) -> dict[str, Any]:
        """Return what a job was told: its ``job.json``."""
        job: dict[str, Any] = json.loads(self.store.get(f"{self._key(self.orders[name].prefixes['job'])}job.json"))
        return job

    def work(self, name: str) -> str:
        """Return the prefix of a job's work folder."""
        return self._key(self.orders[name].work_uri)

    def move(self, name: str, secondary: str, status: JobStatus = "InProgress") -> None:
        self.jobs[name] = replace(self.jobs[name], secondary=secondary, status=status)

    def end(
        self,
        name: str,
        status: JobStatus = "Completed",
        *,
        secondary: str = "",
        failure: str = "",
        drawn: int | None = None,
        refuse: str = "",
        billable_s: int | None = 600,
    ) -> None:
        """Let a job come to its end.

        Args:
            name: The job.
            status: How it ends.
            secondary: Its secondary status; the same where there is none.
            failure: Its FailureReason.
            drawn: Of a drawing, how many panels it has drawn; all where None and it is Completed.
            refuse: Why the first panel is refused; empty where it is not.
            billable_s: Seconds that are billed.
        """
        self.jobs[name] = replace(
            self.jobs[name],
            status=status,
            secondary=secondary or status,
            ended_at=self.clock.now,
            failure=failure,
            billable_s=billable_s,
        )
        told = self.told(name)
        if told["task"] == "train" and status == "Completed":
            self._leave_adapter(name, told)
        if told["task"] == "draw":
            count = len(told["panels"]) if status == "Completed" and drawn is None else drawn or 0
            self._leave_panels(name, told["panels"][:count], refuse)

    def settle(self) -> None:
        """Let stops take effect."""
        for name, job in list(self.jobs.items()):
            if job.status == "Stopping":
                self.end(name, "Stopped")

    def _leave_adapter(self, name: str, told: dict[str, Any]) -> None:
        work = self.work(name)
        adapter = {"characters": told["characters"], "stand_in": STAND_IN}
        self.store.put(f"{work}adapter/adapter.json", json.dumps(adapter).encode(), "application/json")
        self.store.put(f"{work}adapter/pytorch_lora_weights.safetensors", b"weights", "x")
        self.store.put(f"{work}state-000100/complete.json", b"{}", "application/json")
        self.store.put(f"{work}metrics.csv", METRICS + b"1,0,0.9,0.8,1e-4,1\n100,9,0.2,0.3,1e-4,1\n", "text/csv")

    def _leave_panels(self, name: str, panels: list[dict[str, Any]], refuse: str) -> None:
        folder = f"{self.work(name)}panels/"
        for number, panel in enumerate(panels):
            mark, refused = panel["fingerprint"], refuse if number == 0 else ""
            names = [f"{mark}-{picture}.png" for picture in range(0 if refused else panel["image_count"])]
            for picture in names:
                self.store.put(f"{folder}{picture}", PNG, "image/png")
            record = {"fingerprint": mark, "pictures": names, "refused": refused, "stand_in": STAND_IN}
            self.store.put(f"{folder}{mark}.json", json.dumps(record).encode(), "application/json")

    def _key(self, uri: str) -> str:
        return uri.removeprefix(f"s3://{self.store.bucket}/")


class FakeJobs:
    """A :class:`~storycast.ports.ContainerJobs`."""

    def __init__(self, sagemaker: FakeSageMaker) -> None:
        self._sagemaker = sagemaker

    def create(self, job: ContainerJob) -> str:
        sagemaker = self._sagemaker
        if job.name in sagemaker.used_names:
            raise DependencyUnavailableError(f"ResourceInUse: {job.name}")
        if len(sagemaker.billed) >= sagemaker.limit:
            raise TrainingAccessError("ResourceLimitExceeded")
        training = job.name.rsplit("-", 1)[0]
        for other in sagemaker.jobs.values():
            alive = not other.has_ended or other.status == "Completed"
            if job.arguments == ("train",) and other.name.rsplit("-", 1)[0] == training and alive:
                sagemaker.paid_twice.append(job.name)
        sagemaker.orders[job.name] = job
        sagemaker.used_names.add(job.name)
        sagemaker.jobs[job.name] = JobFacts(
            name=job.name,
            arn=f"{ARN}/{job.name}",
            status="InProgress",
            created_at=sagemaker.clock.now,
            secondary="Starting",
            uses_spot=job.max_wait_s is not None,
        )
        sagemaker.calls.append(("create", job.name))
        return f"{ARN}/{job.name}"

    def find(self, name: str) -> JobFacts | None:
        return self._sagemaker.jobs.get(name)

    def stop(self, name: str) -> None:
        job = self._sagemaker.jobs.get(name)
        if job and job.status == "InProgress":
            self._sagemaker.move(name, "Stopping", "Stopping")
            self._sagemaker.calls.append(("stop", name))

    def under_way(self) -> Iterator[JobFacts]:
        return iter([job for job in self._sagemaker.jobs.values() if job.status == "InProgress"])
