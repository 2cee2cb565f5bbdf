"""The trainer as a child of the command: started, watched by the files that it writes, ended with the command."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import sleep as pause
from typing import IO

from cli.problems import InputRefusedError, exit_code_of_run
from cli.screen import Screen
from cli.trainer_progress import TrainerProgress, progress_shown, read_progress
from local.tools import REPOSITORY
from storycast.errors import StorycastError

TRAINING = REPOSITORY / "training"
"""Where the package ``trainer`` lies."""
DEFAULT_PYTHON = REPOSITORY / ".tools/training/bin/python"
"""Of the environment that ``make setup-training`` makes."""
_NEEDED = ("torch", "diffusers", "peft", "accelerate")

PAUSE_SECONDS = 0.5
STOP_SECONDS = 120.0
"""How long the trainer may take to save its state; SageMaker gives it as long."""
STOPPED = (143, -signal.SIGTERM)
"""Exit codes of a trainer that was asked to stop: its own when its state is saved, or before it had any."""
_PR_SET_PDEATHSIG = 1


class TrainerFailedError(StorycastError):
    """The trainer ended with an error; the message is its own."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class TrainerStoppedError(StorycastError):
    """Somebody else stopped the trainer; its state is saved."""


def find_python(python: Path | None) -> Path:
    """Return the interpreter that trains.

    Args:
        python: The one that the user names; that of ``make setup-training`` where None.

    Raises:
        InputRefusedError: It is missing, or lacks a package that training needs.
    """
    chosen = python or DEFAULT_PYTHON
    make = "Run `make setup-training`, or name a Python that has them by --python or STORYCAST_TRAINING_PYTHON."
    if not os.access(chosen, os.X_OK) or chosen.is_dir():
        raise InputRefusedError(
            [f"There is no Python for training at {chosen}. It needs {', '.join(_NEEDED)}. {make}"]
        )
    look = f"from importlib.util import find_spec; print(*[n for n in {_NEEDED!r} if find_spec(n) is None])"
    found = subprocess.run(  # noqa: S603 -- the interpreter that the user names
        [chosen, "-c", look], capture_output=True, text=True, check=False, env=_environment(is_offline=True)
    )
    if found.returncode:
        said = (found.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise InputRefusedError([f"{chosen} is no Python that works: {said}. {make}"])
    if missing := found.stdout.split():
        raise InputRefusedError([f"{chosen} has no {', '.join(missing)}. {make}"])
    return chosen


def run_trainer(
    python: Path, root: Path, screen: Screen, *, what: str, is_offline: bool
) -> TrainerProgress | None:
    """Run the trainer over a folder until it ends, and show its progress.

    A KeyboardInterrupt asks it to stop and waits until its state is saved, before it goes on its way; a second one
    ends the trainer at once.

    Args:
        python: The interpreter.
        root: The folder, laid out as :mod:`cli.lora_folder` does it.
        screen: Where to show it.
        what: What it does, in a word, such as ``Training``.
        is_offline: Whether it must not use the network.

    Returns:
        The last progress.

    Raises:
        TrainerFailedError: It failed; the message is its own, and where its log is.
        TrainerStoppedError: It was stopped from outside.
    """
    (root / "output" / "failure").unlink(missing_ok=True)
    progress_file = root / "checkpoints" / "progress.json"
    progress_file.unlink(missing_ok=True)
    log = root / "log.txt"
    with log.open("ab") as out, progress_shown(screen, what) as shown:
        child = _start([str(python), "-m", "trainer", "--root", str(root)], out, is_offline=is_offline)
        try:
            while child.poll() is None:
                shown.update(read_progress(progress_file))
                pause(PAUSE_SECONDS)
        except KeyboardInterrupt:
            _stop(child, screen)
            raise
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        last = read_progress(progress_file)
        shown.update(last)
    if child.returncode == 0:
        return last
    if child.returncode in STOPPED:
        raise TrainerStoppedError("The trainer was asked to stop from outside.")
    raise _failure(root, child.returncode, log)


def _start(command: Sequence[str], out: IO[bytes], *, is_offline: bool) -> "subprocess.Popen[bytes]":
    # Loaded here: nothing but the call itself may happen between fork and exec.
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def end_with_the_command() -> None:
        # Where the command is killed outright, nobody else would tell the trainer.
        if libc:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(  # noqa: S603 -- the interpreter that the user names
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        env=_environment(is_offline=is_offline),
        process_group=0,  # Ctrl-C on the terminal reaches the command alone, which asks the trainer to save
        preexec_fn=end_with_the_command,  # noqa: PLW1509 -- one system call, in a command without threads
    )


def _environment(*, is_offline: bool) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "VIRTUAL_ENV"}}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if is_offline else {}
    # Telemetry of the model hub's client has no place in somebody's own training.
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**own, **quiet, **offline, "PYTHONPATH": str(TRAINING)}


def _stop(child: "subprocess.Popen[bytes]", screen: Screen) -> None:
    screen.say(f"Stopping: the trainer saves its state, which may take up to {STOP_SECONDS:.0f} s ...")
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        screen.warn("It did not end in time, and was ended at once. What it saved last is kept.")


def _failure(root: Path, code: int, log: Path) -> TrainerFailedError:
    try:
        told = (root / "output" / "failure").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        told = ""
    name, _, message = told.partition(": ")
    where = f"Its log: {log}"
    if message and name.isidentifier():
        return TrainerFailedError(f"{name}: {message} {where}", exit_code_of_run(name))
    if told:
        return TrainerFailedError(f"{told} {where}", 1)
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    hint = " (out of memory, where nobody ended it)" if code == -signal.SIGKILL else ""
    return TrainerFailedError(f"The trainer {ended}{hint} and said nothing. {where}", 1)
