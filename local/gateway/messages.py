"""HTTP/1.1 as bytes: heads are read, bodies are handed on as they come, and nothing is written anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

#: The longest head, far above what an AWS SDK sends: a task token may have 2 KB, a signed session another few.
HEAD_LIMIT = 512 * 1024
_PIECE_BYTES = 256 * 1024


class MessageError(Exception):
    """What came is not HTTP/1.1, or ended in the middle."""


@dataclass(frozen=True)
class Head:
    """The first line and the headers of a request or an answer.

    Attributes:
        raw: All of it as it came, the empty line included.
        first: The first line's three words.
        headers: Values by name in lower case; of a name given twice, the last.
    """

    raw: bytes
    first: tuple[str, str, str]
    headers: dict[str, str]

    @property
    def method(self) -> str:
        """A request's method."""
        return self.first[0]

    @property
    def path(self) -> str:
        """A request's path, still percent-encoded, without its query."""
        return self.first[1].partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """A request's query; a name without a value has an empty one."""
        return dict(parse_qsl(self.first[1].partition("?")[2], keep_blank_values=True))

    @property
    def status(self) -> int:
        """An answer's status.

        Raises:
            MessageError: It has none.
        """
        if not self.first[1].isdecimal():
            raise MessageError(f"no status: {self.first[1][:80]!r}")
        return int(self.first[1])

    @property
    def is_chunked(self) -> bool:
        """Whether the body tells its own length."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        """Bytes of the body; None where the head does not say."""
        told = self.headers.get("content-length", "")
        return int(told) if told.isdecimal() else None

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this message."""
        return self.headers.get("connection", "").lower() == "close" or "HTTP/1.0" in self.first


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Read one head; None where the connection ended before it.

    Raises:
        MessageError: It is no HTTP head, or ended in the middle.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise MessageError("the head ended in the middle") from error
    except (asyncio.LimitOverrunError, ConnectionError) as error:
        raise MessageError(str(error)) from error
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2:
        raise MessageError(f"no HTTP: {first[:80]!r}")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Head(raw, (words[0], words[1], words[2] if len(words) > 2 else ""), headers)


async def body_of_request(head: Head, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield a request's body as it stands on the wire, in pieces."""
    if head.is_chunked:
        async for piece in _chunks(reader):
            yield piece
    elif head.length:
        async for piece in _exactly(head.length, reader):
            yield piece


async def body_of_answer(head: Head, reader: asyncio.StreamReader, method: str) -> AsyncIterator[bytes]:
    """Yield an answer's body as it stands on the wire, in pieces."""
    if method == "HEAD" or head.status in (204, 304) or head.status < 200:
        return
    if head.is_chunked:
        async for piece in _chunks(reader):
            yield piece
    elif head.length is not None:
        async for piece in _exactly(head.length, reader):
            yield piece
    else:
        while piece := await reader.read(_PIECE_BYTES):
            yield piece


async def _exactly(length: int, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    left = length
    while left:
        piece = await reader.read(min(left, _PIECE_BYTES))
        if not piece:
            raise MessageError(f"the body ended {left} bytes early")
        left -= len(piece)
        yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield chunks with their sizes, up to the last one and what trails it."""
    try:
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            if size:
                yield line + await reader.readexactly(size + 2)
                continue
            tail = line
            while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
                tail += line
            yield tail + line
            return
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise MessageError(f"a chunked body broke: {error}") from error
