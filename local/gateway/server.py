"""The gateway's port: connections come in, are served by the proxy, and the gateway's own routes answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from local.faults import FAULT_RULES, Faults
from local.gateway.answers import answer, check_rule
from local.gateway.callers import Callers
from local.gateway.messages import HEAD_LIMIT, Head, MessageError, body_of_request, read_head
from local.gateway.proxy import LostError, Place, Proxy, Upstreams
from local.gateway.records import Records

HOST = "127.0.0.1"
RECORDS_FILE = "gateway.jsonl"
OWN_ROUTES = "/_gateway/"
#: The names in a signature's scope of the services that the stand-ins play.
STOOD_IN_SIGNATURES = frozenset({"bedrock", "rekognition", "sagemaker"})


class Gateway:
    """Listens on one loopback port.

    Args:
        state: The folder that ``gateway.jsonl`` is written to.
        emulator: Where the emulator listens.
        standins: Where the stand-ins listen.
        root: The account root's key and secret, by which the emulator is asked for its functions.
        region: The region.
        port: 1..65535, or 0 for any that is free.

    Raises:
        OSError: The port is taken.
    """

    def __init__(
        self,
        state: Path,
        *,
        emulator: Place,
        standins: Place,
        root: tuple[str, str],
        region: str,
        port: int = 0,
    ) -> None:
        self.faults = Faults()
        self._root, self._region, self._emulator = root, region, emulator
        self._connections: set[asyncio.Task[Any]] = set()
        self._records = Records(state / RECORDS_FILE)
        self._proxy = Proxy(
            lambda name: standins if name in STOOD_IN_SIGNATURES else emulator,
            Callers(self._functions, root[0]),
            self._records,
            self.faults,
            spared=root[0],
        )
        # asyncio sets TCP_NODELAY only on sockets that name TCP; without it each answer takes 40 ms more.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
            self._socket.listen(512)
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """The endpoint URL for clients."""
        return f"http://{HOST}:{self.port}"

    async def serve(self) -> None:
        """Answer requests until cancelled."""
        server = await asyncio.start_server(self._connection, sock=self._socket, limit=HEAD_LIMIT)
        try:
            # Not serve_forever, which at its end waits for the callers to hang up.
            await asyncio.Event().wait()
        finally:
            server.close()
            server.abort_clients()
            if self._connections:
                await asyncio.wait(self._connections, timeout=1)
            # A call that waits for its server, or for a rule's delay, is written down as far as it came.
            for serving in self._connections:
                serving.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            self._records.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up = Upstreams()
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while (head := await read_head(reader)) is not None:
                if head.path.startswith(OWN_ROUTES):
                    body = b"".join([piece async for piece in body_of_request(head, reader)])
                    writer.write(self._own(head, body))
                    await writer.drain()
                elif not await self._proxy.serve(head, reader, writer, up):
                    break
        except (LostError, MessageError, ConnectionError):
            writer.transport.abort()
        finally:
            up.close()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _own(self, head: Head, body: bytes) -> bytes:
        """The routes that tests use; they need no signature."""
        route = head.path.removeprefix(OWN_ROUTES)
        if (head.method, route) == ("GET", "health"):
            return _json(200, {"ready": True})
        if (head.method, route) == ("DELETE", "faults"):
            self.faults.clear()
            return _json(200, {"rules": 0})
        if (head.method, route) == ("POST", "faults"):
            try:
                rules = FAULT_RULES.validate_json(body)
            except ValidationError as error:
                return _json(400, {"message": str(error)})
            if problems := [problem for rule in rules if (problem := check_rule(rule))]:
                return _json(400, {"message": "; ".join(problems)})
            self.faults.add(rules)
            return _json(200, {"rules": len(rules)})
        return _json(404, {"message": f"No such route: {head.method} {head.path}"})

    def _functions(self) -> list[dict[str, Any]]:
        """Ask the emulator, and not ourselves, for its functions."""
        asking = boto3.Session(*self._root, region_name=self._region).client(
            "lambda",
            endpoint_url=f"http://{self._emulator.host}:{self._emulator.port}",
            config=Config(proxies={}, connect_timeout=5, read_timeout=20),
        )
        try:
            pages = asking.get_paginator("list_functions").paginate()
            return [dict(function) for page in pages for function in page.get("Functions", ())]
        except (ClientError, BotoCoreError):
            return []


def _json(status: int, document: Any) -> bytes:
    return answer(status, "application/json", json.dumps(document).encode())
