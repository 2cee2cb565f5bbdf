"""Turns: which of several runs pays for a result that all of them need at the same moment.

Runs share what they learn of one footage. Two that come to the same frame at once would both pay for it, and
the slower one would write its half over the other's whole. So who is about to pay says so in an object beside the
result's, and whoever else comes waits for the result.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from storycast import keys
from storycast.errors import DependencyUnavailableError
from storycast.footage import Record
from storycast.ports import ObjectChangedError, ObjectStore
from storycast.runs import has_failed

PAUSE_S = 0.25
"""Between two looks for a result that another run is paying for; most take less than a second."""


class Turn(Record):
    """That a run is about to pay for a result."""

    run_id: str
    taken_at: datetime


class Turns:
    """One run's turns.

    A turn ends with the result, and needs no end of its own: one that led to none lapses, at once where its run
    has failed. A run's own attempts are not kept from each other, so that a retry goes on at once.

    Args:
        run_id: The run.
        store: The bucket.
        lapse: How long a turn keeps others off: no less than who pays may take for it.
        until: How long to wait; after it the state machine shall try again later.
        now: The clock.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        run_id: str,
        store: ObjectStore,
        *,
        lapse: timedelta,
        until: datetime,
        now: Callable[[], datetime],
        pause: Callable[[float], None],
    ) -> None:
        self._run_id, self._store = run_id, store
        self._lapse, self._until = lapse, until
        self._now, self._pause = now, pause

    def known_or_mine[T](self, key: str, known: Callable[[], T | None]) -> T | None:
        """Return a result that is there; None where it is this run's turn to pay for it.

        Args:
            key: Key of the result.
            known: Reads the result; None while there is none that can be used.

        Raises:
            DependencyUnavailableError: Another run has been paying for it for longer than is waited here.
        """
        place, is_free = keys.turn(key), True
        while True:
            found = known()
            if found is not None:
                return found
            # A write costs a dozen reads, so that who waits reads.
            if is_free and self._write(place, None):
                return None
            held = self._held(place)
            is_free = held is None
            if held is not None and self._lets_go(held[0]) and self._write(place, held[1]):
                # Whoever had it may have written the result since it was looked for.
                return known()
            if self._now() >= self._until:
                whose = f"the run {held[0].run_id}" if held is not None else "another run"
                raise DependencyUnavailableError(f"{whose} has {key} in work: try again")
            self._pause(PAUSE_S)

    def _held(self, place: str) -> tuple[Turn, str] | None:
        """Return a turn as it is, with its ETag; None where there is none any more."""
        try:
            content, etag = self._store.get_with_etag(place)
        except KeyError:
            return None
        return Turn.model_validate_json(content), etag

    def _lets_go(self, turn: Turn) -> bool:
        """Whether a turn is this run's own, or keeps nobody off any more."""
        is_over = turn.run_id == self._run_id or self._now() >= turn.taken_at + self._lapse
        # Whoever starts again after a failure need not wait for the turn that failed.
        return is_over or has_failed(self._store, turn.run_id)

    def _write(self, place: str, etag: str | None) -> bool:
        """Write that it is this run's turn, in place of one content alone; False where another was faster."""
        mine = Turn(run_id=self._run_id, taken_at=self._now())
        try:
            self._store.put_if(place, mine.model_dump_json().encode(), "application/json", etag)
        except ObjectChangedError:
            return False
        return True
