"""The picture that a request to Rekognition is about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.standins.errors import ModelledError
from local.standins.objects import ObjectTooLargeError, ObjectUnreadableError, read_object
from local.standins.pictures import PictureUnreadableError, read_header, read_pixels

# "Guidelines and quotas in Amazon Rekognition", and the API reference of DetectLabels.
BYTES_LIMIT = 5 * 1024 * 1024
OBJECT_BYTES_LIMIT = 15 * 1024 * 1024
SIDE_PX_RANGE = (80, 10_000)


def read_image(image: dict[str, Any]) -> tuple[bytes, NDArray[np.uint8]]:
    """Read the picture that ``Image`` means.

    Returns:
        The file's content, and its pixels: RGB, ``(height, width, 3)``.

    Raises:
        ModelledError: It is not there, no picture, or outside the service's limits.
    """
    content = _content(image)
    return content, _decoded(content)


def _content(image: dict[str, Any]) -> bytes:
    """The image file that a request means."""
    if ("Bytes" in image) == ("S3Object" in image):
        raise ModelledError("InvalidParameterException", "Image takes either Bytes or S3Object")
    if "Bytes" in image:
        if len(image["Bytes"]) > BYTES_LIMIT:
            raise ModelledError("ImageTooLargeException", "Image size is too large")
        return bytes(image["Bytes"])
    place = image["S3Object"]
    if "Bucket" not in place or "Name" not in place:
        raise ModelledError("InvalidParameterException", "S3Object needs Bucket and Name")
    try:
        return read_object(place["Bucket"], place["Name"], place.get("Version"), OBJECT_BYTES_LIMIT)
    except ObjectTooLargeError as error:
        raise ModelledError("ImageTooLargeException", f"Image size is too large: {error}") from error
    except ObjectUnreadableError as error:
        raise ModelledError(
            "InvalidS3ObjectException",
            "Unable to get object metadata from S3. Check object key, region and/or access permissions. "
            f"({error})",
        ) from error


def _decoded(content: bytes) -> NDArray[np.uint8]:
    try:
        header = read_header(content)
        least, most = SIDE_PX_RANGE
        if header.format not in {"png", "jpeg"}:
            raise ModelledError("InvalidImageFormatException", "Request has invalid image format")
        if max(header.width_px, header.height_px) > most:
            raise ModelledError("ImageTooLargeException", "Image dimensions are too large")
        if min(header.width_px, header.height_px) < least:
            raise ModelledError("InvalidParameterException", "Request has invalid parameters: image is too small")
        return read_pixels(content)
    except PictureUnreadableError as error:
        raise ModelledError("InvalidImageFormatException", "Request has invalid image format") from error
