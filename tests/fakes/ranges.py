"""An S3 client over bytes from anywhere: it gives ranges, counts them, and cuts bodies off if told to."""

import io
import re
from collections.abc import Callable
from typing import Any

from botocore.response import StreamingBody

from storycast.ports import StoredObject


class Ranges:
    """As much of an S3 client as a reader over ranges needs."""

    def __init__(self, size_bytes: int, read: Callable[[int, int], bytes]) -> None:
        self.stored = StoredObject("film", size_bytes, "e" * 32, "v1")
        self.asked: list[tuple[int, int]] = []
        """First and last byte of each request."""
        self.cuts: list[int] = []
        """After how many bytes the bodies of the next answers end."""
        self._read = read

    @classmethod
    def of(cls, content: bytes) -> "Ranges":
        """Return a client over an object's content."""
        return cls(len(content), lambda first, count: content[first : first + count])

    def get_object(self, *, Range: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        """Answer as S3 does; the body checks its length, as botocore's does."""
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", Range)
        assert found, Range
        first, last = int(found[1]), int(found[2])
        self.asked.append((first, last))
        content = self._read(first, last - first + 1)
        given = content[: self.cuts.pop(0)] if self.cuts else content
        return {
            "Body": StreamingBody(io.BytesIO(given), len(content)),
            "ContentRange": f"bytes {first}-{last}/{self.stored.size_bytes}",
        }
