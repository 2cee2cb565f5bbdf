"""Running programs so that none outlives the tests."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Put before a command: should these tests be killed, it is told to end, too. Linux alone has it.
TIED = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


class CommandError(Exception):
    """A program failed; the message holds its command and the end of what it said."""


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 600,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program in a process group of its own, which ends with this call however that ends.

    Args:
        command: Program and arguments.
        env: Variables on top of this process's own.
        cwd: Folder to run in.
        timeout_s: After this many seconds the group is killed.
        check: Whether a failure is an error.

    Raises:
        CommandError: It failed, or took too long.
    """
    words = [*TIED, *(str(word) for word in command)]
    with subprocess.Popen(
        words,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise CommandError(f"{' '.join(words)}\ntook more than {timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if check and process.returncode:
        raise CommandError(f"{' '.join(words)}\nended with {process.returncode}:\n{(out + err)[-6000:]}")
    return subprocess.CompletedProcess(words, process.returncode, out, err)
