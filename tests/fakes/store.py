"""A bucket in memory: versions or none, ETags as S3 makes them, and what was written and read."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from storycast.errors import FootageMissingError
from storycast.ports import ObjectChangedError, Reads, StoredObject


@dataclass(frozen=True)
class _Version:
    content: bytes
    etag: str
    version_id: str | None
    content_type: str
    written_at: datetime


class MemoryStore:
    """An :class:`~storycast.ports.ObjectStore`; ``versioned`` as the template's bucket is."""

    def __init__(self, bucket: str = "media", *, versioned: bool = True) -> None:
        self._bucket = bucket
        self._versioned = versioned
        self._objects: dict[str, list[_Version]] = {}
        self._deleted: set[str] = set()
        self.writes: Counter[str] = Counter()
        """How often each key was written."""
        self.clock = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        """The time of what is written next."""

    @property
    def bucket(self) -> str:
        return self._bucket

    def get(self, key: str) -> bytes:
        return self._newest(key).content

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        newest = self._newest(key)
        return newest.content, newest.etag

    def put(self, key: str, content: bytes, content_type: str) -> None:
        versions = self._objects.setdefault(key, [])
        number = f"version-{len(versions) + 1}" if self._versioned else None
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if not self._versioned:
            versions.clear()
        versions.append(_Version(content, etag, number, content_type, self.clock))
        self._deleted.discard(key)
        self.writes[key] += 1

    def put_if(self, key: str, content: bytes, content_type: str, etag: str | None) -> None:
        is_there = key in self._objects and key not in self._deleted
        if etag != (self._newest(key).etag if is_there else None):
            raise ObjectChangedError(key)
        self.put(key, content, content_type)

    def put_version(self, key: str, content: bytes, etag: str, version_id: str) -> None:
        """Put an object whose ETag and version the test chooses, as events written in files name them."""
        self._objects[key] = [_Version(content, etag, version_id, "application/octet-stream", self.clock)]

    def head(self, key: str) -> StoredObject:
        newest = self._newest(key)
        return StoredObject(key, len(newest.content), newest.etag, newest.version_id, newest.written_at)

    def keys(self, prefix: str = "") -> list[str]:
        return [stored.key for stored in self.list(prefix)]

    def list(self, prefix: str) -> Iterator[StoredObject]:
        for key in sorted(self._objects, key=str.encode):
            if key.startswith(prefix) and key not in self._deleted:
                newest = self._newest(key)
                yield StoredObject(key, len(newest.content), newest.etag, written_at=newest.written_at)

    def open(self, stored: StoredObject, reads: Reads | None = None) -> IO[bytes]:
        for version in self._objects.get(stored.key, ()):
            pinned = version.version_id == stored.version_id if stored.version_id else version.etag == stored.etag
            current = stored.version_id or (version == self._objects[stored.key][-1])
            if pinned and current and (stored.version_id or stored.key not in self._deleted):
                if reads is not None:
                    reads.requests, reads.bytes_read = reads.requests + 1, reads.bytes_read + len(version.content)
                return io.BytesIO(version.content)
        raise FootageMissingError(f"reading {stored.key}: it changed")

    def content_type(self, key: str) -> str:
        return self._newest(key).content_type

    def delete(self, key: str) -> None:
        if self._versioned:
            self._deleted.add(key)
        else:
            self._objects.pop(key, None)

    def _newest(self, key: str) -> _Version:
        if key in self._deleted or key not in self._objects:
            raise KeyError(key)
        return self._objects[key][-1]
