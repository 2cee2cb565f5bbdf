"""The folder of an export: whose it is, whether somebody changed it, and how a new one takes its place whole."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from storycast.errors import BadInputError

MARKER = "storycast-export.json"
"""Says that a folder is an export, of what, and what each of its files was."""
FORMAT: Final = "storycast-export-1"
SYSTEM_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What a system leaves in a folder that somebody looks at."""


class FolderTakenError(BadInputError):
    """The folder holds what is not this command's to replace."""


class ExportRecord(BaseModel):
    """What an export's marker says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["storycast-export-1"]
    export: str
    run_id: str
    fingerprint: str
    """Of all that is in it; the same dataset, exported in the same way, has the same one."""
    files: Mapping[str, str]
    """SHA-256 of each file but this one, by path."""
    pictures: Mapping[str, str]
    """Names of the dataset's pictures, by path."""


def read_export(folder: Path) -> ExportRecord | None:
    """Return the record of the export in a folder; None where the folder is missing or empty.

    Raises:
        FolderTakenError: It is no folder, or one that holds something else.
    """
    if not folder.exists() and not folder.is_symlink():
        return None
    if folder.is_symlink() or not folder.is_dir():
        raise FolderTakenError(f"--out {folder}: it is no folder of its own. Name a new or an empty folder.")
    if all(path.name in SYSTEM_FILES for path in folder.iterdir()):
        return None
    try:
        return ExportRecord.model_validate_json((folder / MARKER).read_bytes())
    except (OSError, ValidationError):
        raise FolderTakenError(
            f"--out {folder}: it holds files that no export of this release left. Name a new or an empty folder."
        ) from None


def changes(folder: Path, record: ExportRecord) -> list[str]:
    """Return what is no longer as the export left it, by path; empty where nothing was touched."""
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if not path.is_dir() and path.name not in SYSTEM_FILES
    }
    found.pop(MARKER, None)
    told = [f"{name} is missing" for name in record.files if name not in found]
    told += [f"{name} was added" for name in found if name not in record.files]
    told += [
        f"{name} was changed"
        for name, path in found.items()
        if name in record.files and (path.is_symlink() or file_sha256(path) != record.files[name])
    ]
    return sorted(told)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``folder`` once all is in it; what fails leaves no trace.

    Args:
        folder: Where the export shall be; what is there is removed, so ask :func:`read_export` first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    part, old = work / "new", work / "old"
    try:
        part.mkdir()
        yield part
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(work, ignore_errors=True)
