"""``python -m local.gateway --port N --emulator-port N --standins-port N --state DIR``: run it until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from local.gateway.proxy import Place
from local.gateway.server import HOST, Gateway


async def _serve(gateway: Gateway) -> None:
    serving = asyncio.ensure_future(gateway.serve())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def main(arguments: list[str] | None = None) -> int:
    """Run the gateway.

    Returns:
        0 after a clean end, 2 if the port is taken.
    """
    parser = argparse.ArgumentParser(prog="python -m local.gateway", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 (default) takes any free one")
    parser.add_argument("--emulator-port", type=int, required=True)
    parser.add_argument("--standins-port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder for gateway.jsonl")
    options = parser.parse_args(arguments)
    try:
        gateway = Gateway(
            options.state,
            emulator=Place(HOST, options.emulator_port),
            standins=Place(HOST, options.standins_port),
            root=(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]),
            region=os.environ["AWS_REGION"],
            port=options.port,
        )
    except OSError as error:
        sys.stderr.write(f"The gateway cannot listen on {HOST}:{options.port}: {error}. Choose another --port.\n")
        return 2
    asyncio.run(_serve(gateway))
    return 0


if __name__ == "__main__":
    sys.exit(main())
