"""What the Bedrock stand-in has made: jobs, custom models and hosting, kept in the state folder over restarts."""

from __future__ import annotations

import datetime as dt
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

_log = logging.getLogger("storycast.standins")

ACCOUNT = "000000000000"
#: How long things take here at least, in seconds, unless an outcome says otherwise.
JOB_SECONDS = float(os.environ.get("STORYCAST_STANDIN_JOB_SECONDS", "1.0"))
HOSTING_SECONDS = float(os.environ.get("STORYCAST_STANDIN_HOSTING_SECONDS", "1.0"))
#: Of hosting that is deleted or updated, and of a job that is stopped.
DELETION_SECONDS = float(os.environ.get("STORYCAST_STANDIN_DELETION_SECONDS", "0.5"))

JobStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
Step = Literal["validation", "dataProcessing", "training"]
STEPS: tuple[Step, ...] = ("validation", "dataProcessing", "training")


class WorldClosedError(Exception):
    """The stand-ins have ended, and a job still runs on: nothing is written any more."""


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


class CustomModel(_Record):
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


class Hosting(_Record):
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
        return self.deleted_at is not None and _age_s(self.deleted_at) >= self.deletion_seconds

    @property
    def status(self) -> str:
        """``Creating``, ``InService``, ``Updating`` or ``Failed``."""
        if _age_s(self.created_at) < self.seconds:
            return "Creating"
        if self.doomed:
            return "Failed"
        is_new = self.model_arn == self.model_arn_before or _age_s(self.changed_at) >= DELETION_SECONDS
        return "InService" if is_new else "Updating"

    @property
    def current_model_arn(self) -> str:
        """What it hosts right now."""
        return self.model_arn_before if self.status == "Updating" else self.model_arn

    @property
    def is_billed(self) -> bool:
        """Whether AWS would bill it; hosting that failed is not billed."""
        return self.status != "Failed"


class _Kept(_Record):
    jobs: list[Job] = []
    models: list[CustomModel] = []
    hostings: list[Hosting] = []

    def tagged(self, arn: str) -> Job | CustomModel | Hosting | None:
        """What has that ARN; None if nothing has."""
        everything: list[Job | CustomModel | Hosting] = [*self.jobs, *self.models, *self.hostings]
        return next((one for one in everything if one.arn == arn), None)


class BedrockWorld:
    """All of it, safe under threads; what has changed inside ``changing`` is written when it ends."""

    def __init__(self, folder: Path) -> None:
        """Continue what the folder keeps; a job that ran has failed by now.

        Where the file can't be read, such as one of another version, it is put aside, and nothing is there.
        """
        self.folder = folder
        self._file = folder / "bedrock.json"
        self._guard = threading.RLock()
        self._is_closed = False
        self._kept = self._read()
        for job in self._kept.jobs:
            if job.status == "Stopping":
                job.end("Stopped")
            elif job.status == "InProgress":
                job.end("Failed", "The local stand-in ended while the job ran. Start the training again.")

    @contextmanager
    def changing(self) -> Iterator[_Kept]:
        """Give what is there, alone, and write it at the end; nothing is written after an exception.

        Raises:
            WorldClosedError: The stand-ins have ended.
        """
        with self.reading() as kept:
            if self._is_closed:
                raise WorldClosedError
            yield kept
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".part")
            draft.write_text(kept.model_dump_json(), "utf-8")
            draft.replace(self._file)

    @contextmanager
    def reading(self) -> Iterator[_Kept]:
        """Give what is there, alone; ended hosting is forgotten first."""
        with self._guard:
            self._kept.hostings = [hosting for hosting in self._kept.hostings if not hosting.is_gone]
            yield self._kept

    def pictures_folder(self, model: CustomModel) -> Path:
        """Where a model's pictures are."""
        return self.folder / model.folder

    def forget_pictures(self, folder: str) -> None:
        """Remove the pictures of a model that is no more, or of a job that made none."""
        shutil.rmtree(self.folder / folder, ignore_errors=True)

    def billed(self) -> list[dict[str, str]]:
        """What AWS would bill by time right now."""
        with self.reading() as kept:
            jobs = [_row("customization_job", job, job.status) for job in kept.jobs if job.is_billed]
            hosted = [
                _row("provisioned_throughput", one, "Deleting" if one.deleted_at else one.status)
                for one in kept.hostings
                if one.is_billed
            ]
        return jobs + hosted

    @property
    def is_closed(self) -> bool:
        """Whether the stand-ins have ended."""
        return self._is_closed

    def close(self) -> None:
        """Write nothing any more; jobs that run end without a trace."""
        with self._guard:
            self._is_closed = True

    def _read(self) -> _Kept:
        try:
            return _Kept.model_validate_json(self._file.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return _Kept()
        except ValueError as error:
            aside = self._file.with_suffix(".unreadable")
            self._file.replace(aside)
            _log.warning("Custom models and hosting are lost, the file is put aside as %s: %s", aside, error)
            return _Kept()


def _row(kind: str, one: Job | Hosting, status: str) -> dict[str, str]:
    since = one.created_at.isoformat(timespec="milliseconds")
    return {"kind": kind, "name": one.name, "arn": one.arn, "status": status, "since": since}


def now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


def new_id() -> str:
    """Twelve characters as they end Bedrock's ARNs."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(12))


def _age_s(moment: dt.datetime) -> float:
    return (now() - moment).total_seconds()
