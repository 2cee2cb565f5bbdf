"""Amazon Rekognition's stand-in: Custom Labels projects, their versions, and what a running one sees."""

from __future__ import annotations

import datetime as dt
import threading

from local.standins import rekognition_world
from local.standins.bedrock_world import ACCOUNT, now
from local.standins.boxes import bounding_box, percent
from local.standins.custom_labels_model import find_labels, read_model
from local.standins.custom_labels_training import train_version
from local.standins.errors import ModelledError
from local.standins.image_input import read_image
from local.standins.outcomes import ModelOutcome
from local.standins.paging import token_page
from local.standins.rekognition_world import KeptRekognition, Project, Version
from local.standins.service import Call, Params, Service, without_none

#: Versions that may be started: those that were trained, whatever became of them since.
STARTABLE = frozenset({"TRAINING_COMPLETED", "STOPPED", "FAILED"})


class CustomLabels(Service):
    """Versions that train, start, run and stop over time; a label is that of the likest training box."""

    service_name = "rekognition"

    def create_project(self, params: Params, call: Call) -> Params:
        """Make an empty project."""
        if params.get("Feature", "CUSTOM_LABELS") != "CUSTOM_LABELS":
            raise ModelledError("InvalidParameterException", "The local stand-in plays CUSTOM_LABELS only.")
        name = params["ProjectName"]
        with self.world.rekognition.changing() as kept:
            if any(one.name == name for one in kept.projects):
                raise ModelledError("ResourceInUseException", f"A project with name {name} already exists.")
            moment = now()
            arn = f"arn:aws:rekognition:{call.region}:{ACCOUNT}:project/{name}/{_millis(moment)}"
            kept.projects.append(Project(name=name, arn=arn, created_at=moment))
        return {"ProjectArn": arn}

    def create_project_version(self, params: Params, _call: Call) -> Params:
        """Train a version on a manifest in the format of SageMaker Ground Truth; it takes some seconds."""
        assets = params.get("TrainingData", {}).get("Assets") or []
        manifests = [asset.get("GroundTruthManifest", {}).get("S3Object") for asset in assets]
        if len(manifests) != 1 or not manifests[0] or {"Bucket", "Name"} - set(manifests[0]):
            message = "The local stand-in has no datasets: give TrainingData with one GroundTruthManifest."
            raise ModelledError("InvalidParameterException", message)
        with self.world.rekognition.changing() as kept:
            project = _project(kept, params["ProjectArn"])
            name = params["VersionName"]
            if any(one.name == name for one in project.versions):
                raise ModelledError("ResourceInUseException", f"A version with name {name} already exists.")
            moment = now()
            arn = f"{project.arn.rpartition('/')[0]}/version/{name}/{_millis(moment)}"
            version = Version(
                name=name, arn=arn, output=params["OutputConfig"], manifest=manifests[0], created_at=moment
            )
            project.versions.append(version)
        work = threading.Thread(
            target=train_version, args=(self.world.rekognition, version), name=f"version-{name}", daemon=True
        )
        work.start()
        return {"ProjectVersionArn": arn}

    def describe_projects(self, params: Params, _call: Call) -> Params:
        """List projects, newest first, in pages."""
        with self.world.rekognition.reading() as kept:
            wanted = params.get("ProjectNames")
            found = [one for one in reversed(kept.projects) if not wanted or one.name in wanted]
        shown, more = token_page(found, params)
        described = [
            {
                "ProjectArn": one.arn,
                "CreationTimestamp": one.created_at,
                "Status": "CREATED",
                "Feature": "CUSTOM_LABELS",
            }
            for one in shown
        ]
        return {"ProjectDescriptions": described, **more}

    def describe_project_versions(self, params: Params, _call: Call) -> Params:
        """List a project's versions, newest first, in pages."""
        with self.world.rekognition.reading() as kept:
            wanted = params.get("VersionNames")
            versions = reversed(_project(kept, params["ProjectArn"]).versions)
            found = [one for one in versions if not wanted or one.name in wanted]
            shown, more = token_page(found, params)
            return {"ProjectVersionDescriptions": [_described(one) for one in shown], **more}

    def start_project_version(self, params: Params, call: Call) -> Params:
        """Begin to run a version, which takes a moment."""
        with self.world.rekognition.changing() as kept:
            version = _version(kept, params["ProjectVersionArn"])
            call.model = version.arn
            if version.status not in STARTABLE:
                message = f"The version is in status {version.status}, and can't be started."
                raise ModelledError("ResourceInUseException", message)
            asked = self.world.outcomes.take(ModelOutcome)
            version.units = params["MinInferenceUnits"]
            version.started_at, version.stopped_at = now(), None
            version.doomed = asked.fail
            usual, stop = rekognition_world.START_SECONDS, rekognition_world.STOP_SECONDS
            version.start_seconds = usual if asked.seconds is None else asked.seconds
            version.stop_seconds = stop if asked.stop_seconds is None else asked.stop_seconds
        return {"Status": "STARTING"}

    def stop_project_version(self, params: Params, call: Call) -> Params:
        """Stop a running version, which takes a moment."""
        with self.world.rekognition.changing() as kept:
            version = _version(kept, params["ProjectVersionArn"])
            call.model = version.arn
            if version.status != "RUNNING":
                message = f"The version is in status {version.status}, and can't be stopped."
                raise ModelledError("ResourceInUseException", message)
            version.stopped_at = now()
        return {"Status": "STOPPING"}

    def detect_custom_labels(self, params: Params, call: Call) -> Params:
        """Find the labels of a running version, with boxes; what is billed is that it runs."""
        with self.world.rekognition.reading() as kept:
            version = _version(kept, params["ProjectVersionArn"])
            call.model = version.arn
            if version.status != "RUNNING":
                message = f"The version is in status {version.status}, and can't be used."
                raise ModelledError("ResourceNotReadyException", message)
            model = read_model(version)
        content, pixels = read_image(params["Image"])
        call.about(content)
        least = params.get("MinConfidence")
        found = find_labels(pixels, model, None if least is None else least / 100)
        return {
            "CustomLabels": [
                {
                    "Name": box.name,
                    "Confidence": percent(box.score),
                    "Geometry": {"BoundingBox": bounding_box(box)},
                }
                for box in found[: params.get("MaxResults")]
            ]
        }


def _project(kept: KeptRekognition, arn: str) -> Project:
    found = kept.project(arn)
    if found is None:
        raise ModelledError("ResourceNotFoundException", f"The project {arn} does not exist.")
    return found


def _version(kept: KeptRekognition, arn: str) -> Version:
    found = kept.version(arn)
    if found is None:
        raise ModelledError("ResourceNotFoundException", f"The project version {arn} does not exist.")
    return found


def _described(version: Version) -> Params:
    status = version.status
    started = version.started_at is not None
    message = version.doomed if status == "FAILED" else version.message
    return without_none(
        {
            "ProjectVersionArn": version.arn,
            "CreationTimestamp": version.created_at,
            "Status": status,
            "StatusMessage": message or f"The model is {status.lower().replace('_', ' ')}.",
            "MinInferenceUnits": version.units if started else None,
            "TrainingEndTimestamp": version.training_ended_at,
            "OutputConfig": version.output,
            "EvaluationResult": None if version.f1 is None else {"F1Score": version.f1},
            "VersionDescription": "LOCAL STAND-IN: the likest training box by EfficientNet-Lite0",
            "Feature": "CUSTOM_LABELS",
        }
    )


def _millis(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)
