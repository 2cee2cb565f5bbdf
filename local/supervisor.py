"""The process that keeps an instance's servers together: they start, and end, as one.

Started as `python -m local.supervisor STATE_DIR`, with its orders as one JSON line on standard input:
`{"tied": bool, "servers": [{"name", "command", "environment"}, ...]}`. It leaves its caller's session, so
the servers, and the Lambda workers that the emulator starts, form one process group that can be ended whole.

`instance.lock` is locked for as long as the supervisor or one of its servers lives. That, not a process
number in a file, is what says that an instance is up: a number may have gone to another program since.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

#: How long a server may take to end once told to. The emulator writes its state to disk in this time.
GRACE_SECONDS = 20.0
#: Exit code: someone else holds the lock.
ALREADY_UP = 3
_POLL_SECONDS = 0.2


class _Stop(BaseException):
    """SIGTERM or SIGINT came."""


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Stop


class Supervisor:
    """Runs the servers of one instance until it is told to end, or one of them ends by itself.

    Args:
        state_dir: The instance's folder; gets `logs/`.
        orders: What to run, as described above.
        lock: The locked file, which every server inherits.
    """

    def __init__(self, state_dir: Path, orders: dict[str, Any], lock: int) -> None:
        self._state_dir = state_dir
        self._orders = orders
        self._lock = lock
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def run(self) -> int:
        """Start the servers and stay until the end.

        Returns:
            0 when told to end, 1 when a server ended by itself.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _stop)
        try:
            for server in self._orders["servers"]:
                self._start(server)
            return self._watch()
        except _Stop:
            return 0
        finally:
            self._end()

    def _start(self, server: dict[str, Any]) -> None:
        log = self._state_dir / "logs" / f"{server['name']}.log"
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        with log.open("wb") as stream:
            self._servers[server["name"]] = subprocess.Popen(  # noqa: S603 -- our own command line
                server["command"],
                env=server["environment"],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                pass_fds=[self._lock],
            )

    def _watch(self) -> int:
        """Wait for a server to end, the folder to go or, if tied, the caller's end of our input to close."""
        inputs = [sys.stdin] if self._orders["tied"] else []
        while True:
            readable, _, _ = select.select(inputs, [], [], _POLL_SECONDS)
            if readable or self._is_orphaned:
                return 0
            for name, server in self._servers.items():
                if server.poll() is not None:
                    print(f"{name} ended by itself with {server.returncode}", flush=True)
                    return 1

    @property
    def _is_orphaned(self) -> bool:
        """Whether the instance's folder was removed under us: nobody could find and end us any more."""
        return os.fstat(self._lock).st_nlink == 0

    def _end(self) -> None:
        """End the servers, gently first, then everything left in the process group, ourselves last."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._is_orphaned:  # a server that saves its state would bring the folder back
            os.killpg(0, signal.SIGKILL)
        for server in self._servers.values():
            server.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for server in self._servers.values():
            try:
                server.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                print(f"{server.args!r} did not end in {GRACE_SECONDS:g} s", flush=True)
        (self._state_dir / "instance.json").unlink(missing_ok=True)
        os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Lock the instance, then supervise it in a process outside the caller's session.

    Returns:
        0 when the instance is starting, `ALREADY_UP` when it was up.
    """
    state_dir = Path(sys.argv[1])
    orders = json.loads(sys.stdin.readline())
    with (state_dir / "instance.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ALREADY_UP
        # The caller waits for this process, and init adopts the other: no zombie is left to anyone.
        if pid := os.fork():
            (state_dir / "instance.json").write_text(json.dumps({"pid": pid, **orders["record"]}))
            return 0
        os.setsid()
        return Supervisor(state_dir, orders, lock.fileno()).run()


if __name__ == "__main__":
    sys.exit(main())
