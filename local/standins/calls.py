"""The call log: one JSON line for each request, in ``<state>/calls.jsonl``."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What became of one request."""

    #: When it arrived, ISO 8601 in UTC.
    time: str
    #: The service's botocore name; None when the request did not say.
    service: str | None
    operation: str | None
    #: The model id asked for.
    model: str | None
    #: The first 16 hex digits of the SHA-256 of the picture's bytes; of several pictures, the last one.
    item: str | None
    #: The HTTP status; 0 when the connection was cut.
    status: int
    error: str | None
    #: From the request's arrival to the answer, in milliseconds, a fault's delay included.
    ms: float
    access_key_id: str | None
    #: Whether the real service would have charged: a successful call of a paid operation.
    paid: bool
    #: The fault rule that answered instead of the service, if one did.
    fault: str | None = None


class CallLog:
    """Appends and reads the lines; safe under threads, and each line is flushed at once."""

    def __init__(self, path: Path) -> None:
        """Continue the log at ``path``, or begin it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._guard = threading.Lock()
        self._file = path.open("a", encoding="utf-8")

    def append(self, record: CallRecord) -> None:
        """Write one line."""
        line = json.dumps(asdict(record), separators=(",", ":")) + "\n"
        with self._guard:
            self._file.write(line)
            self._file.flush()

    def since(self, number: int) -> list[dict[str, Any]]:
        """The lines from the one with that number on, counted from 0."""
        with self._guard:
            lines = self._path.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines[max(0, number) :]]

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            self._file.close()
