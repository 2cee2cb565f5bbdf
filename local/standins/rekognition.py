"""Amazon Rekognition's stand-in: DetectLabels, by NanoDet and U2Netp; and what its two bases play."""

from __future__ import annotations

from typing import Any

from local.standins.boxes import Box, bounding_box, percent
from local.standins.custom_labels import CustomLabels
from local.standins.errors import ModelledError
from local.standins.face_collections import FaceCollections
from local.standins.image_input import read_image
from local.standins.image_properties import image_properties
from local.standins.nanodet import coco_classes, find_objects
from local.standins.necks import parted_boxes
from local.standins.saliency import saliency_map, salient_boxes
from local.standins.service import Call, Params, paid

LABEL_MODEL_VERSION = "local-stand-in nanodet-g-416 in squares + u2netp-256 with parts"
#: U2Netp says that a region stands out, and no more.
SALIENT = "Salient Object"
SALIENT_CATEGORY = "Saliency"

DEFAULT_MAX_LABELS = 1000
DEFAULT_MIN_CONFIDENCE = 55.0
DEFAULT_MAX_COLORS = 10
FEATURES = ("GENERAL_LABELS", "IMAGE_PROPERTIES")


class Rekognition(FaceCollections, CustomLabels):
    """Says what the two models say; the label names and categories are COCO's, not Rekognition's."""

    service_name = "rekognition"

    @paid
    def detect_labels(self, params: Params, call: Call) -> Params:
        """Find COCO objects and salient regions, with boxes."""
        features = params.get("Features") or ["GENERAL_LABELS"]
        settings = params.get("Settings", {})
        _check_features(features, settings)
        content, pixels = read_image(params["Image"])
        call.about(content)
        answer: Params = {"LabelModelVersion": LABEL_MODEL_VERSION}
        saliency = saliency_map(pixels)
        if "GENERAL_LABELS" in features:
            labels = _labels(
                find_objects(pixels) + salient_boxes(saliency) + parted_boxes(saliency),
                params.get("MinConfidence", DEFAULT_MIN_CONFIDENCE),
            )
            labels = [label for label in labels if wanted(label, settings.get("GeneralLabels", {}))]
            answer["Labels"] = labels[: params.get("MaxLabels", DEFAULT_MAX_LABELS)]
        if "IMAGE_PROPERTIES" in features:
            colors = settings.get("ImageProperties", {}).get("MaxDominantColors", DEFAULT_MAX_COLORS)
            answer["ImageProperties"] = image_properties(pixels, saliency, colors)
        return answer


def _check_features(features: list[str], settings: dict[str, Any]) -> None:
    if not set(features) <= set(FEATURES) or len(set(features)) != len(features):
        raise ModelledError("InvalidParameterException", f"Features must be some of {', '.join(FEATURES)}")
    if "ImageProperties" in settings and "IMAGE_PROPERTIES" not in features:
        raise ModelledError(
            "InvalidParameterException", "Settings.ImageProperties needs the feature IMAGE_PROPERTIES"
        )
    if "GeneralLabels" in settings and "GENERAL_LABELS" not in features:
        raise ModelledError("InvalidParameterException", "Settings.GeneralLabels needs the feature GENERAL_LABELS")


def _labels(boxes: list[Box], min_confidence: float) -> list[dict[str, Any]]:
    """One label for each name, surest first, with the boxes of that name as its instances."""
    categories = dict(coco_classes())
    instances: dict[str, list[Box]] = {}
    for box in sorted(boxes, key=lambda box: -box.score):
        if percent(box.score) >= min_confidence:
            instances.setdefault(box.name, []).append(box)
    return [
        {
            "Name": name.title() if name else SALIENT,
            "Confidence": percent(found[0].score),
            "Instances": [
                {
                    "BoundingBox": bounding_box(box),
                    "Confidence": percent(box.score),
                }
                for box in found
            ],
            "Parents": [],
            "Aliases": [],
            "Categories": [{"Name": categories[name].title() if name else SALIENT_CATEGORY}],
        }
        for name, found in instances.items()
    ]


def wanted(label: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    """Whether a label passes the filters; exclusion beats inclusion, names are compared as they are."""
    names = {label["Name"]}
    groups = {category["Name"] for category in label["Categories"]}
    included = set(filters.get("LabelInclusionFilters", []))
    included_groups = set(filters.get("LabelCategoryInclusionFilters", []))
    if names & set(filters.get("LabelExclusionFilters", [])):
        return False
    if groups & set(filters.get("LabelCategoryExclusionFilters", [])):
        return False
    if not included and not included_groups:
        return True
    return bool(names & included or groups & included_groups)
