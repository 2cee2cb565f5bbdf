"""Serving an app on loopback, in a thread beside the command."""

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
PORT = 8765
PORTS = 20
"""How many ports are tried from the first one on, where nobody names one."""


class PortTakenError(Exception):
    """No port that may be used is free; the message names them."""


def new_key() -> str:
    """Return a key that nobody can guess."""
    return secrets.token_urlsafe(32)


class Serving:
    """A server on one loopback port; what asks before :meth:`start` waits.

    Args:
        app: What it serves.
        port: The port; the first free one from :data:`PORT` on where None.

    Raises:
        PortTakenError: It is taken.
    """

    def __init__(self, app: ASGIApp, port: int | None = None) -> None:
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                http="h11",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="review page", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End, and answer what has come before."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._socket.close()

    def _serve(self) -> None:
        # Not Server.run(): in the main thread alone may a server take the signals, and they are the command's.
        asyncio.run(self._server.serve(sockets=[self._socket]))


@contextlib.contextmanager
def served(make: Callable[[str], ASGIApp], port: int | None = None) -> Iterator[str]:
    """Serve an app inside the block.

    Args:
        make: Makes the app for a key.
        port: The port; the first free one from :data:`PORT` on where None.

    Yields:
        The address to open, with its key.

    Raises:
        PortTakenError: It is taken.
    """
    key = new_key()
    serving = Serving(make(key), port)
    serving.start()
    try:
        yield f"http://{HOST}:{serving.port}/?key={key}"
    finally:
        serving.stop()


def _bound(port: int | None) -> socket.socket:
    tried = [port] if port is not None else range(PORT, PORT + PORTS)
    for number in tried:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Or a port would not be free for a minute after the last page on it.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, number))
            found.listen(128)
        except OSError:
            found.close()
            continue
        return found
    which = f"Port {port} is" if port is not None else f"The ports {PORT} to {PORT + PORTS - 1} are"
    raise PortTakenError(f"{which} taken on {HOST}, or may not be used. Name another one with --port.")
