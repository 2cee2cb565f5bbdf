"""One instance's processes, seen from outside: started, found, ended."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.supervisor import ALREADY_UP, GRACE_SECONDS
from local.tools import Tools


class InstanceError(Exception):
    """The instance's servers did not start, or did not end."""


@dataclass(frozen=True)
class Server:
    """A program of an instance.

    Attributes:
        name: Names its log, `logs/<name>.log`.
        command: Program and arguments.
        environment: All of its environment: nothing is inherited.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class Instance:
    """The processes that work for one state folder; at most one set of them at a time.

    Args:
        state_dir: The folder; made when missing.
        tools: Where the supervisor's interpreter is.
    """

    def __init__(self, state_dir: Path, tools: Tools) -> None:
        self.state_dir = state_dir.resolve()
        self._tools = tools
        self._leash: int | None = None

    def start(self, servers: Sequence[Server], record: Mapping[str, Any], *, tied: bool) -> None:
        """Start the servers under a supervisor of their own and return at once.

        Args:
            servers: What to run.
            record: Facts to find again through `record()`, while the instance is up.
            tied: End everything when this process ends, however it ends.

        Raises:
            InstanceError: The instance is up already, or its supervisor can't start.
        """
        (self.state_dir / "logs").mkdir(parents=True, exist_ok=True)
        orders = {
            "tied": tied,
            "record": {**record, "tied": tied},
            "servers": [
                {
                    "name": server.name,
                    "command": list(server.command),
                    "environment": dict(server.environment),
                }
                for server in servers
            ],
        }
        # The supervisor reads its orders from this pipe, and later, if tied, sees our end close.
        # A bare descriptor, since nothing but the end of this process or of the instance may close it.
        theirs, ours = os.pipe()
        with (self.state_dir / "logs/supervisor.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 -- our own command line
                [str(self._tools.python), "-m", "local.supervisor", str(self.state_dir)],
                cwd=self._tools.repository,
                stdin=theirs,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        os.close(theirs)
        with os.fdopen(ours, "w", closefd=False) as stream:
            stream.write(json.dumps(orders) + "\n")
        code = process.wait()
        if code == 0 and tied:
            self._leash = ours
        else:
            os.close(ours)
        if code == ALREADY_UP:
            raise InstanceError(f"{self.state_dir} is in use already.")
        if code:
            raise InstanceError(f"The supervisor did not start.\n{self.log_tail()}")

    @property
    def is_up(self) -> bool:
        """Whether a supervisor or a server of this folder lives, in whatever process started it."""
        if not (self.state_dir / "instance.lock").exists():
            return False
        with (self.state_dir / "instance.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def record(self) -> dict[str, Any]:
        """Return the facts given at the start, with the supervisor's `pid`; empty when nothing is up."""
        if not self.is_up:
            return {}
        try:
            found: dict[str, Any] = json.loads((self.state_dir / "instance.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # being written right now
            return {}
        return found

    def stop(self) -> None:
        """End the instance's processes, Lambda workers included, and wait; do nothing when none is up.

        Raises:
            InstanceError: Something survived SIGKILL.
        """
        if self.is_up:
            self._signal(signal.SIGTERM)
            if not self._gone_within(GRACE_SECONDS + 5):
                self.kill()
        self._forget()

    def kill(self) -> None:
        """End the instance's processes at once, so that the emulator saves nothing.

        Raises:
            InstanceError: Something survived SIGKILL.
        """
        if self.is_up:
            self._signal(signal.SIGKILL)
            if not self._gone_within(5):
                raise InstanceError(f"Processes of {self.state_dir} survived SIGKILL.")
        self._forget()

    def _forget(self) -> None:
        (self.state_dir / "instance.json").unlink(missing_ok=True)
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None

    def _signal(self, number: int) -> None:
        """Signal the whole process group.

        A held lock means that a member of the group lives, so its number can't have gone to someone else.
        """
        deadline = time.monotonic() + 5
        while "pid" not in (record := self.record()):
            if not self.is_up:
                return
            if time.monotonic() > deadline:
                raise InstanceError(f"{self.state_dir / 'instance.json'} is missing while the instance is up.")
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(record["pid"], number)

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_up:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes from starting or changing the same instance at the same time."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with (self.state_dir / "up.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of each log, for error messages."""
        tails = []
        for log in sorted((self.state_dir / "logs").glob("*.log")):
            if not log.name.endswith(".previous.log"):
                text = log.read_text(errors="replace").splitlines()[-lines:]
                tails.append("\n".join([f"--- {log}", *text]))
        return "\n".join(tails)
