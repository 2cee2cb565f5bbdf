"""What Rekognition's stand-in has made: face collections, and Custom Labels projects with their versions."""

from __future__ import annotations

import base64
import datetime as dt
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from local.standins.bedrock_world import age_s, billed_row
from local.standins.kept import KeptFile, KeptRecord

#: How long a version starts and stops at least, in seconds, unless an outcome says otherwise.
START_SECONDS = float(os.environ.get("STORYCAST_STANDIN_MODEL_START_SECONDS", "1.0"))
STOP_SECONDS = float(os.environ.get("STORYCAST_STANDIN_MODEL_STOP_SECONDS", "0.5"))

Ended = Literal["TRAINING_IN_PROGRESS", "TRAINING_COMPLETED", "TRAINING_FAILED"]


class KeptFace(KeptRecord):
    """An indexed face."""

    id: str
    image_id: str
    external_id: str | None
    #: Left, top, width and height, in parts of the picture.
    box: tuple[float, float, float, float]
    confidence: float
    vector: str


class Collection(KeptRecord):
    """A face collection; its model's version is that of the day on which it was made."""

    id: str
    region: str
    model_version: str
    created_at: dt.datetime
    faces: list[KeptFace] = Field(default_factory=list)


class Example(KeptRecord):
    """A box of the training pictures; ``label`` is empty where nothing was annotated."""

    label: str
    vector: str


class Version(KeptRecord):
    """A version of a Custom Labels project: a model, and whether it runs."""

    name: str
    arn: str
    output: dict[str, Any]
    manifest: dict[str, Any]
    created_at: dt.datetime
    training: Ended = "TRAINING_IN_PROGRESS"
    message: str = ""
    training_ended_at: dt.datetime | None = None
    f1: float | None = None
    examples: list[Example] = Field(default_factory=list)
    #: By label: the confidence (0..1) from which it is told, unless a request says otherwise.
    thresholds: dict[str, float] = Field(default_factory=dict)
    units: int = 1
    started_at: dt.datetime | None = None
    stopped_at: dt.datetime | None = None
    start_seconds: float = 0.0
    stop_seconds: float = 0.0
    #: What its start is to fail with, where a test said so.
    doomed: str = ""

    @property
    def status(self) -> str:
        """One of Rekognition's statuses of a project version, as of now."""
        if self.started_at is None:
            return self.training
        if self.stopped_at is not None:
            return "STOPPING" if age_s(self.stopped_at) < self.stop_seconds else "STOPPED"
        if age_s(self.started_at) < self.start_seconds:
            return "STARTING"
        return "FAILED" if self.doomed else "RUNNING"

    @property
    def is_billed(self) -> bool:
        """Whether AWS would bill it."""
        return self.status in {"STARTING", "RUNNING", "STOPPING"}


class Project(KeptRecord):
    """A Custom Labels project."""

    name: str
    arn: str
    created_at: dt.datetime
    versions: list[Version] = Field(default_factory=list)


class KeptRekognition(KeptRecord):
    """All that is kept."""

    collections: list[Collection] = Field(default_factory=list)
    projects: list[Project] = Field(default_factory=list)

    def collection(self, name: str) -> Collection | None:
        """The collection of that id."""
        return next((one for one in self.collections if one.id == name), None)

    def project(self, arn: str) -> Project | None:
        """The project of that ARN."""
        return next((one for one in self.projects if one.arn == arn), None)

    def version(self, arn: str) -> Version | None:
        """The project version of that ARN."""
        versions = (version for project in self.projects for version in project.versions)
        return next((version for version in versions if version.arn == arn), None)


class RekognitionWorld(KeptFile[KeptRekognition]):
    """All of it; see ``KeptFile``."""

    def __init__(self, folder: Path) -> None:
        """Continue what the folder keeps; a version that was being trained has failed by now."""
        super().__init__(folder / "rekognition.json", KeptRekognition, "Face collections and Custom Labels models")
        for project in self._kept.projects:
            for version in project.versions:
                if version.training == "TRAINING_IN_PROGRESS":
                    version.training = "TRAINING_FAILED"
                    version.message = "The local stand-in ended during the training. Create another version."

    def billed(self) -> list[dict[str, str]]:
        """What AWS would bill by time right now."""
        with self.reading() as kept:
            return [
                billed_row(
                    "custom_labels_model", version, version.status, version.started_at or version.created_at
                )
                for project in kept.projects
                for version in project.versions
                if version.is_billed
            ]


def pack(vector: list[float] | NDArray[np.float32]) -> str:
    """A vector as base64 of little-endian float32."""
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def unpack(text: str) -> NDArray[np.float32]:
    """Read what ``pack`` wrote."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
