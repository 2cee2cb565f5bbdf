"""Reading many small results at once."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from storycast.footage import Record
from storycast.ports import ObjectStore

WORKERS = 16
"""Requests in flight. One function's memory and S3's latency, not its rate limits, set the bound."""


def read_records[R: Record](
    store: ObjectStore, keys: Sequence[str], kind: type[R]
) -> Iterable[tuple[str, R | None]]:
    """Yield each key, in order, with its record; None where there is no such object or it is damaged."""

    def read(key: str) -> R | None:
        try:
            return kind.model_validate_json(store.get(key))
        except (KeyError, ValueError):
            return None

    return zip(keys, _in_parallel(read, keys), strict=True)


def _in_parallel[T, R](work: Callable[[T], R], items: Iterable[T]) -> Iterable[R]:
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(work, items)


def read_own[R: Record](store: ObjectStore, key: str, kind: type[R], fingerprint: str) -> R | None:
    """Return a result that was made before from the very same input, else None."""
    try:
        record = kind.model_validate_json(store.get(key))
    except (KeyError, ValueError):
        return None
    return record if getattr(record, "fingerprint", None) == fingerprint else None


def write_record(store: ObjectStore, key: str, record: Record) -> None:
    """Write a result as JSON."""
    store.put(key, record.model_dump_json().encode(), "application/json")
