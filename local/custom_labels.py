"""A Custom Labels model for this machine: made of a project's reference pictures, by the stand-in.

On AWS such a model is trained in Rekognition's console, on pictures in which people drew boxes.
"""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from typing import Any, Protocol

import yaml
from PIL import Image

ATTRIBUTE = "boxes"
PATIENCE_S = 300.0


class TrainingRefusedError(Exception):
    """No model can be made of a project; the message says why."""


class Clients(Protocol):
    """Makes clients of the embedded AWS."""

    def client(self, service: str) -> Any:
        """Return a client of a service, by boto3's name."""


def train(clients: Clients, bucket: str, project_file: Path) -> str:
    """Train a version on a project's reference pictures and return its ARN.

    Each picture counts as one box from edge to edge, labelled with its character's name.

    Args:
        clients: Clients of the embedded AWS, which is up.
        bucket: The media bucket, where pictures and manifest are put below ``custom-labels/``.
        project_file: The project file; its references are files beside it.

    Raises:
        TrainingRefusedError: The project has no reference pictures, or the stand-in refuses them.
    """
    s3, rekognition = clients.client("s3"), clients.client("rekognition")
    name = re.sub(r"[^a-zA-Z0-9_.-]+", "-", project_file.resolve().parent.name).strip("-") or "project"
    folder = f"custom-labels/{name}"
    lines: list[str] = []
    for label, path in _references(project_file):
        content = path.read_bytes()
        key = f"{folder}/{len(lines):04d}{path.suffix.lower()}"
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        lines.append(manifest_line(f"s3://{bucket}/{key}", content, label))
    if not lines:
        raise TrainingRefusedError(
            f"{project_file}: no character has reference pictures that are there. Give one `references`: patterns "
            "of JPEG or PNG files beside the project file."
        )
    s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.jsonl", Body="\n".join(lines).encode())
    project = _project(rekognition, name)
    place = {"Bucket": bucket, "Name": f"{folder}/manifest.jsonl"}
    arn = rekognition.create_project_version(
        ProjectArn=project,
        VersionName=f"v{int(time.time() * 1000)}",
        OutputConfig={"S3Bucket": bucket, "S3KeyPrefix": f"{folder}/output"},
        TrainingData={"Assets": [{"GroundTruthManifest": {"S3Object": place}}]},
        TestingData={"AutoCreate": True},
    )["ProjectVersionArn"]
    _wait(rekognition, project, arn)
    return str(arn)


def manifest_line(uri: str, content: bytes, label: str) -> str:
    """Return a line of a manifest, in the format of SageMaker Ground Truth: one box from edge to edge."""
    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
    return json.dumps(
        {
            "source-ref": uri,
            ATTRIBUTE: {
                "image_size": [{"width": width, "height": height, "depth": 3}],
                "annotations": [{"class_id": 0, "left": 0, "top": 0, "width": width, "height": height}],
            },
            f"{ATTRIBUTE}-metadata": {
                "objects": [{"confidence": 1}],
                "class-map": {"0": label},
                "type": "groundtruth/object-detection",
                "human-annotated": "yes",
                "creation-date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
                "job-name": "references",
            },
        }
    )


def _references(project_file: Path) -> list[tuple[str, Path]]:
    """Return each reference picture with its character's name."""
    try:
        project = yaml.safe_load(project_file.read_text("utf-8"))
        characters = [(str(one["name"]), one.get("references", ())) for one in project["characters"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise TrainingRefusedError(f"{project_file} is no project file with characters: {error}") from error
    folder = project_file.parent
    return [
        (name, path)
        for name, patterns in characters
        for pattern in patterns
        for path in sorted(folder.glob(pattern))
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    ]


def _project(rekognition: Any, name: str) -> str:
    found = rekognition.describe_projects(ProjectNames=[name])["ProjectDescriptions"]
    return str(found[0]["ProjectArn"] if found else rekognition.create_project(ProjectName=name)["ProjectArn"])


def _wait(rekognition: Any, project: str, arn: str) -> None:
    name, deadline = arn.split("/")[3], time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        told = rekognition.describe_project_versions(ProjectArn=project, VersionNames=[name])
        (version,) = told["ProjectVersionDescriptions"]
        if version["Status"] == "TRAINING_COMPLETED":
            return
        if version["Status"] != "TRAINING_IN_PROGRESS":
            raise TrainingRefusedError(f"The stand-in could not train on it: {version['StatusMessage']}")
        time.sleep(0.2)
    raise TrainingRefusedError(f"The training is not done after {PATIENCE_S:g} s.")
