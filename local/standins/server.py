"""The server: binds the port, says where it is, and ends cleanly."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from local.standins.a2i_runtime import A2iRuntime
from local.standins.app import App
from local.standins.bedrock import Bedrock
from local.standins.bedrock_runtime import BedrockRuntime
from local.standins.calls import CallLog
from local.standins.desk import Desk
from local.standins.rekognition import Rekognition
from local.standins.sagemaker import SageMaker
from local.standins.service import World

HOST = "127.0.0.1"
#: What is played. A further service is one more class here.
SERVICES = (Rekognition, Bedrock, BedrockRuntime, SageMaker, A2iRuntime)
CALLS_FILE = "calls.jsonl"
READY_FILE = "standins.json"


class StandinServer:
    """The stand-ins on one loopback port."""

    def __init__(self, state: Path, port: int = 0, log_level: str = "warning") -> None:
        """Bind the port; nothing is answered before ``serve``.

        Args:
            state: A folder for ``calls.jsonl`` and ``standins.json``, made if it is not there.
            port: 1..65535, or 0 for any that is free.
            log_level: uvicorn's level: ``critical``, ``error``, ``warning``, ``info`` or ``debug``.

        Raises:
            OSError: The port is taken.
        """
        self.state = state
        (state / READY_FILE).unlink(missing_ok=True)
        # asyncio sets TCP_NODELAY only on sockets that name TCP; without it each answer takes 40 ms more.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self.world = World(state)
        self.desk = Desk([service(self.world) for service in SERVICES], CallLog(state / CALLS_FILE))
        self._server = uvicorn.Server(
            uvicorn.Config(
                App(self.desk, self.world, self._cut),
                log_level=log_level,
                access_log=False,
                lifespan="off",
                http="h11",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=60,
                timeout_graceful_shutdown=5,
            )
        )

    @property
    def url(self) -> str:
        """The endpoint URL for clients."""
        return f"http://{HOST}:{self.port}"

    def serve(self) -> None:
        """Answer requests until ``stop``; in the main thread, until SIGTERM or SIGINT, too."""
        threading.Thread(target=self.world.human_loops.watch, name="human-loops", daemon=True).start()
        try:
            asyncio.run(self._serve())
        finally:
            self._socket.close()
            self.desk.close()
            self.world.close()
            (self.state / READY_FILE).unlink(missing_ok=True)

    def stop(self) -> None:
        """Ask the server to end; safe from any thread."""
        self._server.should_exit = True

    async def _serve(self) -> None:
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.01)
        if self._server.started:
            ready = json.dumps({"port": self.port, "pid": os.getpid()})
            draft = self.state / f"{READY_FILE}.part"
            draft.write_text(ready + "\n", encoding="utf-8")
            draft.replace(self.state / READY_FILE)
        await serving

    def _cut(self, client: Any) -> None:
        """Cut the connection of a client without an answer."""
        for connection in list(self._server.server_state.connections):
            if tuple(getattr(connection, "client", None) or ()) == tuple(client or ()):
                connection.transport.abort()


@contextmanager
def running(state: Path) -> Iterator[StandinServer]:
    """Run the stand-ins in a thread of this process, on any free port, as tests do.

    Args:
        state: A folder for the call log.

    Yields:
        The server, ready to answer at its ``url``.
    """
    server = StandinServer(state)
    thread = threading.Thread(target=server.serve, name="standins", daemon=True)
    thread.start()
    try:
        for _ in range(1000):
            if (state / READY_FILE).exists() or not thread.is_alive():
                break
            threading.Event().wait(0.01)
        yield server
    finally:
        server.stop()
        thread.join(timeout=10)
