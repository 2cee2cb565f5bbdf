"""What `storycast local` does: the embedded AWS by hand."""

import shlex
import time
from pathlib import Path

from cli.screen import Screen
from cli.target import STATE_DIR
from local.embedded_aws import EmbeddedAws


def bring_up(state: Path | None, screen: Screen) -> None:
    """Start it, and deploy what is not deployed."""
    aws = EmbeddedAws(state or STATE_DIR)
    began = time.monotonic()
    screen.say("Starting the embedded AWS ...")
    aws.up()
    screen.say(f"Up after {time.monotonic() - began:.1f} s.")
    tell_status(state, screen)


def take_down(state: Path | None, screen: Screen) -> None:
    """Stop it, whoever started it."""
    aws = EmbeddedAws(state or STATE_DIR)
    if not aws.status().up:
        screen.say("The embedded AWS is not up.")
        return
    aws.down()
    screen.say(f"Down. What it stored stays in {aws.state_dir}.")


def tell_status(state: Path | None, screen: Screen) -> None:
    """Print endpoints, outputs, and lines for a shell."""
    aws = EmbeddedAws(state or STATE_DIR)
    status = aws.status()
    if status.endpoints is None:
        screen.say("The embedded AWS is not up. `storycast local up` starts it.")
        return
    screen.say(f"Emulator:  {status.endpoints.emulator}")
    screen.say(f"Stand-ins: {status.endpoints.standins}")
    if status.tied:
        screen.say("It ends with the command that started it.")
    if not status.outputs:
        screen.say("The stack is not deployed. `storycast local up` deploys it.")
    for name, value in sorted(status.outputs.items()):
        screen.say(f"{name}: {value}")
    screen.say("For the AWS CLI and other tools, in this shell:")
    for name, value in sorted(aws.environment().items()):
        screen.say(f"  export {name}={shlex.quote(value)}")
