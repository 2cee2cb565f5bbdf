"""Footage on the user's disk, looked at before anything is started or uploaded."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from storycast import keys
from storycast.errors import FootageUnreadableError
from storycast.names import RUN_ID_MAX_LENGTH
from storycast.requests import MAX_FOOTAGE, too_long
from storycast.video import Header, read_header


@dataclass(frozen=True, slots=True)
class FootageFile:
    """A video or picture that can be read."""

    path: Path
    name: str
    size_bytes: int
    header: Header


def check_footage(paths: Sequence[Path]) -> tuple[list[FootageFile], list[str]]:
    """Look at each footage file and decode its first frame.

    Args:
        paths: As the user gave them.

    Returns:
        The files that can be used, in the order given, and a message for each problem.
    """
    files: list[FootageFile] = []
    problems: list[str] = []
    if len(paths) > MAX_FOOTAGE:
        return [], [f"{len(paths)} footage files are too many for one run; give at most {MAX_FOOTAGE}."]
    if problem := too_long([keys.incoming("-" * RUN_ID_MAX_LENGTH, path.name) for path in paths]):
        return [], [f"{problem[0].upper()}{problem[1:]}."]
    for path in paths:
        try:
            files.append(_check(path))
        except FootageUnreadableError as error:
            problems.append(str(error))
    return files, [*problems, *_repeated(files)]


def notes_on(files: Sequence[FootageFile]) -> list[str]:
    """Return what is unusual about the files and what a run will do with that, a line each."""
    return [f"{file.path}: {note}." for file in files for note in file.header.notes]


def _check(path: Path) -> FootageFile:
    shown = str(path)
    try:
        if path.is_dir():
            raise FootageUnreadableError(f"{shown} is a folder. Name its files, such as {shown}/*.mp4.")
        if not path.exists():
            raise FootageUnreadableError(f"{shown} does not exist. Check the name and the folder.")
        if not path.is_file():
            raise FootageUnreadableError(f"{shown} is no regular file. Give a video or picture file.")
        name = path.name
        if not _is_usable(name):
            raise FootageUnreadableError(
                f"{shown!a}: the name holds characters that an object in S3 can't have. Rename the file."
            )
        size_bytes = path.stat().st_size
        if size_bytes == 0:
            raise FootageUnreadableError(f"{shown} is empty (0 bytes). Copy or export it again.")
        with path.open("rb") as file:
            return FootageFile(path, name, size_bytes, read_header(file, shown))
    except OSError as error:
        raise FootageUnreadableError(
            f"{shown} can't be opened ({error.strerror}). Check its name and permissions."
        ) from None


def _is_usable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()


def _repeated(files: Sequence[FootageFile]) -> list[str]:
    """Return a problem for each name, or else each content, that several files have."""
    problems = []
    by_name = _groups(files, lambda file: file.name)
    for name, same in by_name.items():
        paths = _listed(same)
        problems.append(f"{paths} have one name, {name}, and would overwrite each other. Rename one.")
    named = {file.path for same in by_name.values() for file in same}
    by_size = _groups([file for file in files if file.path not in named], lambda file: str(file.size_bytes))
    for similar in by_size.values():
        problems += [
            f"{_listed(same)} have the same content. Give it once." for same in _groups(similar, _content).values()
        ]
    return problems


def _groups(files: Sequence[FootageFile], key: Callable[[FootageFile], str]) -> dict[str, list[FootageFile]]:
    groups: defaultdict[str, list[FootageFile]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return {value: same for value, same in groups.items() if len(same) > 1}


def _content(file: FootageFile) -> str:
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _listed(files: Sequence[FootageFile]) -> str:
    return " and ".join(str(file.path) for file in files)
