"""What the adapters of Amazon Rekognition share: boxes, and what the service says of pictures it can't use."""

from collections.abc import Mapping
from typing import Any

from storycast.boxes import Box
from storycast.errors import FrameRefusedError, StorycastError

REFUSED: dict[str, type[StorycastError]] = {
    "ImageTooLargeException": FrameRefusedError,
    "InvalidImageFormatException": FrameRefusedError,
    "InvalidS3ObjectException": FrameRefusedError,
}


def box_of(bounding: Mapping[str, float]) -> Box:
    """Return Rekognition's box as ours."""
    return Box(bounding["Left"], bounding["Top"], bounding["Width"], bounding["Height"])


def in_bucket(bucket: str, key: str) -> dict[str, Any]:
    """Return a picture in S3 as ``Image`` has it."""
    return {"S3Object": {"Bucket": bucket, "Name": key}}
