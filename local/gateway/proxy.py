"""The proxy: hands each request on byte for byte, and the answer back; a fault rule may come between."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from local.faults import CONNECTION_CUT, DONE, GARBAGE, TRUNCATED, FaultRule, Faults
from local.gateway import answers
from local.gateway.callers import Callers
from local.gateway.messages import HEAD_LIMIT, Head, MessageError, body_of_answer, body_of_request, read_head
from local.gateway.operations import Asked, asked_by, signed_by
from local.gateway.records import CallRecord, Records

_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"(?:__type|code|Code)\"\s*:\s*\"(?:[^\"]*#)?([^\"]+)\"")
#: As much of an answer is looked at for an error's code, or a role's key.
_LOOK_BYTES = 64 * 1024


class LostError(Exception):
    """The caller gets no answer, or no whole one: its connection is cut."""


@dataclass(frozen=True)
class Place:
    """Where a server listens."""

    host: str
    port: int


class Upstreams:
    """The connections to the servers that one caller's connection uses, each kept for its next request."""

    def __init__(self) -> None:
        self._open: dict[Place, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def connect(self, place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection that still holds."""
        if place in self._open:
            reader, writer = self._open[place]
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            self.drop(place)
        reader, writer = await asyncio.open_connection(place.host, place.port, limit=HEAD_LIMIT)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open[place] = (reader, writer)
        return reader, writer

    def drop(self, place: Place) -> None:
        """Close a connection."""
        if place in self._open:
            writer = self._open.pop(place)[1]
            writer.transport.abort()

    def close(self) -> None:
        """Close all of them."""
        for place in list(self._open):
            self.drop(place)


class Proxy:
    """Serves connections.

    Args:
        place_of: Which server a service is on, by the name in a signature's scope; empty for unsigned requests.
        callers: Knows whose keys are whose.
        records: Gets a line for each request.
        faults: The rules in force.
        spared: The access key whose calls no rule hits: the account root's, who sets the scene.
    """

    def __init__(
        self,
        place_of: Callable[[str], Place],
        callers: Callers,
        records: Records,
        faults: Faults,
        spared: str,
    ) -> None:
        self._place_of = place_of
        self._callers = callers
        self._records = records
        self._faults = faults
        self._spared = spared

    async def serve(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: Upstreams
    ) -> bool:
        """Answer one request of a connection.

        Returns:
            Whether the connection can be used again.

        Raises:
            LostError: The connection must be cut.
        """
        begun = time.perf_counter()
        record = CallRecord(dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"))
        try:
            return await self._serve(head, reader, writer, up, record)
        except (MessageError, ConnectionError, OSError) as error:
            raise LostError(str(error)) from error
        finally:
            record.ms = round((time.perf_counter() - begun) * 1000, 1)
            self._records.append(record)

    async def _serve(
        self,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up: Upstreams,
        record: CallRecord,
    ) -> bool:
        signed = signed_by(head)
        if head.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        pieces = body_of_request(head, reader)
        body = b""
        if signed.signing_name != "s3":  # an object may be large, and its request is told by its head
            body = b"".join([piece async for piece in pieces])
        asked = asked_by(head, body, signed.signing_name)
        caller = await self._callers.of(signed.access_key_id)
        record.access_key_id = signed.access_key_id or None
        record.role, record.function = caller.role, caller.function
        record.service, record.operation = asked.service or None, asked.operation or None
        record.resources = asked.resources
        record.request_bytes = len(head.raw) + len(body)
        rule = None
        if asked.operation and signed.access_key_id != self._spared:
            rule = self._faults.next_for(asked.service, asked.operation)
        if rule:
            record.fault = rule.name
            await asyncio.sleep(rule.delay_ms / 1000)
            if rule.error and rule.error not in DONE:
                async for piece in pieces:
                    record.request_bytes += len(piece)
                return await _broken(rule, asked, head, writer, record)
        return await self._forward(head, body, pieces, writer, up, record, rule)

    async def _forward(
        self,
        head: Head,
        body: bytes,
        pieces: AsyncIterator[bytes],
        writer: asyncio.StreamWriter,
        up: Upstreams,
        record: CallRecord,
        rule: FaultRule | None,
    ) -> bool:
        place = self._place_of(signed_by(head).signing_name)
        answered = False
        try:
            from_up, to_up = await up.connect(place)
            to_up.write(head.raw + body)
            async for piece in pieces:
                record.request_bytes += len(piece)
                to_up.write(piece)
                await to_up.drain()
            told = await read_head(from_up)
            while told is not None and told.status < 200:  # it says that it goes on, as we have said already
                told = await read_head(from_up)
            if told is None:
                raise LostError("the server closed the connection")
            record.status = told.status
            await self._hand_back(told, from_up, writer, head, record, rule)
            answered = not told.closes
        finally:
            if not answered:
                up.drop(place)
        return not (head.closes or told.closes)

    async def _hand_back(
        self,
        told: Head,
        from_up: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        head: Head,
        record: CallRecord,
        rule: FaultRule | None,
    ) -> None:
        """Give the answer to the caller, or as much of it as a rule leaves."""
        start = b""
        held = []
        holds = rule is not None and rule.error in DONE
        if not holds:
            writer.write(told.raw)
        record.response_bytes = len(told.raw)
        async for piece in body_of_answer(told, from_up, head.method):
            record.response_bytes += len(piece)
            start += piece[: max(0, _LOOK_BYTES - len(start))]
            if holds:
                held.append(piece)
                continue
            writer.write(piece)
            await writer.drain()
        if told.status >= 400:
            record.error = (
                told.headers.get("x-amzn-errortype", "").partition(":")[0] or _code(start) or str(told.status)
            )
        if record.operation in ("AssumeRole", "AssumeRoleWithWebIdentity"):
            role = next((name for name in record.resources if ":role/" in name), "")
            self._callers.learn(start, role)
        if holds:
            if rule and rule.error == TRUNCATED and (whole := b"".join(held)):
                writer.write(told.raw + whole[: len(whole) // 2])
                await writer.drain()
            else:
                record.status = 0
            raise LostError(rule.name if rule else "")
        await writer.drain()


async def _broken(
    rule: FaultRule, asked: Asked, head: Head, writer: asyncio.StreamWriter, record: CallRecord
) -> bool:
    """Answer as a rule says, in place of the service."""
    code = rule.error or ""
    if code == CONNECTION_CUT:
        raise LostError(code)
    if code == GARBAGE:
        told = answers.garbage(head.method)
    else:
        told = answers.error(asked.service, asked.operation, code, str(uuid.uuid4()), head.method)
        record.error = code
    record.status, record.response_bytes = int(told[9:12]), len(told)
    writer.write(told)
    await writer.drain()
    return not head.closes


def _code(body: bytes) -> str:
    found = _CODE.search(body)
    return (found[1] or found[2]).decode("utf-8", "replace") if found else ""
