"""Amazon Rekognition: labels with boxes."""

from collections.abc import Sequence
from typing import Any

from storycast.adapters.clients import paid_client
from storycast.adapters.faults import translated, understood
from storycast.adapters.rekognition_images import REFUSED, box_of, in_bucket
from storycast.ports import LabelledBox, Labels

MAX_LABELS = 50

NEVER_A_CHARACTER = (
    "Apparel and Accessories",
    "Buildings and Architecture",
    "Furniture and Furnishings",
    "Home and Indoors",
    "Materials",
    "Nature and Outdoors",
    "Patterns and Shapes",
    "Plants and Flowers",
    "Text and Documents",
    "Transport and Logistics",
    "Vehicles and Automotive",
)
"""Label categories that are left out where the project names no labels."""


class RekognitionLabels:
    """A :class:`~storycast.ports.LabelDetector` over DetectLabels; one paid call per picture."""

    def __init__(self, bucket: str, rekognition: Any = None) -> None:
        self._bucket = bucket
        self._rekognition = rekognition or paid_client("rekognition")

    def detect(self, key: str, *, min_confidence: float, only: Sequence[str]) -> Labels:
        """Return the labels that have boxes; see :meth:`LabelDetector.detect`."""
        filters = (
            {"LabelInclusionFilters": list(only)}
            if only
            else {"LabelCategoryExclusionFilters": list(NEVER_A_CHARACTER)}
        )
        with translated(f"DetectLabels on {key}", REFUSED):
            answer = self._rekognition.detect_labels(
                Image=in_bucket(self._bucket, key),
                MaxLabels=MAX_LABELS,
                MinConfidence=min_confidence,
                Features=["GENERAL_LABELS"],
                Settings={"GeneralLabels": filters},
            )
        with understood(f"DetectLabels on {key}"):
            boxes = tuple(
                LabelledBox(
                    box_of(instance["BoundingBox"]),
                    str(label["Name"]),
                    float(instance.get("Confidence", label.get("Confidence", 0.0))),
                )
                for label in answer.get("Labels", ())
                for instance in label.get("Instances", ())
                if instance.get("BoundingBox")
            )
            return Labels(boxes, str(answer.get("LabelModelVersion", "")))
