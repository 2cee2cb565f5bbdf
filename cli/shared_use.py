"""One embedded AWS that several commands use at once: it ends with the last of them."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Use:
    """A command's use of the embedded AWS of a folder, for as long as the file is open."""

    def __init__(self, lock: IO[str]) -> None:
        self._lock = lock

    def wait_for_others(self, tell: Callable[[], None]) -> None:
        """Return when no other command uses it; whoever comes then waits until this one has ended.

        Args:
            tell: Says that there are others, before they are waited for.
        """
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell()
            fcntl.flock(self._lock, fcntl.LOCK_EX)


@contextmanager
def in_use(state_dir: Path) -> Iterator[Use]:
    """Use the embedded AWS of a folder within the block. A command that is killed uses it no more."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "in-use.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield Use(lock)
