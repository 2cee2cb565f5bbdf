"""What the adapters of Amazon Rekognition share: boxes, and what the service says of pictures it can't use."""

import math
from collections.abc import Mapping
from typing import Any

from storycast.boxes import Box
from storycast.errors import DependencyUnavailableError, FrameRefusedError, StorycastError

REFUSED: dict[str, type[StorycastError]] = {
    "ImageTooLargeException": FrameRefusedError,
    "InvalidImageFormatException": FrameRefusedError,
    "InvalidS3ObjectException": FrameRefusedError,
}


def box_of(bounding: Mapping[str, float]) -> Box:
    """Return Rekognition's box as ours.

    Raises:
        DependencyUnavailableError: It has not four sides that are numbers.
    """
    sides = [bounding.get(name) for name in ("Left", "Top", "Width", "Height")]
    if not all(isinstance(side, int | float) and math.isfinite(side) for side in sides):
        raise DependencyUnavailableError(f"Amazon Rekognition answered a box that is none: {dict(bounding)}")
    return Box(*(float(side) for side in sides if side is not None))


def in_bucket(bucket: str, key: str) -> dict[str, Any]:
    """Return a picture in S3 as ``Image`` has it."""
    return {"S3Object": {"Bucket": bucket, "Name": key}}
