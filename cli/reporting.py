"""What `storycast report` does: fetch a run's report, or make it from what the run has left."""

import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import ClientError

from cli.billed import rows
from cli.objects import read
from cli.problems import DONE, InputRefusedError
from cli.run_copy import OutFolderError, check_out
from cli.screen import Screen
from cli.summary import REPORT, find_run
from cli.target import Target, TargetChoice, opened
from storycast import keys
from storycast.billing import Billed
from storycast.ports import StoredObject
from storycast.report.accounts import settled
from storycast.report.material import gather
from storycast.report.page import write_page
from storycast.runs import Run


def bring_report(
    run_id: str, choice: TargetChoice, out: Path, screen: Screen, *, fresh: bool, open_it: bool
) -> int:
    """Write a run's report to ``out/<run_id>/report.html`` and say where it is.

    Args:
        run_id: The run.
        choice: Where it ran.
        out: The folder, made where it is missing.
        screen: Where to tell it.
        fresh: Whether to make it anew although there is one.
        open_it: Whether to open it in the browser.

    Returns:
        The exit code.

    Raises:
        InputRefusedError: ``out`` can't be used.
        RunNotFoundError: There is no such run.
        OutFolderError: ``out/<run_id>`` is a link that leads elsewhere.
    """
    problems = check_out(out)
    if problems:
        raise InputRefusedError(problems)
    with opened(choice, screen) as target:
        run = find_run(target, run_id)
        page = None if fresh else read(target, keys.run_file(run_id, REPORT))
        if page is None:
            screen.say("Making the report from the run's files ...")
            page = make_report(target, run, datetime.now(UTC), screen)
    path = _write(page, out, run_id)
    screen.say(f"The report: {path}")
    if open_it and not webbrowser.open(path.resolve().as_uri()):
        screen.warn("No browser could be opened; open the file in one.")
    return DONE


def make_report(target: Target, run: Run, now: datetime, screen: Screen) -> bytes:
    """Return a run's report as ``ReportRun`` would write it now."""
    files = _Bucket(target)
    material = gather(files, run)
    material = replace(material, run=settled(material, _billing(target, run, screen), now))
    return write_page(material, files, now)


def _billing(target: Target, run: Run, screen: Screen) -> Sequence[Billed]:
    try:
        return rows(target, run.run_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        screen.warn("The billing book may not be read; the report has it as the run's last stage saw it.")
        return run.billing


def _write(page: bytes, out: Path, run_id: str) -> Path:
    folder = out / run_id
    if not folder.resolve().is_relative_to(out.resolve()):
        raise OutFolderError(f"{folder} is a link that leads out of {out}. Remove it or name another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{REPORT}-", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(page)
            file.close()
            part.chmod(0o644)
            # In place of what is there, were it a link: never through it.
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return path


class _Bucket:
    """The media bucket as a report reads it."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def get(self, key: str) -> bytes:
        content = read(self._target, key)
        if content is None:
            raise KeyError(key)
        return content

    def list(self, prefix: str) -> Iterator[StoredObject]:
        pages = self._target.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._target.bucket, Prefix=prefix
        )
        for page in pages:
            for one in page.get("Contents", ()):
                yield StoredObject(one["Key"], one["Size"], one["ETag"], written_at=one["LastModified"])
