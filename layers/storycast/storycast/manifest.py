"""The manifest: one JSON object a line, as trainers read it, within the limits that they document."""

import json
import re
from collections.abc import Iterable
from typing import Literal

from storycast.footage import Record

MIN_RECORDS, MAX_RECORDS = 5, 10_000
MIN_ADAPTER_RECORDS = 1
"""Of an adapter's training on SageMaker, which has no such bound of its own."""
MIN_SIDE_PX, MAX_SIDE_PX = 512, 4096
MAX_PICTURE_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 12_582_912
MAX_ASPECT = 4
"""Longer side by shorter side."""
MIN_CAPTION, MAX_CAPTION = 3, 1024
"""Characters."""
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
"""More than the most records have, each with the longest caption and name: a larger file is something else."""

KEY_NAMES: dict[str, tuple[str, str]] = {
    "bedrock": ("image-ref", "caption"),
    "walkthrough": ("image_ref", "alt_text"),
}
"""Names of the two keys: as Amazon documents them for Nova Canvas and Titan, and as the walk-through has them."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class ManifestRecord(Record):
    """A picture and its caption."""

    image_uri: str
    caption: str


def write_manifest(records: Iterable[ManifestRecord], keys: Literal["bedrock", "walkthrough"]) -> bytes:
    """Return the manifest as JSON Lines.

    Args:
        records: In the order in which they are to stand.
        keys: Which names the keys have; see :data:`KEY_NAMES`.
    """
    image_key, caption_key = KEY_NAMES[keys]
    return "".join(
        json.dumps({image_key: record.image_uri, caption_key: record.caption}, ensure_ascii=False) + "\n"
        for record in records
    ).encode()


def read_manifest(content: bytes) -> tuple[dict[int, ManifestRecord], dict[int, str]]:
    """Read a manifest of either key style.

    Returns:
        The records by line, from 1, and what is wrong by line.
    """
    records: dict[int, ManifestRecord] = {}
    problems: dict[int, str] = {}
    # Lines end where JSON Lines end them: captions may hold U+2028 and its like, at which splitlines would split.
    for number, line in enumerate(content.decode("utf-8-sig", "replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            image_key, caption_key = next(names for names in KEY_NAMES.values() if set(names) <= set(data))
            record = ManifestRecord(image_uri=data[image_key], caption=data[caption_key])
        except (ValueError, TypeError, StopIteration, RecursionError):
            styles = " or ".join(f"'{image}' and '{caption}'" for image, caption in KEY_NAMES.values())
            problems[number] = f"it is no JSON object with {styles}"
            continue
        if not MIN_CAPTION <= len(record.caption) <= MAX_CAPTION:
            problems[number] = (
                f"its caption has {len(record.caption)} characters, not {MIN_CAPTION} to {MAX_CAPTION:,}"
            )
        elif _CONTROL.search(record.caption):
            problems[number] = "its caption holds control characters, such as a new line, or half a character"
        elif _CONTROL.search(record.image_uri):
            problems[number] = "its picture's name holds control characters, or half a character"
        records[number] = record
    return records, problems


def picture_problem(width_px: int, height_px: int, size_bytes: int) -> str:
    """Return in words why a picture can't be in a manifest for training; empty when it can."""
    if not all(MIN_SIDE_PX <= side_px <= MAX_SIDE_PX for side_px in (width_px, height_px)):
        return f"{width_px} x {height_px} px, training takes sides of {MIN_SIDE_PX} to {MAX_SIDE_PX} px"
    if width_px * height_px > MAX_PIXELS:
        return f"{width_px} x {height_px} px, training takes at most {MAX_PIXELS:,} in all"
    if max(width_px, height_px) > MAX_ASPECT * min(width_px, height_px):
        return f"{width_px} x {height_px} px, training takes aspects of 1:{MAX_ASPECT} to {MAX_ASPECT}:1"
    if size_bytes > MAX_PICTURE_BYTES:
        return f"{size_bytes:,} bytes, training takes at most {MAX_PICTURE_BYTES:,}"
    return ""


def problems(record_count: int, target: str = "bedrock") -> list[str]:
    """Return in words why a manifest of so many records can't be used for training; empty when it can.

    Args:
        record_count: How many.
        target: ``training.target``; Amazon Bedrock's bounds hold where nothing is trained, too.
    """
    least = MIN_ADAPTER_RECORDS if target == "sagemaker" else MIN_RECORDS
    if record_count < least:
        return [f"training needs at least {least} pictures, the dataset has {record_count}"]
    if record_count > MAX_RECORDS:
        return [f"training takes at most {MAX_RECORDS:,} pictures, the dataset has {record_count:,}"]
    return []
