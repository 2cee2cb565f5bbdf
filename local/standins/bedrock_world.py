"""What the Bedrock stand-in has made: jobs, custom models and hosting, kept in the state folder over restarts."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

#: How long things take here, in seconds, unless an outcome says otherwise.
JOB_SECONDS = float(os.environ.get("STORYCAST_STANDIN_JOB_SECONDS", "1.0"))
HOSTING_SECONDS = float(os.environ.get("STORYCAST_STANDIN_HOSTING_SECONDS", "1.0"))
DELETION_SECONDS = float(os.environ.get("STORYCAST_STANDIN_DELETION_SECONDS", "0.5"))

JobStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
Step = Literal["validation", "dataProcessing", "training"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Job(_Record):
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
    created_at: dt.datetime
    seconds: float
    status: JobStatus = "InProgress"
    step: Step = "validation"
    changed_at: dt.datetime
    ended_at: dt.datetime | None = None
    failure: str = ""
    loss: float | None = None
    model_arn: str | None = None
    doomed: str = ""
    """What it is to fail with, where a test said so."""


class CustomModel(_Record):
    """A model that came of a job; its pictures are what panels are composed of."""

    arn: str
    name: str
    job_arn: str
    base_model: str
    created_at: dt.datetime
    pictures: list[tuple[str, str]]
    """File of the picture below the state folder, and its caption."""


class Hosting(_Record):
    """Provisioned throughput."""

    arn: str
    name: str
    token: str | None
    model_arn: str
    model_units: int
    created_at: dt.datetime
    seconds: float
    doomed: str = ""
    deleted_at: dt.datetime | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the service would no longer know it."""
        return self.deleted_at is not None and (now() - self.deleted_at).total_seconds() >= DELETION_SECONDS

    @property
    def status(self) -> str:
        """``Creating``, ``InService`` or ``Failed``."""
        if self.doomed:
            return "Failed"
        return "InService" if (now() - self.created_at).total_seconds() >= self.seconds else "Creating"


class _Kept(_Record):
    jobs: list[Job] = []
    models: list[CustomModel] = []
    hostings: list[Hosting] = []


class BedrockWorld:
    """All of it, safe under threads; what has changed inside ``changing`` is written when it ends."""

    def __init__(self, folder: Path) -> None:
        """Continue what the folder keeps, or begin with nothing."""
        self.folder = folder
        self._file = folder / "bedrock.json"
        self._guard = threading.RLock()
        self._kept = _Kept()
        if self._file.exists():
            self._kept = _Kept.model_validate_json(self._file.read_text("utf-8"))
            for job in self._kept.jobs:
                if job.status in {"InProgress", "Stopping"}:
                    job.status, job.ended_at = "Failed", now()
                    job.failure = "The local stand-in ended while the job ran."

    @contextmanager
    def changing(self) -> Iterator[_Kept]:
        """Give what is there, alone, and write it at the end."""
        with self._guard:
            yield self._kept
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".part")
            draft.write_text(self._kept.model_dump_json(), "utf-8")
            draft.replace(self._file)

    @contextmanager
    def reading(self) -> Iterator[_Kept]:
        """Give what is there, alone; ended hosting is forgotten first."""
        with self._guard:
            self._kept.hostings = [hosting for hosting in self._kept.hostings if not hosting.is_gone]
            yield self._kept

    def billed(self) -> list[dict[str, str]]:
        """What AWS would bill by time right now."""
        with self.reading() as kept:
            jobs = [
                {"kind": "customization_job", "name": job.name, "arn": job.arn, "status": job.status}
                | {"since": job.created_at.isoformat()}
                for job in kept.jobs
                if job.status in {"InProgress", "Stopping"}
            ]
            hosted = [
                {"kind": "provisioned_throughput", "name": one.name, "arn": one.arn}
                | {"status": "Deleting" if one.deleted_at else one.status, "since": one.created_at.isoformat()}
                for one in kept.hostings
                if one.deleted_at or one.status != "Failed"
            ]
        return jobs + hosted


def now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


def new_id() -> str:
    """Twelve characters as they end Bedrock's ARNs."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(12))
