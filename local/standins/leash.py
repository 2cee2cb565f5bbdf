"""Runs a command for as long as whoever started this lives: ``python leash.py COMMAND...``.

The command gets a process group of its own. SIGTERM is handed on to it; when standard input closes, because its
owner closed it or ended in whatever way, the whole group is killed. Nothing but the standard library: it starts
in a moment.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Run the command.

    Returns:
        Its exit code, or 128 and the number of the signal that ended it.
    """
    is_asked, group = False, 0

    def hand_on(*_: object) -> None:
        nonlocal is_asked
        is_asked = True
        if group:
            _signal(group, signal.SIGTERM)

    signal.signal(signal.SIGTERM, hand_on)
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    group = child.pid
    if is_asked:
        _signal(group, signal.SIGTERM)
    threading.Thread(target=_kill_at_the_end_of_input, args=(group,), daemon=True).start()
    code = child.wait()
    _signal(group, signal.SIGKILL)  # what the command itself left running
    return code if code >= 0 else 128 - code


def _kill_at_the_end_of_input(group: int) -> None:
    sys.stdin.buffer.read()
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    # Without waiting for the thread that reads.
    os._exit(main())
