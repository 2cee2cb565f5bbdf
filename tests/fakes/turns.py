"""Turns of runs in tests: by a test's clock, or by one that stands still."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from storycast.ports import ObjectStore
from storycast.turns import Turns

LIMIT = timedelta(seconds=20)
"""How long a function of the tests may take."""
_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def turns_of(
    run_id: str,
    store: ObjectStore,
    now: Callable[[], datetime] = lambda: _NOW,
    pause: Callable[[float], None] | None = None,
) -> Turns:
    """Return a run's turns, as a function has them that begins now; without a ``pause`` it waits for nobody."""
    until = now() + LIMIT / 2 if pause else now()
    return Turns(run_id, store, lapse=LIMIT, until=until, now=now, pause=pause or (lambda _: None))
