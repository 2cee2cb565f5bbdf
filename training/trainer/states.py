"""States of a training, from which it goes on after an interruption."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.progress import write_json

FORMAT = "storycast-state-1"
COMPLETE_FILE = "complete.json"
"""Written last: a state without it was interrupted, here or on its way to S3 and back."""
LOOP_FILE = "loop.json"
KEPT = 2


class States:
    """The states in the work folder."""

    def __init__(self, work: Path, job_fingerprint: str) -> None:
        self._work = work
        self._job_fingerprint = job_fingerprint
        self._kept: list[Path] = []

    def save(self, step: int, loop: dict[str, Any], write: Callable[[Path], None]) -> None:
        """Save the state after a step, and remove those that it makes needless.

        Args:
            step: How many steps are done.
            loop: What the loop has to know to go on.
            write: Writes everything else into a folder.
        """
        folder = self._work / f"state-{step:06d}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write(folder)
        write_json(folder / LOOP_FILE, {"job": self._job_fingerprint, "step": step, **loop})
        files = {
            file.relative_to(folder).as_posix(): {"size": file.stat().st_size, "sha256": _sha256(file)}
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        write_json(folder / COMPLETE_FILE, {"format": FORMAT, "step": step, "files": files})
        self._kept = [*(kept for kept in self._kept if kept != folder), folder][-KEPT:]
        for other in self._all():
            if other not in self._kept:
                shutil.rmtree(other, ignore_errors=True)

    def newest(self, most_steps: int, warn: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
        """Find the newest whole state of this job, and what the loop has to know; None where there is none.

        Args:
            most_steps: What the job asks for: a state beyond is of no use.
            warn: Is told which states are passed over, and why.
        """
        for folder in reversed(self._all()):
            fault = find_fault(folder)
            if fault:
                warn(f"{folder.name} is passed over: {fault}.")
                continue
            loop = json.loads((folder / LOOP_FILE).read_text(encoding="utf-8"))
            if loop["job"] != self._job_fingerprint:
                warn(f"{folder.name} is passed over: its pictures, values or memory options are not this job's.")
            elif loop["step"] > most_steps:
                warn(f"{folder.name} is passed over: the job asks for {most_steps} steps only.")
            else:
                self._kept = [folder]
                return folder, loop
        return None

    def _all(self) -> list[Path]:
        found = [path for path in self._work.glob("state-*") if re.fullmatch(r"state-\d{6,}", path.name)]
        return sorted(found, key=lambda path: int(path.name.removeprefix("state-")))


def find_fault(folder: Path) -> str:
    """Say what is wrong with a state; empty where it is whole."""
    try:
        complete = json.loads((folder / COMPLETE_FILE).read_text(encoding="utf-8"))
        listed = complete["files"].items()
        if complete["format"] != FORMAT:
            return f"its format is {complete['format']!r}"
    except FileNotFoundError:
        return "it is not complete"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"its {COMPLETE_FILE} is damaged"
    for name, said in listed:
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != said["size"] or _sha256(file) != said["sha256"]:
            return f"{name} is damaged"
    return ""


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
