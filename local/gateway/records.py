"""The record of calls: one JSON line for each request, in ``<state>/gateway.jsonl``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class CallRecord:
    """What became of one request."""

    #: When it arrived, ISO 8601 in UTC.
    time: str
    access_key_id: str | None = None
    #: Name of the assumed role; None for the account's root, and where nobody signed.
    role: str | None = None
    #: Name of the function whose role it is.
    function: str | None = None
    #: botocore's name of the service, and the operation in it.
    service: str | None = None
    operation: str | None = None
    #: What it was about: ARNs, ``<bucket>/<key>``, names of tables, models, collections.
    resources: tuple[str, ...] = ()
    #: The HTTP status that the caller got; 0 where it got none.
    status: int = 0
    #: The error's code, where the answer was one.
    error: str | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    #: From the request's first byte to the answer's last, in milliseconds.
    ms: float = 0.0
    #: The fault that was done to it.
    fault: str | None = None


class Records:
    """Appends the lines; each is flushed at once."""

    def __init__(self, path: Path) -> None:
        """Continue the file at ``path``, or begin it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def append(self, record: CallRecord) -> None:
        """Write one line."""
        self._file.write(json.dumps(asdict(record), separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
