"""A seekable file over an object in S3, read in cached ranges, so that a decoder never gets a URL."""

import io
from collections import OrderedDict
from typing import IO, Any

from storycast.adapters.faults import translated
from storycast.errors import DependencyUnavailableError, FootageMissingError
from storycast.ports import StoredObject

BLOCK_BYTES = 4 * 1024 * 1024
MAX_BLOCKS = 4
"""Demuxers go back and forth between an index and the data; four blocks hold both, in 16 MiB."""

_CHANGED = dict.fromkeys(("PreconditionFailed", "NoSuchVersion", "NoSuchKey"), FootageMissingError)


class RangedReader(io.RawIOBase):
    """Reads one content of an object: a version where the bucket keeps versions, else an ETag."""

    def __init__(self, s3: Any, bucket: str, stored: StoredObject) -> None:
        self._s3, self._bucket, self._stored = s3, bucket, stored
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._pin = {"VersionId": stored.version_id} if stored.version_id else {"IfMatch": f'"{stored.etag}"'}
        self.requests = 0
        """Requests made so far."""

    def readable(self) -> bool:
        """Tell that the file can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that the file can be read from anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, in bytes."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._stored.size_bytes}[whence]
        if base + offset < 0:
            raise OSError(f"position {base + offset} is before the file's beginning")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position, in bytes."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer from the position on; 0 at the end."""
        if self._position >= self._stored.size_bytes:
            return 0
        number, start = divmod(self._position, BLOCK_BYTES)
        part = self._block(number)[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        first = number * BLOCK_BYTES
        last = min(first + BLOCK_BYTES, self._stored.size_bytes) - 1
        with translated(f"reading {self._stored.key}", _CHANGED):
            content = self._part(first, last)
        self._blocks[number] = content
        while len(self._blocks) > MAX_BLOCKS:
            self._blocks.popitem(last=False)
        return content

    def _part(self, first: int, last: int) -> bytes:
        """Return the bytes from ``first`` to ``last``.

        HTTP lets a server answer with everything, and the local emulator does so for versions: then the content is
        pinned by its ETag instead, before the whole of a film is read.
        """
        answer = self._ask(first, last)
        if "ContentRange" not in answer and "VersionId" in self._pin:
            answer["Body"].close()
            self._pin = {"IfMatch": f'"{self._stored.etag}"'}
            answer = self._ask(first, last)
        content: bytes = answer["Body"].read()
        if len(content) != last - first + 1:
            raise DependencyUnavailableError(
                f"{self._stored.key}: S3 gave {len(content):,} bytes where {last - first + 1:,} were asked for"
            )
        return content

    def _ask(self, first: int, last: int) -> Any:
        self.requests += 1
        return self._s3.get_object(
            Bucket=self._bucket, Key=self._stored.key, Range=f"bytes={first}-{last}", **self._pin
        )


def open_ranged(s3: Any, bucket: str, stored: StoredObject) -> IO[bytes]:
    """Return a buffered, seekable file over an object."""
    return io.BufferedReader(RangedReader(s3, bucket, stored), buffer_size=1024 * 1024)
