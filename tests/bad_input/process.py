"""A process for each case, with limits of memory and time: what a case does to it is seen and hurts nobody."""

import multiprocessing
import os
import resource
import shutil
import tempfile
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.bad_input.corpus import Outcome, find

MOST_CPU_S = 30
LONGEST_S = 90
"""By the clock, beside others on a busy machine."""
MOST_ADDRESSES_BYTES = 5 * 1024**3
"""Of which libraries reserve many; what is used is measured by the doors."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.bad_input.preloaded"])


@dataclass(frozen=True)
class Judged:
    """What became of a case: an outcome, or the bug that it showed."""

    outcome: Outcome | None
    bug: str
    peak_mb: int
    seconds: float


def judge(what: str) -> Judged:
    """Give a case to its door in a new process."""
    ours, theirs = _CONTEXT.Pipe()
    folder = Path(tempfile.mkdtemp(prefix="bad-input-"))
    process = _CONTEXT.Process(target=_work, args=(what, str(folder), theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(LONGEST_S):
            return Judged(None, f"no end after {LONGEST_S} s", 0, LONGEST_S)
        judged: Judged = ours.recv()
    except EOFError:
        process.join(10)
        return Judged(None, f"the process died ({process.exitcode})", 0, 0)
    else:
        return judged
    finally:
        process.kill()
        process.join(10)
        ours.close()
        shutil.rmtree(folder, ignore_errors=True)


def _work(what: str, folder: str, pipe: Connection) -> None:
    os.chdir(folder)
    for name, most in ((resource.RLIMIT_AS, MOST_ADDRESSES_BYTES), (resource.RLIMIT_CPU, MOST_CPU_S)):
        resource.setrlimit(name, (most, most))
    outcome, bug = None, ""
    try:
        outcome = find(what).outcome()
    except BaseException:
        bug = traceback.format_exc()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pipe.send(Judged(outcome, bug, usage.ru_maxrss // 1024, usage.ru_utime + usage.ru_stime))
