"""The training of a Custom Labels version: a manifest, its pictures, and the boxes in them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from local.standins.bedrock_world import now
from local.standins.boxes import Box
from local.standins.custom_labels_model import box_vector, candidates, choose_thresholds, share_inside
from local.standins.kept import WorldClosedError
from local.standins.objects import ObjectTooLargeError, ObjectUnreadableError, read_object, split_uri
from local.standins.pictures import PictureUnreadableError, read_pixels
from local.standins.rekognition_world import Example, RekognitionWorld, Version, pack

_log = logging.getLogger("storycast.standins")
MOST_PICTURES = 250
MOST_BYTES = 15 * 1024 * 1024
#: A candidate of which no more lies in any annotation shows nothing that was annotated.
BACKGROUND_SHARE = 0.1
#: Of one picture, so that many trees do not outweigh a few characters.
MOST_BACKGROUND = 4
MESSAGE_LIMIT = 2048


class ManifestRefusedError(Exception):
    """A manifest, or a picture of it, can't be trained on."""


@dataclass(frozen=True, slots=True)
class Line:
    """One picture of a manifest, and the boxes drawn in it, in px: label, left, top, width, height."""

    uri: str
    boxes: tuple[tuple[str, float, float, float, float], ...]


def read_manifest(content: bytes) -> list[Line]:
    """Read a manifest of object detection in the format of SageMaker Ground Truth.

    Raises:
        ManifestRefusedError: It is none; the message names the line.
    """
    lines = []
    for number, text in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        if text.strip():
            lines.append(_line(text, number))
    if not 1 <= len(lines) <= MOST_PICTURES:
        message = f"the manifest has {len(lines)} pictures; the local stand-in takes 1 to {MOST_PICTURES}"
        raise ManifestRefusedError(message)
    if not any(line.boxes for line in lines):
        raise ManifestRefusedError("the manifest has no box in any picture")
    return lines


def _line(text: str, number: int) -> Line:
    try:
        data: Any = json.loads(text)
        attribute = next(
            name
            for name, value in data.items()
            if isinstance(value, dict)
            and data.get(f"{name}-metadata", {}).get("type") == "groundtruth/object-detection"
        )
        classes = data[f"{attribute}-metadata"]["class-map"]
        boxes = tuple(
            (
                str(classes[str(one["class_id"])]),
                float(one["left"]),
                float(one["top"]),
                float(one["width"]),
                float(one["height"]),
            )
            for one in data[attribute]["annotations"]
        )
        return Line(str(data["source-ref"]), boxes)
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        message = f"line {number} of the manifest has no source-ref with boxes of groundtruth/object-detection"
        raise ManifestRefusedError(message) from None


def train_version(world: RekognitionWorld, version: Version) -> None:
    """Train a version to its end, whatever it is."""
    try:
        examples = _examples(read_manifest(_read(version.manifest["Bucket"], version.manifest["Name"])))
        vectors = np.stack([vector for _, vector in examples])
        labels = [label for label, _ in examples]
        thresholds, f1 = choose_thresholds(vectors, labels)
        with world.changing():
            version.examples = [Example(label=label, vector=pack(vector)) for label, vector in examples]
            version.thresholds, version.f1 = thresholds, f1
            version.training_ended_at = now()
            version.training = "TRAINING_COMPLETED"
            version.message = "The model is ready to run."
    except WorldClosedError:
        return
    except (ManifestRefusedError, ObjectUnreadableError) as error:
        _failed(world, version, str(error))
    except Exception as error:
        _log.exception("The training of %s failed", version.arn)
        _failed(world, version, f"The local stand-in failed, which is a bug of it: {error!r}")


def _failed(world: RekognitionWorld, version: Version, message: str) -> None:
    try:
        with world.changing():
            version.training, version.message = "TRAINING_FAILED", message[:MESSAGE_LIMIT]
            version.training_ended_at = now()
    except WorldClosedError:
        return


def _examples(lines: list[Line]) -> list[tuple[str, np.ndarray[Any, Any]]]:
    found = []
    for line in lines:
        try:
            pixels = read_pixels(_read(*split_uri(line.uri)))
        except PictureUnreadableError as error:
            raise ManifestRefusedError(f"{line.uri}: {error}") from error
        height, width = pixels.shape[:2]
        drawn = [
            Box(left / width, top / height, (left + across) / width, (top + down) / height, score=1.0, name=label)
            for label, left, top, across, down in line.boxes
        ]
        background = [
            box for box in candidates(pixels) if all(share_inside(box, one) <= BACKGROUND_SHARE for one in drawn)
        ]
        found += [
            (box.name, np.asarray(box_vector(pixels, _clipped(box)), dtype=np.float32))
            for box in (*drawn, *background[:MOST_BACKGROUND])
        ]
    return found


def _clipped(box: Box) -> Box:
    left, top = max(box.left, 0.0), max(box.top, 0.0)
    return Box(left, top, min(box.right, 1.0), min(box.bottom, 1.0), score=box.score, name=box.name)


def _read(bucket: str, key: str) -> bytes:
    try:
        return read_object(bucket, key, limit=MOST_BYTES)
    except ObjectTooLargeError as error:
        raise ManifestRefusedError(str(error)) from error
