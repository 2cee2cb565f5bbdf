"""Manifests in the format of SageMaker Ground Truth's object detection."""

import io
import json

from PIL import Image


def manifest_line(uri, content, boxes):
    """One line; ``boxes`` are label, left, top, width and height in pixels."""
    picture = Image.open(io.BytesIO(content))
    labels = sorted({label for label, *_ in boxes})
    return json.dumps(
        {
            "source-ref": uri,
            "boxes": {
                "image_size": [{"width": picture.width, "height": picture.height, "depth": 3}],
                "annotations": [
                    {"class_id": labels.index(label), "left": left, "top": top, "width": width, "height": height}
                    for label, left, top, width, height in boxes
                ],
            },
            "boxes-metadata": {
                "objects": [{"confidence": 1} for _ in boxes],
                "class-map": {str(number): label for number, label in enumerate(labels)},
                "type": "groundtruth/object-detection",
                "human-annotated": "yes",
                "creation-date": "2026-11-01T00:00:00.000000",
                "job-name": "by-hand",
            },
        }
    )


def whole(uri, content, label):
    """One line whose picture is one box from edge to edge."""
    picture = Image.open(io.BytesIO(content))
    return manifest_line(uri, content, [(label, 0, 0, picture.width, picture.height)])
