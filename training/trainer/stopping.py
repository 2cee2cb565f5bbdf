"""Ending when asked to: SageMaker sends SIGTERM, and two minutes later SIGKILL."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 143
"""What a shell says of a process that SIGTERM ended."""


class Stopped(BaseException):
    """The job was asked to end; no Exception, since nothing that handles errors may swallow it."""


class StopSignal:
    """Whether the job was asked to end; raises :class:`Stopped` at once, but where that is put off."""

    def __init__(self) -> None:
        self.requested = False
        self._put_off = False

    def listen(self) -> None:
        """Take SIGTERM from now on; from the main thread."""
        signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if not self._put_off:
            raise Stopped

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Within this, whoever works looks at :attr:`requested` and ends by themselves."""
        self._put_off = True
        try:
            yield
        finally:
            self._put_off = False
