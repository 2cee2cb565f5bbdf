"""The pictures that a review names, and no others."""

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath

from storycast import keys
from storycast.images import PictureUnreadableError, thumbnail
from storycast.ports import ObjectStore
from storycast.review import Review

THUMB_PX = 320
MOST_THUMB_BYTES = 32 * 1024 * 1024
"""Thumbnails that are kept at hand: some two thousand."""

_ID = re.compile(r"[0-9A-Za-z-]{1,100}")
_TYPES = {".png": "image/png", ".jpg": "image/jpeg"}


class NoPictureError(LookupError):
    """The review names no picture of this id."""


class PictureGoneError(Exception):
    """A picture that the review names is not there any more, or can't be read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a browser gets it."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class _Source:
    full_key: str
    thumb_key: str | None


class Pictures:
    """Reads a review's pictures from the bucket; good in several threads.

    Args:
        review: What is shown: its pictures, and the duplicates that may stand in their place.
        store: The bucket.
    """

    def __init__(self, review: Review, store: ObjectStore) -> None:
        self._store = store
        self._sources = _sources(review)
        self._guard = threading.Lock()
        self._thumbs: OrderedDict[str, bytes] = OrderedDict()
        self._thumb_bytes = 0

    @property
    def crop_ids(self) -> tuple[str, ...]:
        """The ids of all pictures, in the review's order, each with its duplicates after it."""
        return tuple(self._sources)

    def tag(self, crop_id: str) -> str:
        """Return what tells a picture's content from any other's; it does not change while the review goes on.

        Raises:
            NoPictureError: The review does not name it.
        """
        return sha256(f"{self._store.bucket}/{self._source(crop_id).full_key}".encode()).hexdigest()[:16]

    def full(self, crop_id: str) -> Shown:
        """Return a picture as it would be trained on; of a duplicate the crop from its frame.

        Raises:
            NoPictureError: The review does not name it.
            PictureGoneError: It is not in the bucket.
        """
        key = self._source(crop_id).full_key
        return Shown(self._read(key), _TYPES[PurePosixPath(key).suffix])

    def thumb(self, crop_id: str) -> Shown:
        """Return a picture as a JPEG of :data:`THUMB_PX`.

        Raises:
            NoPictureError: The review does not name it.
            PictureGoneError: It is not in the bucket, or is no picture.
        """
        source = self._source(crop_id)
        with self._guard:
            if crop_id in self._thumbs:
                self._thumbs.move_to_end(crop_id)
                return Shown(self._thumbs[crop_id], "image/jpeg")
        content = self._stored_thumb(source) or self._made_thumb(source)
        self._keep(crop_id, content)
        return Shown(content, "image/jpeg")

    def _source(self, crop_id: str) -> _Source:
        try:
            return self._sources[crop_id]
        except KeyError:
            raise NoPictureError(f"The review has no picture '{crop_id}'.") from None

    def _read(self, key: str) -> bytes:
        try:
            return self._store.get(key)
        except KeyError:
            raise PictureGoneError(f"{key} is not in the bucket any more.") from None

    def _stored_thumb(self, source: _Source) -> bytes | None:
        if source.thumb_key is None:
            return None
        try:
            return self._store.get(source.thumb_key)
        except Exception:
            # To those who may not list a bucket, what is missing in it looks forbidden. Reading the picture tells.
            return None

    def _made_thumb(self, source: _Source) -> bytes:
        try:
            return thumbnail(self._read(source.full_key), THUMB_PX)
        except PictureUnreadableError as error:
            raise PictureGoneError(f"{source.full_key}: {error}.") from None

    def _keep(self, crop_id: str, content: bytes) -> None:
        with self._guard:
            if crop_id not in self._thumbs:
                self._thumbs[crop_id] = content
                self._thumb_bytes += len(content)
            while self._thumb_bytes > MOST_THUMB_BYTES:
                _, dropped = self._thumbs.popitem(last=False)
                self._thumb_bytes -= len(dropped)


def _sources(review: Review) -> dict[str, _Source]:
    found: dict[str, _Source] = {}
    for one in review.pictures:
        crop_id = one.image.crop_id
        key = keys.run_file(review.run_id, f"{keys.IMAGES}{one.file_name}")
        found[crop_id] = _Source(key, keys.review_thumb(review.run_id, crop_id))
        for other in one.alternatives:
            # The review is a file: what it names is shown where it is a crop of this very footage.
            if other.crop_key.startswith(f"{keys.FOOTAGE}{other.image.footage_id}/crops-"):
                found.setdefault(other.image.crop_id, _Source(other.crop_key, None))
    return {crop_id: one for crop_id, one in found.items() if _is_plain(crop_id, one.full_key)}


def _is_plain(crop_id: str, key: str) -> bool:
    """Tell whether an id can be a file's name, and a key is a picture's."""
    path = PurePosixPath(key)
    return _ID.fullmatch(crop_id) is not None and path.suffix in _TYPES and ".." not in path.parts
