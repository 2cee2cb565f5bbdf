"""`--out DIR`: a copy of a run's folder on the user's disk, laid out as in the bucket."""

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from cli.screen import Screen, bar
from storycast import keys
from storycast.errors import BadInputError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

WORKERS = 8
NOT_FOR_PEOPLE = re.compile(r"training/.+/work-train/state-\d+/")
"""States that a training job goes on from: hundreds of MB that are of use to the trainer alone."""
Outcome = Literal["copied", "unchanged"]


@dataclass(frozen=True, slots=True)
class RunCopy:
    """What a copy did; ``left_out`` says which keys have no place below the folder, and why."""

    folder: Path
    copied: int
    unchanged: int
    left_out: tuple[str, ...]


class OutFolderError(BadInputError):
    """The folder to copy to can't be used."""


class UnsafeKeyError(ValueError):
    """A key that would lead out of the folder, or that no file can have."""


def check_out(out: Path) -> list[str]:
    """Return what is wrong with a folder to copy to, before anything is started."""
    nearest = out
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return [f"--out {out}: {nearest} is a file. Name a folder; it is made where it is missing."]
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [f"--out {out}: {nearest} can't be written to. Name another folder."]
    return []


def copy_run(
    s3: "S3Client", bucket: str, run_id: str, out: Path, screen: Screen, *, only: tuple[str, ...] = ("",)
) -> RunCopy:
    """Copy ``runs/<run_id>/`` to ``out/<run_id>/``.

    Files that are the same already stay untouched; files of the folder that are not in the bucket stay, too.
    Nothing is ever written outside of ``out/<run_id>``, whatever the keys say and wherever links lead. The states
    that a training job goes on from are not copied.

    Args:
        s3: The client.
        bucket: The media bucket.
        run_id: The run.
        out: The folder, made where it is missing.
        screen: Shows progress.
        only: Files of the run, and folders that end in ``/``; everything unless it is said.

    Raises:
        OutFolderError: ``out/<run_id>`` is a link that leads elsewhere.
    """
    folder = out / run_id
    if not folder.resolve().is_relative_to(out.resolve()):
        raise OutFolderError(f"{folder} is a link that leads out of {out}. Remove it or name another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    left_out: list[str] = []
    jobs: list[tuple[ObjectTypeDef, Path]] = []
    for stored in _objects(s3, bucket, keys.run_folder(run_id)):
        below = stored["Key"].removeprefix(keys.run_folder(run_id))
        if below.endswith("/") and not stored["Size"]:
            continue  # what the console writes as a folder
        if not below.startswith(only) or NOT_FOR_PEOPLE.match(below):
            continue
        try:
            jobs.append((stored, safe_path(folder, below)))
        except UnsafeKeyError as error:
            left_out.append(f"{stored['Key']!a}: {error}")
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(WORKERS) as pool, bar(screen, "Copying the run", len(jobs)) as progress:
        work = [pool.submit(_copy, s3, bucket, stored, folder, path) for stored, path in jobs]
        try:
            for (stored, _), one in zip(jobs, work, strict=True):
                try:
                    outcomes.append(one.result())
                except (UnsafeKeyError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
                    left_out.append(f"{stored['Key']!a}: {error}")
                progress.advance(progress.task_ids[0])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return RunCopy(folder, outcomes.count("copied"), outcomes.count("unchanged"), tuple(left_out))


def safe_path(folder: Path, below: str) -> Path:
    """Return the path of a key's file below ``folder``.

    Args:
        folder: The only place to write to.
        below: The key without its prefix.

    Raises:
        UnsafeKeyError: It would lie outside, or can't be a file's name.
    """
    parts = below.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise UnsafeKeyError("it would lead out of the folder")
    if not below.isprintable() or "\\" in below or (os.name == "nt" and ":" in below):
        raise UnsafeKeyError("it holds characters that a file's name should not have")
    if any(len(part.encode()) > 240 for part in parts):
        raise UnsafeKeyError("a part of it is too long for a file's name")
    return folder.joinpath(PurePosixPath(below))


def _copy(s3: "S3Client", bucket: str, stored: "ObjectTypeDef", folder: Path, path: Path) -> Outcome:
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise UnsafeKeyError(f"a link here leads {path.parent} out of the folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(f"{path} is a folder here")
    if _is_same(path, stored):
        return "unchanged"
    # A link in the file's place is replaced, never written through.
    part = path.with_name(f".{path.name[:100]}.{threading.get_ident():x}.part")
    try:
        with part.open("xb") as file:
            s3.download_fileobj(bucket, stored["Key"], file)
        modified = stored["LastModified"].timestamp()
        os.utime(part, (modified, modified))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return "copied"


def _is_same(path: Path, stored: "ObjectTypeDef") -> bool:
    """Tell whether a file has an object's content: by its hash, or by size and time where S3 gives none."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != stored["Size"]:
        return False
    etag = stored["ETag"].strip('"')
    if "-" in etag:
        return path.stat().st_mtime == stored["LastModified"].timestamp()
    return file_md5(path) == etag


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, which is S3's ETag of the same content where it was sent in one part."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _objects(s3: "S3Client", bucket: str, prefix: str) -> Iterator["ObjectTypeDef"]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())
