"""The manifest: one JSON object a line, as trainers read it, within the limits that they document."""

import json
from collections.abc import Iterable
from typing import Literal

from storycast.footage import Record

MIN_RECORDS, MAX_RECORDS = 5, 10_000
MIN_SIDE_PX, MAX_SIDE_PX = 512, 4096
MAX_PICTURE_BYTES = 50 * 1024 * 1024

KEY_NAMES: dict[str, tuple[str, str]] = {
    "bedrock": ("image-ref", "caption"),
    "walkthrough": ("image_ref", "alt_text"),
}
"""Names of the two keys: as Amazon documents them for Nova Canvas and Titan, and as the walk-through has them."""


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


def problems(record_count: int) -> list[str]:
    """Return in words why a manifest of so many records can't be used for training; empty when it can."""
    if record_count < MIN_RECORDS:
        return [f"training needs at least {MIN_RECORDS} pictures, the dataset has {record_count}"]
    if record_count > MAX_RECORDS:
        return [f"training takes at most {MAX_RECORDS:,} pictures, the dataset has {record_count:,}"]
    return []
