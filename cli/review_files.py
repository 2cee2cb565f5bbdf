"""Reviews by file: the bundle that somebody takes along, and the decisions that come back."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.problems import DONE, FAILED, InputRefusedError
from cli.progress import clock
from cli.reviewing import NotInReviewError, waiting_run
from cli.screen import Screen
from cli.target import TargetChoice
from cli.uploading import megabytes
from review.bundle import write_bundle
from review.intake import DecisionsFile, FileRefusedError, Taken, read_decisions, take_in
from storycast.decisions import Conflict
from storycast.review import Review
from storycast.review_desk import ReviewClosedError

MOST_LINES = 20
TEXT_LENGTH = 60


def pack(run_id: str | None, choice: TargetChoice, screen: Screen, out: Path | None) -> int:
    """Write a review as a zip that opens in any browser.

    Args:
        run_id: The run; the only one that waits where None.
        choice: The target.
        screen: Where to tell it.
        out: The zip, or the folder that gets it; the current folder where None.

    Returns:
        The exit code.

    Raises:
        InputRefusedError: ``out`` can't be used.
    """
    if out is not None:
        _refuse_unusable(out)
    with waiting_run(run_id, choice, screen) as (target, waiting):
        name = f"review-{waiting.run_id}.zip"
        path = out / name if out and out.is_dir() else out or Path(name)
        _refuse_unusable(path)
        opened = waiting.opened
        with Progress(
            TextColumn("Pictures"),
            BarColumn(),
            MofNCompleteColumn(),
            console=screen.console,
            disable=not screen.is_live,
        ) as bar:
            task = bar.add_task("", total=len(opened.pictures.crop_ids))
            packed = write_bundle(
                path,
                opened.review,
                opened.desk.decisions(),
                opened.desk.status(),
                opened.pictures,
                advance=lambda: bar.advance(task),
            )
        for crop_id in packed.missing:
            screen.warn(f"Picture {crop_id} can't be read and is left out.")
        screen.say(f"Wrote {path}: {packed.picture_count} pictures, {megabytes(packed.size_bytes)}.", style="bold")
        screen.say(
            "It opens in any browser, offline. What is decided in it comes back with "
            f"`storycast review {waiting.run_id} --import FILE {target.options}`."
        )
    return DONE


def _refuse_unusable(path: Path) -> None:
    """Refuse what is no place for a bundle, before anything is read for it."""
    if path.is_dir():
        return
    if path.suffix.lower() != ".zip":
        raise InputRefusedError([f"--out {path}: a bundle's name ends with .zip, or name a folder that is there."])
    if not path.parent.is_dir():
        raise InputRefusedError([f"--out {path}: the folder {path.parent} is not there."])
    if path.exists() and not zipfile.is_zipfile(path):
        raise InputRefusedError([f"--out {path} is there and is no zip: it is not replaced."])


def read_file(path: Path, run_id: str | None) -> DecisionsFile:
    """Read a file of decisions before anything else is done.

    Raises:
        InputRefusedError: It can't be read, is none, or is another run's.
    """
    try:
        file = read_decisions(path)
    except FileRefusedError as error:
        raise InputRefusedError([str(error)]) from None
    except OSError as error:
        raise InputRefusedError([f"{path} can't be read: {error.strerror}."]) from None
    if run_id is not None and file.run_id != run_id:
        raise InputRefusedError(
            [f"{path} holds decisions on run {file.run_id!a}, not on {run_id}. Nothing was done."]
        )
    return file


def take(path: Path, file: DecisionsFile, choice: TargetChoice, screen: Screen) -> int:
    """Take the decisions of a file into the review of its run.

    Args:
        path: The file, for messages.
        file: What it holds.
        choice: The target.
        screen: Where to tell it.

    Returns:
        The exit code: 1 where something in the file can't be.
    """
    with waiting_run(file.run_id, choice, screen) as (_, waiting):
        try:
            taken = take_in(waiting.opened.desk, file)
        except ReviewClosedError as error:
            raise NotInReviewError(f"{error} What had been taken in of {path} before stays.") from None
        _tell(path, file, taken, waiting.opened.review, screen)
    return FAILED if taken.refused else DONE


def _tell(path: Path, file: DecisionsFile, taken: Taken, review: Review, screen: Screen) -> None:
    known = f", {taken.known} were there already or changed nothing" if taken.known else ""
    screen.say(f"{path}, decisions by {file.who}: {taken.new} taken in{known}.", style="bold")
    lines = [*(f"Not taken in: {line}" for line in _conflicts(taken, file.who, review)), *taken.refused]
    for line in lines[:MOST_LINES]:
        screen.warn(line)
    if len(lines) > MOST_LINES:
        screen.warn(f"And {len(lines) - MOST_LINES} more.")
    if taken.conflicts:
        screen.say("What others decided meanwhile stays as it is; the page shows it, and who says so.")


def _conflicts(taken: Taken, who: str, review: Review) -> Iterator[str]:
    for one in taken.conflicts:
        by = one.now.by
        holder = f"{by.who} said {_text(one.now.text)}" if by else f"it is {_text(one.now.text)}"
        yield f"{_subject(one, review)}, {one.change.field}: {who} said {_text(one.change.after)}, but {holder}."


def _subject(one: Conflict, review: Review) -> str:
    kind, _, key = one.change.subject.partition(":")
    if kind != "picture":
        return f"caption lint, {key}" if kind == "lint" else f"character {key}"
    shown = review.by_crop[key]
    return f"picture {key} ({shown.image.character}, {clock(shown.image.time_ms / 1000)} of {shown.footage})"


def _text(value: str) -> str:
    return f"'{value if len(value) <= TEXT_LENGTH else value[: TEXT_LENGTH - 1] + '…'}'"
