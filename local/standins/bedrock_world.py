"""What the Bedrock stand-in has made: jobs, custom models and hosting, kept in the state folder over restarts."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from local.standins.kept import KeptFile, KeptRecord

ACCOUNT = "000000000000"
#: How long things take here at least, in seconds, unless an outcome says otherwise.
JOB_SECONDS = float(os.environ.get("STORYCAST_STANDIN_JOB_SECONDS", "1.0"))
HOSTING_SECONDS = float(os.environ.get("STORYCAST_STANDIN_HOSTING_SECONDS", "1.0"))
#: Of hosting that is deleted or updated, and of a job that is stopped.
DELETION_SECONDS = float(os.environ.get("STORYCAST_STANDIN_DELETION_SECONDS", "0.5"))

JobStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
Step = Literal["validation", "dataProcessing", "training"]
STEPS: tuple[Step, ...] = ("validation", "dataProcessing", "training")


class Job(KeptRecord):
    """A model customization job."""

    arn: str
    name: str
    token: str | None
    model_name: str
    role_arn: str
    base_model: str
    region: str
    manifest_uri: str
    output_uri: str
    values: dict[str, str]
    tags: dict[str, str]
    model_tags: dict[str, str]
    created_at: dt.datetime
    #: How long it takes at least.
    seconds: float
    #: What it is to fail with, where a test said so.
    doomed: str
    status: JobStatus = "InProgress"
    #: When each step began.
    began: dict[Step, dt.datetime]
    changed_at: dt.datetime
    ended_at: dt.datetime | None = None
    failure: str = ""
    loss: float | None = None
    model_arn: str | None = None

    @property
    def is_billed(self) -> bool:
        """Whether it runs."""
        return self.status in {"InProgress", "Stopping"}

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]

    def end(self, status: JobStatus, failure: str = "") -> None:
        """Note its end."""
        self.status, self.failure = status, failure
        self.ended_at = self.changed_at = now()


class CustomModel(KeptRecord):
    """A model that came of a job; its pictures are what panels are composed of."""

    arn: str
    name: str
    job_arn: str
    base_model: str
    tags: dict[str, str]
    created_at: dt.datetime
    #: Where the pictures are, below the state folder.
    folder: str
    #: File names and captions.
    pictures: list[tuple[str, str]]


class Hosting(KeptRecord):
    """Provisioned throughput."""

    arn: str
    name: str
    token: str | None
    model_arn: str
    #: What is hosted while ``model_arn`` is on its way.
    model_arn_before: str
    model_units: int
    tags: dict[str, str]
    created_at: dt.datetime
    changed_at: dt.datetime
    #: How long it is ``Creating``.
    seconds: float
    doomed: str
    deletion_seconds: float
    deleted_at: dt.datetime | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the service would no longer know it."""
        return self.deleted_at is not None and age_s(self.deleted_at) >= self.deletion_seconds

    @property
    def status(self) -> str:
        """``Creating``, ``InService``, ``Updating`` or ``Failed``."""
        if age_s(self.created_at) < self.seconds:
            return "Creating"
        if self.doomed:
            return "Failed"
        is_new = self.model_arn == self.model_arn_before or age_s(self.changed_at) >= DELETION_SECONDS
        return "InService" if is_new else "Updating"

    @property
    def current_model_arn(self) -> str:
        """What it hosts right now."""
        return self.model_arn_before if self.status == "Updating" else self.model_arn

    @property
    def is_billed(self) -> bool:
        """Whether AWS would bill it; hosting that failed is not billed."""
        return self.status != "Failed"


class _Billable(Protocol):
    name: str
    arn: str


class _Kept(KeptRecord):
    jobs: list[Job] = Field(default_factory=list)
    models: list[CustomModel] = Field(default_factory=list)
    hostings: list[Hosting] = Field(default_factory=list)

    def tagged(self, arn: str) -> Job | CustomModel | Hosting | None:
        """What has that ARN; None if nothing has."""
        everything: list[Job | CustomModel | Hosting] = [*self.jobs, *self.models, *self.hostings]
        return next((one for one in everything if one.arn == arn), None)


class BedrockWorld(KeptFile[_Kept]):
    """All of it; see ``KeptFile``."""

    def __init__(self, folder: Path) -> None:
        """Continue what the folder keeps; a job that ran has failed by now."""
        super().__init__(folder / "bedrock.json", _Kept, "Custom models and hosting")
        self.folder = folder
        for job in self._kept.jobs:
            if job.status == "Stopping":
                job.end("Stopped")
            elif job.status == "InProgress":
                job.end("Failed", "The local stand-in ended while the job ran. Start the training again.")

    @contextmanager
    def reading(self) -> Iterator[_Kept]:
        """Give what is there, alone; ended hosting is forgotten first."""
        with super().reading() as kept:
            kept.hostings = [hosting for hosting in kept.hostings if not hosting.is_gone]
            yield kept

    def pictures_folder(self, model: CustomModel) -> Path:
        """Where a model's pictures are."""
        return self.folder / model.folder

    def forget_pictures(self, folder: str) -> None:
        """Remove the pictures of a model that is no more, or of a job that made none."""
        shutil.rmtree(self.folder / folder, ignore_errors=True)

    def billed(self) -> list[dict[str, str]]:
        """What AWS would bill by time right now."""
        with self.reading() as kept:
            jobs = [
                billed_row("customization_job", job, job.status, job.created_at)
                for job in kept.jobs
                if job.is_billed
            ]
            hosted = [
                billed_row(
                    "provisioned_throughput", one, "Deleting" if one.deleted_at else one.status, one.created_at
                )
                for one in kept.hostings
                if one.is_billed
            ]
        return jobs + hosted


def billed_row(kind: str, one: _Billable, status: str, since: dt.datetime) -> dict[str, str]:
    """One thing that AWS would bill by time, as the stand-ins list it."""
    told = since.isoformat(timespec="milliseconds")
    return {"kind": kind, "name": one.name, "arn": one.arn, "status": status, "since": told}


def now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


def new_id() -> str:
    """Twelve characters as they end Bedrock's ARNs."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(12))


def age_s(moment: dt.datetime) -> float:
    """How long ago a moment was, s."""
    return (now() - moment).total_seconds()
