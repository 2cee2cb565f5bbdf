"""A seekable file over an object in S3, read in cached ranges, so that a decoder never gets a URL."""

import io
import time
from collections import OrderedDict
from typing import IO, Any

from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from storycast.adapters.faults import translated
from storycast.errors import DependencyUnavailableError, FootageMissingError
from storycast.ports import Reads, StoredObject

BLOCK_BYTES = 1024 * 1024
"""A jump reads so much: an MP4's first box, the end of its index, the place of a keyframe."""
MOST_BLOCKS_AT_ONCE = 8
"""Each read that goes on where the last one ended is twice as long, up to this."""
MAX_BLOCKS = 32
"""Demuxers go back and forth between an index and the data; 32 MiB hold both, even of a long film."""
ATTEMPTS = 4
"""Of one range; each goes on where the connection was cut."""
PAUSE_S = 0.2
"""Before the second attempt; twice as long before each further one."""
BUFFER_BYTES = 256 * 1024
_PIECE_BYTES = 256 * 1024

_CHANGED = dict.fromkeys(("PreconditionFailed", "NoSuchVersion", "NoSuchKey"), FootageMissingError)
_CUT = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
"""What botocore, which repeats requests, does not repeat: the body's connection broke."""


class RangedReader(io.RawIOBase):
    """Reads one content of an object: a version where the bucket keeps versions, else an ETag."""

    def __init__(self, s3: Any, bucket: str, stored: StoredObject, reads: Reads | None = None) -> None:
        self._s3, self._bucket, self._stored = s3, bucket, stored
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._pin = {"VersionId": stored.version_id} if stored.version_id else {"IfMatch": f'"{stored.etag}"'}
        self._next_block, self._run_blocks = -1, 1
        self.reads = reads or Reads()
        """Requests made and bytes that came so far."""

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
        part = memoryview(self._block(number))[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        self._run_blocks = min(2 * self._run_blocks, MOST_BLOCKS_AT_ONCE) if number == self._next_block else 1
        end = number + 1
        while end < number + self._run_blocks and end not in self._blocks:
            end += 1
        first, last = number * BLOCK_BYTES, min(end * BLOCK_BYTES, self._stored.size_bytes) - 1
        with translated(f"reading {self._stored.key}", _CHANGED):
            content = self._part(first, last)
        self._next_block = end
        for start in range(0, len(content), BLOCK_BYTES):
            self._blocks[number + start // BLOCK_BYTES] = content[start : start + BLOCK_BYTES]
        while len(self._blocks) > MAX_BLOCKS:
            self._blocks.popitem(last=False)
        return self._blocks[number]

    def _part(self, first: int, last: int) -> bytes:
        """Return the bytes from ``first`` to ``last``, in as many requests as the connection needs."""
        content = bytearray()
        wanted = last - first + 1
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._fill(content, first, last)
            except _CUT:
                if attempt == ATTEMPTS:
                    raise
            if len(content) >= wanted:
                break
            if attempt < ATTEMPTS:
                time.sleep(PAUSE_S * 2 ** (attempt - 1))
        if len(content) != wanted:
            raise DependencyUnavailableError(
                f"{self._stored.key}: S3 gave {len(content):,} bytes where {wanted:,} were asked for"
            )
        return bytes(content)

    def _fill(self, content: bytearray, first: int, last: int) -> None:
        """Ask for what ``content`` lacks and add what comes.

        HTTP lets a server answer with everything, and the local emulator does so for versions: then the content is
        pinned by its ETag instead, before the whole of a film is read.
        """
        answer = self._ask(first + len(content), last)
        if "ContentRange" not in answer and "VersionId" in self._pin:
            answer["Body"].close()
            self._pin = {"IfMatch": f'"{self._stored.etag}"'}
            answer = self._ask(first + len(content), last)
        for piece in answer["Body"].iter_chunks(_PIECE_BYTES):
            self.reads.bytes_read += len(piece)
            content += piece

    def _ask(self, first: int, last: int) -> Any:
        self.reads.requests += 1
        return self._s3.get_object(
            Bucket=self._bucket, Key=self._stored.key, Range=f"bytes={first}-{last}", **self._pin
        )


def open_ranged(s3: Any, bucket: str, stored: StoredObject, reads: Reads | None = None) -> IO[bytes]:
    """Return a buffered, seekable file over an object; ``reads`` counts what it takes."""
    return io.BufferedReader(RangedReader(s3, bucket, stored, reads), buffer_size=BUFFER_BYTES)
