"""A Docker engine for the tests: the one that runs here, or one of our own that ends with them."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.sam.commands import TIED, CommandError, run

#: Of an engine of our own, which root alone can start. Paths of sockets must be short.
_SOCKETS = Path("/run/storycast-docker")
_START_S = 60
_STOP_S = 30
_TURN_S = 900


class NoEngineError(Exception):
    """There is no Docker engine, and none can be started."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers.

    Attributes:
        host: Its address for `DOCKER_HOST`; None for the client's own default.
        own: Whether it was started for these tests, and nobody else uses it.
    """

    host: str | None
    own: bool

    @property
    def env(self) -> dict[str, str]:
        """Variables by which docker and sam find it; without BuildKit, which needs more than docker.io has."""
        return {"DOCKER_BUILDKIT": "0", **({"DOCKER_HOST": self.host} if self.host else {})}

    def docker(self, *words: str | Path, timeout_s: float = 120, check: bool = True) -> str:
        """Run a docker command and return what it printed."""
        return run(["docker", *words], env=self.env, timeout_s=timeout_s, check=check).stdout


@contextlib.contextmanager
def an_engine(folder: Path) -> Iterator[Engine]:
    """Give an engine for the block: the running one, else one of our own.

    Args:
        folder: Where an engine of our own keeps its images; it is removed at the end.

    Raises:
        NoEngineError: There is none; the message says what to install or start.
    """
    if shutil.which("docker") is None:
        raise NoEngineError(
            "`docker` is not installed. Install Docker, or as root `apt-get install docker.io iptables`."
        )
    running = run(["docker", "version", "--format", "{{.Server.Version}}"], timeout_s=20, check=False)
    if running.returncode == 0:
        yield Engine(None, own=False)
        return
    said = running.stderr.strip().splitlines()
    if os.environ.get("DOCKER_HOST"):
        raise NoEngineError(
            f"No Docker engine answers at DOCKER_HOST ({said[-1:]}). Start it, or unset DOCKER_HOST."
        )
    missing = [name for name in ("dockerd", "iptables", "setpriv") if not _program(name)]
    if missing or os.geteuid() != 0:
        raise NoEngineError(
            f"No Docker engine answers ({' '.join(said[-1:])}), and none can be started here: "
            + (f"{', '.join(missing)} not installed. " if missing else "that needs root. ")
            + "Start Docker and run `make test-sam` again."
        )
    with _own_engine(folder) as engine:
        yield engine


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@contextlib.contextmanager
def _own_engine(folder: Path) -> Iterator[Engine]:
    # Two engines would share the bridge and the firewall, so they take turns; dockerd holds the lock itself.
    with _SOCKETS.with_suffix(".lock").open("w") as lock:
        _take_turns(lock)
        for left in (_SOCKETS, folder):  # of tests that were killed
            _remove(left)
            left.mkdir(parents=True)
        network = _Network()
        process = _start(folder, lock.fileno())
        try:
            engine = Engine(f"unix://{_SOCKETS}/docker.sock", own=True)
            _wait(engine, process, folder / "dockerd.log")
            yield engine
        finally:
            _stop(process)
            network.restore()
            _remove(_SOCKETS)
            _remove(folder)


def _take_turns(lock: IO[str]) -> None:
    deadline = time.monotonic() + _TURN_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise NoEngineError(f"Another run's engine has held {lock.name} for {_TURN_S} s.") from None
            time.sleep(1)
        else:
            return


def _start(folder: Path, lock: int) -> subprocess.Popen[bytes]:
    command = [*TIED, _program("dockerd") or "dockerd"]
    options = {
        "--data-root": folder / "data",
        "--exec-root": _SOCKETS / "exec",
        "--pidfile": _SOCKETS / "docker.pid",
        "--host": f"unix://{_SOCKETS}/docker.sock",
    }
    with (folder / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            [*command, *(str(word) for option in options.items() for word in option)],
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
        )


def _wait(engine: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(CommandError):
            engine.docker("version", "--format", "{{.Server.Version}}", timeout_s=10)
            return
        time.sleep(0.1)
    raise NoEngineError(f"dockerd did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _remove(folder: Path) -> None:
    """Remove a folder of an engine that has ended, with mounts that it may have left."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{folder}/")]):
        run(["umount", "--lazy", mount], check=False)
    shutil.rmtree(folder, ignore_errors=True)


class _Network:
    """What dockerd changes in the machine's network, as it was before."""

    _FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
    _BRIDGE = Path("/sys/class/net/docker0")
    _EMPTY = {  # noqa: RUF012 -- never changed
        "filter": "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n",
        "nat": "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n",
    }

    def __init__(self) -> None:
        saved = run([_program("iptables-save") or "iptables-save"], check=False)
        self._rules = (
            ""
            if saved.returncode
            else saved.stdout
            + "".join(rules for table, rules in self._EMPTY.items() if f"*{table}\n" not in saved.stdout)
        )
        self._forward = self._FORWARD.read_text()
        self._had_bridge = self._BRIDGE.exists()

    def restore(self) -> None:
        if self._rules:
            subprocess.run(
                [_program("iptables-restore") or "iptables-restore"],
                input=self._rules,
                text=True,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        with contextlib.suppress(OSError):
            self._FORWARD.write_text(self._forward)
        if not self._had_bridge and _program("ip"):
            run([_program("ip") or "ip", "link", "delete", "docker0"], check=False)
