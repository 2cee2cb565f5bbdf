"""How far the job is: ``progress.json`` for `storycast status`, lines on stdout for CloudWatch and for people."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

FORMAT = "storycast-progress-1"
EVERY_S = 2.0
"""The file is not written more often, but where the phase changes."""

Phase = Literal["loading", "encoding", "training", "saving", "drawing", "done"]


class Progress:
    """What is known of a running job; each change is written, but not too often."""

    def __init__(self, file: Path, task: Literal["train", "draw"]) -> None:
        self._file = file
        self._written_at = 0.0
        self._known: dict[str, Any] = {
            "format": FORMAT,
            "task": task,
            "phase": "loading",
            "step": None,
            "step_count": None,
            "loss": None,
            "held_out_loss": None,
            "pictures_per_second": None,
            "eta_s": None,
            "at": "",
            "device": "",
            "options": "",
            "stand_in": "",
            "warnings": [],
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of."""
        return tuple(self._known["warnings"])

    def warn(self, message: str) -> None:
        """Tell something that the user should know of: in the file from now on, and on stdout once."""
        if message not in self._known["warnings"]:
            self._known["warnings"].append(message)
            say(f"Warning: {message}")
            self._write()

    def phase(self, phase: Phase) -> None:
        """A new part of the work begins."""
        self._known["phase"] = phase
        self._write()

    def describe(
        self, *, device: str | None = None, options: str | None = None, stand_in: str | None = None
    ) -> None:
        """Tell what the job runs on."""
        for key, value in (("device", device), ("options", options), ("stand_in", stand_in)):
            if value is not None:
                self._known[key] = value
        self._write()

    def step(
        self,
        step: int,
        step_count: int,
        *,
        loss: float | None = None,
        held_out_loss: float | None = None,
        pictures_per_second: float | None = None,
    ) -> None:
        """One more step is done; what is None stays as it was.

        A step of a training is an optimiser's; of a drawing, a picture.
        """
        done = {"loss": loss, "held_out_loss": held_out_loss, "pictures_per_second": pictures_per_second}
        self._known.update({key: value for key, value in done.items() if value is not None})
        self._known["step"], self._known["step_count"] = step, step_count
        if time.monotonic() - self._written_at >= EVERY_S or step == step_count:
            self._write()

    def remaining(self, eta_s: float | None) -> None:
        """Tell how long the job has to go, s; it is written with the next step."""
        self._known["eta_s"] = None if eta_s is None else round(eta_s)

    def _write(self) -> None:
        self._known["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(self._file, self._known)
        self._written_at = time.monotonic()


def say(line: str) -> None:
    """One line on stdout, at once."""
    print(line, flush=True)


def write_json(file: Path, content: object) -> None:
    """Write JSON, whole or not at all."""
    write_whole(file, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that whoever reads it finds the old content or the new, never half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(content)
    partial.replace(file)
