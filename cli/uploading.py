"""Uploading footage and project files, never changing a file on the user's disk."""

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from cli.footage_check import FootageFile
from cli.project import Overrides, Project
from cli.screen import Screen, printable
from cli.target import Target
from storycast import keys
from storycast.settings import Settings, read_settings

PART_BYTES = 64 * 1024 * 1024
"""Size of the parts of an upload. S3's ETag depends on it, and results are shared by ETag: the same file must
always be cut in the same way, so this number never changes."""

_SHA256 = "storycast-sha256"
_TRANSFER = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4)
_MISSING = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object as it is in the bucket now."""

    key: str
    etag: str
    version_id: str | None
    modified_at: datetime


class Bar(Protocol):
    """Told how many bytes more have gone."""

    def __call__(self, byte_count: int) -> None:
        """Count bytes."""


def upload_footage(target: Target, files: Mapping[str, FootageFile], screen: Screen) -> list[Uploaded]:
    """Upload footage.

    Args:
        target: Where to.
        files: The files by the key that each gets.
        screen: Shows progress.

    Returns:
        The objects, in the same order.
    """
    done = []
    with _bars(screen) as bars:
        for key, file in files.items():
            with bars.bar(file.name, file.size_bytes) as advance:
                done.append(_upload(target, file.path, key, advance))
    return done


def _upload(target: Target, path: Path, key: str, advance: Bar) -> Uploaded:
    target.s3.upload_file(
        str(path),
        target.bucket,
        key,
        ExtraArgs={"ContentType": _content_type(path.name)},
        Callback=advance,
        Config=_TRANSFER,
    )
    head = target.s3.head_object(Bucket=target.bucket, Key=key)
    return Uploaded(key, head["ETag"].strip('"'), head.get("VersionId"), head["LastModified"])


def upload_project(
    target: Target, name: str, project: Project | None, overrides: Overrides, screen: Screen
) -> Settings:
    """Bring the bucket's copy of a project up to date: its file, and the references that it names.

    Objects whose content is there already are not sent again. References that this command put there earlier
    and that are gone from the user's folder are removed; others that the patterns match are only named.

    Args:
        target: Where to.
        name: The project's name.
        project: The project on this disk, None where the user gave none.
        overrides: What to set in the project file.
        screen: Told what was done.

    Returns:
        The settings that the bucket's copy has now.

    Raises:
        SettingsInvalidError: The project file in the bucket can't be used.
    """
    key = keys.project_file(name)
    if project:
        content = project.content
    else:
        stored = _stored(target, key)
        if stored is None and not overrides:
            screen.say(f"Project {name}: no project file here or in the bucket, so all settings are defaults.")
            return Settings()
        if stored is not None:
            screen.say(f"Project {name}: the project file in the bucket, {key}, holds for this run.")
        content = stored or b""
    if overrides:
        content = overrides.apply(content, str(project.path) if project else key)
        screen.say(f"Project {name}: the bucket's copy of the project file says {overrides} from now on.")
    settings = read_settings(content, key)
    sent = 0
    for reference in project.references if project else ():
        sent += _put(target, keys.project_folder(name) + reference.name, reference.path.read_bytes())
    if project and project.caption_prompt is not None and settings.captions.prompt is not None:
        sent += _put(target, keys.project_text(name, settings.captions.prompt), project.caption_prompt.encode())
    # The file that names the references comes after them, so that nobody reads of what is not there yet.
    sent += _put(target, key, content)
    if project:
        count = len(project.references) + 1 + (project.caption_prompt is not None)
        screen.say(f"Project {name}: {count} files, {sent} of them new or changed.")
        _drop_stale(target, name, project, screen)
    return settings


def _put(target: Target, key: str, content: bytes) -> bool:
    """Write an object unless it has this content already; return whether it was written."""
    digest = hashlib.sha256(content).hexdigest()
    try:
        head = target.s3.head_object(Bucket=target.bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
    else:
        known = head.get("Metadata", {}).get(_SHA256)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if known == digest or (known is None and head["ETag"].strip('"') == md5):
            return False
    target.s3.put_object(
        Bucket=target.bucket,
        Key=key,
        Body=content,
        ContentType=_content_type(key),
        Metadata={_SHA256: digest},
    )
    return True


def _drop_stale(target: Target, name: str, project: Project, screen: Screen) -> None:
    folder = keys.project_folder(name)
    patterns = [pattern for character in project.settings.characters for pattern in character.references]
    here = {reference.name for reference in project.references}
    for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=target.bucket, Prefix=folder):
        for stored in page.get("Contents", ()):
            below = stored["Key"].removeprefix(folder)
            is_ours = below == "project.yaml" or below.startswith("embeddings-")
            if below in here or is_ours or not any(fnmatchcase(below, pattern) for pattern in patterns):
                continue
            head = target.s3.head_object(Bucket=target.bucket, Key=stored["Key"])
            if _SHA256 in head.get("Metadata", {}):
                target.s3.delete_object(Bucket=target.bucket, Key=stored["Key"])
                screen.say(f"Project {name}: removed {below}, which is gone from the project's folder.")
            else:
                screen.warn(
                    f"{target.uri(stored['Key'])} is used as a reference, too, and is not in the project's "
                    "folder. Delete it if it should not be."
                )


def _stored(target: Target, key: str) -> bytes | None:
    try:
        return target.s3.get_object(Bucket=target.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            return None
        raise


def _content_type(name: str) -> str:
    if name.endswith((".yaml", ".yml")):
        return "application/yaml"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


class _Bars:
    """Progress of transfers: bars on a terminal, one line for each file elsewhere."""

    def __init__(self, screen: Screen, progress: Progress | None) -> None:
        self._screen = screen
        self._progress = progress

    @contextmanager
    def bar(self, name: str, size_bytes: int) -> Iterator[Bar]:
        """Show one file's transfer."""
        if self._progress is None:
            yield lambda byte_count: None  # noqa: ARG005
            self._screen.say(f"Uploaded {name} ({megabytes(size_bytes)}).")
            return
        progress = self._progress
        task = progress.add_task(printable(name), total=size_bytes)
        yield lambda byte_count: progress.advance(task, byte_count)


@contextmanager
def _bars(screen: Screen) -> Iterator[_Bars]:
    if not screen.is_live:
        yield _Bars(screen, None)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen.console) as progress:
        yield _Bars(screen, progress)


def megabytes(size_bytes: int) -> str:
    """Return a size as people read it."""
    if size_bytes < 1_000_000:
        return f"{max(size_bytes / 1000, 0.1):.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def incoming(run_id: str, files: Sequence[FootageFile]) -> dict[str, FootageFile]:
    """Return the keys under which a run's footage is uploaded; no rule watches them."""
    return {keys.incoming(run_id, file.name): file for file in files}


def uploads(project: str, files: Sequence[FootageFile]) -> dict[str, FootageFile]:
    """Return the keys whose creation starts a run each."""
    return {keys.upload(project, file.name): file for file in files}
