"""The container of a training job here: the entry point as a process, which never outlives the stand-ins."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.tools import REPOSITORY

TRAINING = REPOSITORY / "training"
_LEASH = Path(__file__).with_name("leash.py")
#: Of the stand-ins' own environment nothing else goes on: no keys, no endpoint, no proxy.
_INHERITED = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")


class ContainerUnavailableError(Exception):
    """There is no environment that the entry point could run in."""


def training_python() -> Path:
    """Return the interpreter that stands for the image: ``STORYCAST_TRAINING_PYTHON``, or ours.

    Raises:
        ContainerUnavailableError: It is not there.
    """
    named = os.environ.get("STORYCAST_TRAINING_PYTHON")
    python = Path(named) if named else REPOSITORY / ".tools/training/bin/python"
    if not python.exists():
        told = "STORYCAST_TRAINING_PYTHON names it. Or run" if named else "Run"
        raise ContainerUnavailableError(
            f"The local stand-in has no {python} to train with. {told} `make setup-training`."
        )
    return python


class ContainerProcess:
    """A run of Python in the folder ``training``, without a network's use."""

    def __init__(self, arguments: Sequence[str], log: Path, home: Path, variables: Mapping[str, str]) -> None:
        """Start it.

        Args:
            arguments: Of the interpreter.
            log: What it prints is appended here.
            home: Its home folder, made if it is not there: caches of libraries go there.
            variables: Of its environment, beside the few that every one has.

        Raises:
            ContainerUnavailableError: There is no interpreter.
        """
        python = training_python()
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "HOME": str(home),
            "TMPDIR": str(home),
            "PYTHONUNBUFFERED": "1",
            # On busy cores threads wait for each other: with two the small model takes sixteen times as long.
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **variables,
        }
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-I", str(_LEASH), str(python), *arguments],
                cwd=TRAINING,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that holds the leash."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def close(self) -> None:
        """End it at once if it has not ended, with all that it started, and wait for that."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()
