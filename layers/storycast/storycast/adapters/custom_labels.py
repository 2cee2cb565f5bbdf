"""Amazon Rekognition Custom Labels: models that are started and stopped, and what a running one sees."""

from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client, client_without_retries, paid_client
from storycast.adapters.faults import translated, understood
from storycast.adapters.rekognition_images import REFUSED, box_of, in_bucket
from storycast.custom_labels import VersionFacts
from storycast.errors import DependencyUnavailableError, DetectorFailedError, StorycastError
from storycast.ports import LabelledBox, Labels

_NOT_STARTED: dict[str, type[StorycastError]] = {
    "AccessDeniedException": DetectorFailedError,
    "InvalidParameterException": DetectorFailedError,
    # The account's quota of inference units, which waiting does not raise.
    "LimitExceededException": DetectorFailedError,
    "ResourceNotFoundException": DetectorFailedError,
}
_NOT_RUNNING: dict[str, type[StorycastError]] = {
    "ResourceNotReadyException": DependencyUnavailableError,
    "ResourceNotFoundException": DependencyUnavailableError,
}


class RekognitionVersions:
    """:class:`~storycast.custom_labels.CustomLabelModels` over project versions."""

    def __init__(self, rekognition: Any = None, once: Any = None) -> None:
        self._rekognition = rekognition or client("rekognition")
        self._once = once or rekognition or client_without_retries("rekognition")
        self._projects: dict[str, str] = {}

    def get(self, arn: str) -> VersionFacts | None:
        """Return what is known of a project version; None where there is none of this ARN."""
        project = self._project(arn)
        if project is None:
            return None
        name = arn.split("/")[3]
        with translated(f"DescribeProjectVersions of {arn}"):
            try:
                pages = self._rekognition.get_paginator("describe_project_versions").paginate(
                    ProjectArn=project, VersionNames=[name]
                )
                found = [one for page in pages for one in page.get("ProjectVersionDescriptions", ())]
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return None
                raise
        return next(
            (
                VersionFacts(arn, one["Status"], one.get("StatusMessage", ""))
                for one in found
                if one["ProjectVersionArn"] == arn
            ),
            None,
        )

    def start(self, arn: str, units: int) -> None:
        """Begin to run a version; see :meth:`CustomLabelModels.start`."""
        with translated(f"StartProjectVersion {arn}", _NOT_STARTED):
            try:
                self._once.start_project_version(ProjectVersionArn=arn, MinInferenceUnits=units)
            except ClientError as error:
                # It runs or starts already; or it can't be started, which its status then tells.
                if error.response["Error"]["Code"] != "ResourceInUseException":
                    raise

    def stop(self, arn: str) -> None:
        """Ask a version to stop; see :meth:`CustomLabelModels.stop`."""
        with translated(f"StopProjectVersion {arn}"):
            try:
                self._rekognition.stop_project_version(ProjectVersionArn=arn)
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"ResourceInUseException", "ResourceNotFoundException"}:
                    raise

    def _project(self, arn: str) -> str | None:
        """Return the ARN of a version's project, which has a time of its own in it; None where it is gone."""
        name = arn.split("/")[1]
        if name not in self._projects:
            with translated(f"DescribeProjects {name}"):
                pages = self._rekognition.get_paginator("describe_projects").paginate(ProjectNames=[name])
                found = [one["ProjectArn"] for page in pages for one in page.get("ProjectDescriptions", ())]
            ours = [one for one in found if one.split("/")[:2] == arn.split("/")[:2]]
            if not ours:
                return None
            self._projects[name] = ours[0]
        return self._projects[name]


class RekognitionCustomLabels:
    """A :class:`~storycast.custom_labels.CustomLabelDetector` over DetectCustomLabels, paid by the hour."""

    def __init__(self, bucket: str, arn: str, rekognition: Any = None) -> None:
        self._bucket, self._arn = bucket, arn
        # A second wait for an answer would outlive the function.
        self._rekognition = rekognition or paid_client("rekognition")

    def detect(self, key: str, *, min_confidence: float | None) -> Labels:
        """Return the model's labels that have boxes; see :meth:`CustomLabelDetector.detect`."""
        least = {} if min_confidence is None else {"MinConfidence": min_confidence}
        with translated(f"DetectCustomLabels on {key}", {**REFUSED, **_NOT_RUNNING}):
            answer = self._rekognition.detect_custom_labels(
                ProjectVersionArn=self._arn, Image=in_bucket(self._bucket, key), **least
            )
        with understood(f"DetectCustomLabels on {key}"):
            boxes = tuple(
                LabelledBox(
                    box_of(label["Geometry"]["BoundingBox"]),
                    str(label["Name"]),
                    float(label["Confidence"]),
                    "custom_labels",
                )
                for label in answer.get("CustomLabels", ())
                # A model for whole pictures gives labels without boxes: they say nothing of anybody in it.
                if label.get("Geometry", {}).get("BoundingBox")
            )
            return Labels(boxes, self._arn)
