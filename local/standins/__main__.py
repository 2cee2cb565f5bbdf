"""``python -m local.standins --port N --state DIR``: run the stand-ins until SIGTERM."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from local.callers import Callers
from local.servers import ROOT_KEY
from local.standins.catalogue import play_as_the_environment_says
from local.standins.emulator import emulator_client
from local.standins.permissions import Permissions
from local.standins.server import HOST, StandinServer


def main(arguments: list[str] | None = None) -> int:
    """Run the stand-ins.

    Returns:
        0 after a clean end, 2 if the port is taken or the environment names a model that nobody can play.
    """
    parser = argparse.ArgumentParser(prog="python -m local.standins", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 (default) takes any free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for calls.jsonl and standins.json")
    levels = ["critical", "error", "warning", "info", "debug"]
    parser.add_argument("--log-level", choices=levels, default="warning")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    try:
        play_as_the_environment_says()
    except ValueError as error:
        sys.stderr.write(f"STORYCAST_STANDIN_PLAY_ACTIVE: {error}\n")
        return 2
    try:
        server = StandinServer(options.state, options.port, options.log_level)
    except OSError as error:
        sys.stderr.write(
            f"The stand-ins cannot listen on {HOST}:{options.port}: {error}. Choose another --port.\n"
        )
        return 2
    # As the emulator's root they may ask its IAM what others may do.
    if os.environ.get("AWS_ENDPOINT_URL") and os.environ.get("AWS_ACCESS_KEY_ID") == ROOT_KEY:
        server.world.denial = Permissions(server.world, Callers(emulator_client), options.state).denial
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal that ended it once more, for whoever handled it before: that is us.
        signal.signal(number, lambda *_: server.stop())
    server.serve()
    return 0


if __name__ == "__main__":
    status = main()
    # A call may still wait minutes for a vision server, and nobody is left to read its answer.
    os._exit(status)
