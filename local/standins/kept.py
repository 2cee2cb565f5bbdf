"""What a stand-in keeps in the state folder, so that it outlives a restart."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_log = logging.getLogger("storycast.standins")


class WorldClosedError(Exception):
    """The stand-ins have ended, and something still runs on: nothing is written any more."""


class KeptRecord(BaseModel):
    """Base of what is kept."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class KeptFile[K: KeptRecord]:
    """A JSON file of one record, safe under threads; what changes inside ``changing`` is written at its end."""

    def __init__(self, file: Path, kind: type[K], called: str) -> None:
        """Continue what the file keeps.

        Where it can't be read, such as one of another version, it is put aside, and nothing is there.

        Args:
            file: The file; made at the first change.
            kind: What it holds; made without arguments where there is none yet.
            called: What is lost with the file, for the log.
        """
        self._file = file
        self._guard = threading.RLock()
        self._is_closed = False
        self._kept = self._read(kind, called)

    @contextmanager
    def changing(self) -> Iterator[K]:
        """Give what is there, alone, and write it at the end; nothing is written after an exception.

        Raises:
            WorldClosedError: The stand-ins have ended.
        """
        with self.reading() as kept:
            if self._is_closed:
                raise WorldClosedError
            yield kept
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".part")
            draft.write_text(kept.model_dump_json(), "utf-8")
            draft.replace(self._file)

    @contextmanager
    def reading(self) -> Iterator[K]:
        """Give what is there, alone."""
        with self._guard:
            yield self._kept

    @property
    def is_closed(self) -> bool:
        """Whether the stand-ins have ended."""
        return self._is_closed

    def close(self) -> None:
        """Write nothing any more; what still runs ends without a trace."""
        with self._guard:
            self._is_closed = True

    def _read(self, kind: type[K], called: str) -> K:
        try:
            return kind.model_validate_json(self._file.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return kind()
        except ValueError as error:
            aside = self._file.with_suffix(".unreadable")
            self._file.replace(aside)
            _log.warning("%s are lost, the file is put aside as %s: %s", called, aside, error)
            return kind()
