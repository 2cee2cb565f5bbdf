"""A gateway in a thread of the test process, before whatever listens."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.gateway.proxy import Place
from local.gateway.server import Gateway

ROOT_KEY = "root-key"


@contextmanager
def running_gateway(state: Path, *, emulator: int, standins: int) -> Iterator[Gateway]:
    """Run a gateway before two ports of this machine, as long as the block lasts."""
    gateway = Gateway(
        state,
        emulator=Place("127.0.0.1", emulator),
        standins=Place("127.0.0.1", standins),
        root=(ROOT_KEY, "secret"),
        region="us-east-1",
    )
    started, loops = threading.Event(), []

    async def serve() -> None:
        loops.append((asyncio.get_running_loop(), serving := asyncio.ensure_future(gateway.serve())))
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="gateway", daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield gateway
    finally:
        ((loop, serving),) = loops
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(timeout=10)
        assert not thread.is_alive(), "it ends, whatever it has in hand"
