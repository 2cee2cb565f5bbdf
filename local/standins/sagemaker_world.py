"""What SageMaker's stand-in has made: training jobs, kept in the state folder over restarts."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from local.standins.bedrock_world import billed_row, now
from local.standins.kept import KeptFile, KeptRecord

JobStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
SecondaryStatus = Literal[
    "Starting",
    "Downloading",
    "Training",
    "Uploading",
    "Stopping",
    "Interrupted",
    "Completed",
    "Failed",
    "Stopped",
    "MaxRuntimeExceeded",
    "MaxWaitTimeExceeded",
]
#: While a job has a machine, which is billed.
_ON_A_MACHINE = {"Downloading", "Training", "Uploading"}
#: How long a job may run that does not say it.
DEFAULT_RUN_S = 24 * 3600
#: Of a second on spot capacity so much is billed here. What AWS takes off differs by type and hour, up to 90 %.
SPOT_SHARE = 0.3


class Transition(KeptRecord):
    """A secondary status, from when to when."""

    status: SecondaryStatus
    began_at: dt.datetime
    ended_at: dt.datetime | None = None
    message: str


class Metric(KeptRecord):
    """The last value of a metric that the log told."""

    value: float
    at: dt.datetime


class TrainingJob(KeptRecord):
    """A training job; ``request`` is as it was asked for."""

    name: str
    arn: str
    request: dict[str, Any]
    tags: dict[str, str]
    created_at: dt.datetime
    changed_at: dt.datetime
    status: JobStatus = "InProgress"
    transitions: list[Transition]
    ended_at: dt.datetime | None = None
    failure: str = ""
    metrics: dict[str, Metric] = Field(default_factory=dict)
    #: What is to be billed, where a test said so.
    asked_billable_s: int | None = None

    @property
    def is_billed(self) -> bool:
        """Whether it runs, or waits to run."""
        return self.status in {"InProgress", "Stopping"}

    @property
    def secondary(self) -> SecondaryStatus:
        """What it does right now."""
        return self.transitions[-1].status

    @property
    def is_spot(self) -> bool:
        """Whether it asks for spot capacity."""
        return bool(self.request.get("EnableManagedSpotTraining"))

    @property
    def work_uri(self) -> str | None:
        """Prefix that its checkpoints are synced with; None where it asks for none."""
        uri = self.request.get("CheckpointConfig", {}).get("S3Uri")
        return None if uri is None else f"{uri.rstrip('/')}/"

    @property
    def output_uri(self) -> str:
        """Prefix of what it gives back beside its checkpoints."""
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output/"

    @property
    def is_packed(self) -> bool:
        """Whether the model comes as an archive, not as files."""
        return bool(self.request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP")

    @property
    def model_uri(self) -> str:
        """Where SageMaker puts what lies in ``/opt/ml/model``."""
        return f"{self.output_uri}model.tar.gz" if self.is_packed else f"{self.output_uri}model/"

    @property
    def started_at(self) -> dt.datetime | None:
        """When it first had a machine."""
        return next((one.began_at for one in self.transitions if one.status in _ON_A_MACHINE), None)

    @property
    def machine_s(self) -> float:
        """How long it has had a machine, in all; while it stops, it still has the one that it had."""
        total, had_one = 0.0, False
        for one in self.transitions:
            had_one = one.status in _ON_A_MACHINE or (one.status == "Stopping" and had_one)
            if had_one:
                total += ((one.ended_at or now()) - one.began_at).total_seconds()
        return total

    @property
    def billable_s(self) -> int:
        """What of it is billed, s."""
        if self.asked_billable_s is not None:
            return self.asked_billable_s
        return max(1, math.ceil(self.machine_s * (SPOT_SHARE if self.is_spot else 1.0)))

    def enter(self, status: SecondaryStatus, message: str) -> None:
        """Go on to the next secondary status."""
        moment = now()
        if self.transitions:
            self.transitions[-1].ended_at = moment
        self.transitions.append(Transition(status=status, began_at=moment, message=message))
        self.changed_at = moment

    def end(self, status: JobStatus, secondary: SecondaryStatus, message: str, failure: str = "") -> None:
        """Note its end."""
        self.enter(secondary, message)
        self.status, self.failure = status, failure
        self.ended_at = self.transitions[-1].ended_at = self.changed_at


class _Kept(KeptRecord):
    jobs: list[TrainingJob] = Field(default_factory=list)

    def job(self, name: str) -> TrainingJob | None:
        """The job of that name."""
        return next((job for job in self.jobs if job.name == name), None)


class SageMakerWorld(KeptFile[_Kept]):
    """All of it; see ``KeptFile``."""

    def __init__(self, folder: Path) -> None:
        """Continue what the folder keeps; a job that ran has failed by now."""
        super().__init__(folder / "sagemaker.json", _Kept, "Training jobs of SageMaker")
        #: Roots and logs of jobs, and the model that they train.
        self.folder = folder / "training"
        for job in self._kept.jobs:
            if job.status == "Stopping":
                job.end("Stopped", "Stopped", "Training job stopped")
            elif job.status == "InProgress":
                failure = "InternalServerError: The local stand-in ended while the job ran. Start it again."
                job.end("Failed", "Failed", "Training job failed", failure)

    def billed(self) -> list[dict[str, str]]:
        """What AWS would bill by time, now or as soon as there is a machine."""
        with self.reading() as kept:
            return [
                billed_row("training_job", job, job.status, job.created_at) for job in kept.jobs if job.is_billed
            ]
