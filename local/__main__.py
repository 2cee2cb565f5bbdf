"""`python -m local up|down|status|env`: the embedded AWS of this checkout, by hand.

`eval "$(python -m local env)"` makes any AWS tool of a shell use it.
"""

import argparse
import shlex
import sys
import time

from local.deployment import DeploymentError
from local.embedded_aws import EmbeddedAws
from local.instance import InstanceError
from local.tools import REPOSITORY, SetupMissingError


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local", description="The embedded AWS of this checkout, by hand."
    )
    parser.add_argument("command", choices=("up", "down", "status", "env"))
    command = parser.parse_args().command
    aws = EmbeddedAws(REPOSITORY / ".storycast/aws")
    started = time.monotonic()
    try:
        if command == "up":
            aws.up()
            print(f"up after {time.monotonic() - started:.1f} s")
        elif command == "down":
            aws.down()
        elif command == "env":
            print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in aws.environment().items()))
            return 0
    except (SetupMissingError, InstanceError, DeploymentError) as error:
        print(error, file=sys.stderr)
        return 1
    status = aws.status()
    if not status.endpoints:
        print("not up")
        return 0
    print(f"emulator   {status.endpoints.emulator}")
    print(f"stand-ins  {status.endpoints.standins}")
    for name, value in sorted(status.outputs.items()):
        print(f"{name} = {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
