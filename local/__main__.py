"""`python -m local up|down|status|env|custom-labels`: the embedded AWS of this checkout, by hand.

`eval "$(python -m local env)"` makes any AWS tool of a shell use it.
`python -m local custom-labels PROJECT.yaml` trains a Custom Labels model of the stand-in.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from local.custom_labels import TrainingRefusedError, train
from local.deployment import DeploymentError
from local.embedded_aws import EmbeddedAws
from local.instance import InstanceError
from local.tools import REPOSITORY, SetupMissingError


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local", description="The embedded AWS of this checkout, by hand."
    )
    parser.add_argument("command", choices=("up", "down", "status", "env", "custom-labels"))
    parser.add_argument("project", nargs="?", type=Path, help="project file, for custom-labels")
    asked = parser.parse_args()
    command = asked.command
    if (command == "custom-labels") != (asked.project is not None):
        parser.error("custom-labels needs a project file, and the other commands take none")
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
        elif command == "custom-labels":
            arn = train(aws, aws.outputs["MediaBucketName"], asked.project)
            print(f"detection:\n  methods: [custom_labels]\n  custom_labels_model: {arn}")
            return 0
    except (SetupMissingError, InstanceError, DeploymentError, TrainingRefusedError) as error:
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
