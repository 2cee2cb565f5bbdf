"""Reading many small results at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from storycast.footage import Record
from storycast.ports import ObjectStore

WORKERS = 16
"""Requests in flight. One function's memory and S3's latency, not its rate limits, set the bound."""
AHEAD = 4 * WORKERS
"""Records that are read before they are asked for: a film's embeddings come faster than they are taken in."""


def read_record[R: Record](store: ObjectStore, key: str, kind: type[R]) -> R | None:
    """Return a record, None where there is no such object or it is damaged."""
    try:
        return kind.model_validate_json(store.get(key))
    except (KeyError, ValueError):
        return None


def read_records[R: Record](store: ObjectStore, keys: Sequence[str], kind: type[R]) -> Iterator[R | None]:
    """Yield the record of each key, in order, as :func:`read_record` returns it."""
    ahead: deque[Future[R | None]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for key in keys:
            ahead.append(pool.submit(read_record, store, key, kind))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def read_own[R: Record](store: ObjectStore, key: str, kind: type[R], fingerprint: str) -> R | None:
    """Return a result that was made before from the very same input, else None."""
    record = read_record(store, key, kind)
    return record if getattr(record, "fingerprint", None) == fingerprint else None


def write_record(store: ObjectStore, key: str, record: Record) -> None:
    """Write a result as JSON."""
    store.put(key, record.model_dump_json().encode(), "application/json")
