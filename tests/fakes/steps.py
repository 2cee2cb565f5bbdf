"""Functions that die, and functions that run at once: every call of a port is a place to stop at."""

import threading
from collections.abc import Callable, Iterator
from typing import Any


class DiedError(BaseException):
    """The function died: no code of ours sees it, as no code sees Lambda's end."""


class Stepped:
    """A port whose every call passes a gate before and after it takes effect."""

    def __init__(self, port: Any, gate: Callable[[str], None]) -> None:
        self._port = port
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **named: Any) -> Any:
            self._gate(f"before {name}")
            answer = value(*arguments, **named)
            self._gate(f"after {name}")
            return iter(list(answer)) if isinstance(answer, Iterator) else answer

        return call


class DiesAt:
    """A gate that lets so many places pass, and then dies."""

    def __init__(self, place: int) -> None:
        self._left = place
        self.died_at = ""

    def __call__(self, place: str) -> None:
        if self._left == 0:
            self.died_at = place
            raise DiedError(place)
        self._left -= 1


class Meanwhile:
    """A gate at whose first passage of a place something else happens."""

    def __init__(self, place: str, act: Callable[[], object]) -> None:
        self._place = place
        self._act: Callable[[], object] | None = act

    def __call__(self, place: str) -> None:
        if place == self._place and self._act is not None:
            act, self._act = self._act, None
            act()

    @property
    def has_happened(self) -> bool:
        return self._act is None


class Invocation:
    """A function at work in a thread of its own, which goes on only when it is told to: one place at a time."""

    def __init__(self, work: Callable[[Callable[[str], None]], Any]) -> None:
        self._turn = threading.Semaphore(0)
        self._paused = threading.Semaphore(0)
        self._dies = False
        self.is_done = False
        self.answer: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def step(self, places: int = 1) -> None:
        """Go on to the next place, or to the end."""
        for _ in range(places):
            if self.is_done:
                return
            self._turn.release()
            self._paused.acquire()

    def finish(self) -> None:
        while not self.is_done:
            self.step()

    def die(self) -> None:
        self._dies = True
        self.finish()

    def _gate(self, _place: str) -> None:
        self._paused.release()
        self._turn.acquire()
        if self._dies:
            raise DiedError

    def _run(self, work: Callable[[Callable[[str], None]], Any]) -> None:
        self._turn.acquire()
        try:
            if not self._dies:
                self.answer = work(self._gate)
            else:
                self.error = DiedError()
        except BaseException as error:
            self.error = error
        self.is_done = True
        self._paused.release()
