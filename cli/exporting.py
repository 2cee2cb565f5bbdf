"""What `storycast export` does: a dataset as the folder that a trainer reads."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from trainer.balance import balance

from cli.export_folder import FORMAT, MARKER, ExportRecord, changes, file_sha256, read_export, replaced
from cli.local_dataset import MOST_TOLD, NEEDED, LocalDataset, dataset_folder, read_dataset
from cli.local_lint import check_local_captions
from cli.problems import DONE, InputRefusedError
from cli.run_copy import check_out, copy_run
from cli.screen import Screen, bar
from cli.summary import find_run
from cli.target import TargetChoice, opened
from storycast import keys
from storycast.errors import CaptionLintError
from storycast.exports.card import README, export_card
from storycast.exports.imagefolder import lay_out_imagefolder
from storycast.exports.kohya import lay_out_kohya
from storycast.exports.layout import ExportPicture, Format, Layout, halves
from storycast.exports.manifests import lay_out_manifest, prefix_problem
from storycast.fingerprint import fingerprint
from storycast.images import MAX_PIXELS
from storycast.manifest import picture_problem, problems


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What the user asked for."""

    run: str
    """A run's id, or a folder that ``--out`` left."""
    kind: Format
    out: Path
    bucket_prefix: str | None = None
    hold_out_share: float | None = None
    """None: as trainings of the dataset split it."""
    force: bool = False
    """Replace an export although somebody changed files of it."""


def do_export(order: ExportOrder, choice: TargetChoice, screen: Screen) -> int:
    """Write a dataset as a folder for a trainer, and say where it is.

    The folder takes its place whole or not at all. What is exported there already, the same in the same way, is
    not written again; pictures that are there already are not fetched again.

    Args:
        order: What to do.
        choice: Where the run is, unless it is a folder.
        screen: Where to tell it.

    Returns:
        The exit code.

    Raises:
        InputRefusedError: Something can't be used, or would be lost; nothing was written.
        FolderTakenError: ``--out`` holds something else.
        RunNotFoundError: There is no such run.
    """
    _refuse_options(order)
    # Beside the folder other ones are made: links and dots on the way to it must not lead them elsewhere.
    out = order.out.parent.resolve() / order.out.name
    former = read_export(out)
    with _dataset(order, out, former, choice, screen) as (dataset, is_ours):
        for warning in (*dataset.warnings, *_said_of_captions(order, dataset)):
            screen.warn(warning)
        pictures = _pictures(order, dataset)
        _refuse_pictures(order.kind, dataset, pictures, screen)
        layout = _lay_out(order, dataset, pictures, screen)
        card = export_card(dataset.run_id, order.kind, pictures, layout, _dataset_card(dataset.folder))
        texts = {**layout.texts, README: card}
        contents = {one.path.name: one.md5 for one in dataset.pictures}
        mark = fingerprint(texts=texts, pictures={path: contents[name] for path, name in layout.pictures.items()})
        touched = changes(out, former) if former else []
        if former and former.fingerprint == mark and all(told.endswith("was added") for told in touched):
            screen.say(f"Nothing has changed since the last export to {order.out}.")
            return DONE
        if touched and not order.force:
            raise InputRefusedError(_told_touched(order.out, touched))
        with replaced(out) as folder:
            record = _write(folder, order, dataset, layout, texts, mark, screen, may_link=is_ours)
            (folder / MARKER).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _tell(order, pictures, screen)
    return DONE


def _refuse_options(order: ExportOrder) -> None:
    told = check_out(order.out)
    if order.out.name in ("", "..") or Path.cwd().is_relative_to(order.out.resolve()):
        told.append(f"--out {order.out}: the command works in it. Name a folder of its own.")
    if order.bucket_prefix is not None:
        if order.kind not in ("bedrock", "walkthrough"):
            told.append(f"--bucket-prefix goes with manifests, not with --format {order.kind}. Leave it out.")
        elif problem := prefix_problem(order.bucket_prefix):
            told.append(f"--bucket-prefix: {problem}.")
    if told:
        raise InputRefusedError(told)


@contextmanager
def _dataset(
    order: ExportOrder, out: Path, former: ExportRecord | None, choice: TargetChoice, screen: Screen
) -> Iterator[tuple[LocalDataset, bool]]:
    """Give the dataset, and whether its files are this command's own; a run's are gone afterwards."""
    folder = dataset_folder(order.run)
    if folder is not None:
        yield read_dataset(folder), False
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        with opened(choice, screen) as target:
            run_id = find_run(target, order.run).run_id
            # What was exported before is compared with the bucket by hash, and not fetched again.
            images = Path(work) / run_id / keys.IMAGES
            images.mkdir(parents=True)
            for path, name in (former.pictures if former else {}).items():
                if (out / path).is_file() and Path(name).name == name:
                    _place(out / path, images / name, may_link=True)
            needed = (*NEEDED, keys.DATASET_CARD)
            copy = copy_run(target.s3, target.bucket, run_id, Path(work), screen, only=needed)
        for reason in copy.left_out:
            screen.warn(f"Not copied: {reason}.")
        yield read_dataset(copy.folder), True


def _pictures(order: ExportOrder, dataset: LocalDataset) -> list[ExportPicture]:
    share = order.hold_out_share
    held_out = dataset.held_out(dataset.settings.training.hold_out_share if share is None else share)
    return [
        ExportPicture(one.path.name, one.uri, one.caption, one.path in held_out, one.known)
        for one in dataset.pictures
    ]


def _said_of_captions(order: ExportOrder, dataset: LocalDataset) -> list[str]:
    """Return what the lint says of the captions: other trainers are not ours to refuse."""
    try:
        return check_local_captions(dataset, dataset.settings, order.run)
    except CaptionLintError as error:
        return [str(error)]


def _refuse_pictures(
    kind: Format, dataset: LocalDataset, pictures: Sequence[ExportPicture], screen: Screen
) -> None:
    """Refuse pictures that can't be read, and what Amazon Bedrock would not take."""
    told = []
    for_bedrock = kind in ("bedrock", "walkthrough")
    if for_bedrock:
        trained_on, held_out = halves(pictures)
        more = f", {len(held_out)} more are held out (`--hold-out 0` trains on all)" if held_out else ""
        told += [f"{dataset.folder}: {problem}{more}." for problem in problems(len(trained_on))]
    with bar(screen, "Looking at the pictures", len(dataset.pictures)) as progress:
        for one in dataset.pictures:
            if problem := _picture_problem(one.path, for_bedrock=for_bedrock):
                told.append(f"{one.path}: {problem}.")
            progress.advance(progress.task_ids[0])
    if len(told) > MOST_TOLD:
        told = [*told[:MOST_TOLD], f"And {len(told) - MOST_TOLD} more."]
    if told:
        raise InputRefusedError(told)


def _picture_problem(path: Path, *, for_bedrock: bool) -> str:
    try:
        with warnings.catch_warnings():
            # Said in our words below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                width_px, height_px = picture.size
                picture.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "it is no readable PNG or JPEG. Copy the run again"
    if width_px * height_px > MAX_PIXELS:
        return f"it has {width_px} x {height_px} px, more than {MAX_PIXELS:,} in all"
    return picture_problem(width_px, height_px, path.stat().st_size) if for_bedrock else ""


def _lay_out(
    order: ExportOrder, dataset: LocalDataset, pictures: Sequence[ExportPicture], screen: Screen
) -> Layout:
    match order.kind:
        case "diffusers":
            return lay_out_imagefolder(pictures)
        case "kohya":
            seen = balance([one.characters for one in halves(pictures)[0]])
            for warning in seen.warnings():
                screen.warn(warning)
            return lay_out_kohya(pictures, seen.repeats, resolution=dataset.settings.training.lora.resolution)
        case _:
            return lay_out_manifest(pictures, keys=order.kind, bucket_prefix=order.bucket_prefix)


def _dataset_card(folder: Path) -> str:
    try:
        return (folder / keys.DATASET_CARD).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _told_touched(out: Path, touched: Sequence[str]) -> list[str]:
    more = f", and {len(touched) - MOST_TOLD} more" if len(touched) > MOST_TOLD else ""
    return [
        f"--out {out}: somebody worked in this export: {', '.join(touched[:MOST_TOLD])}{more}. Name another "
        "folder, or say --force to have it replaced."
    ]


def _write(
    folder: Path,
    order: ExportOrder,
    dataset: LocalDataset,
    layout: Layout,
    texts: Mapping[str, str],
    mark: str,
    screen: Screen,
    *,
    may_link: bool,
) -> ExportRecord:
    sources = {one.path.name: one.path for one in dataset.pictures}
    with bar(screen, "Writing the export", len(layout.pictures)) as progress:
        for path, name in layout.pictures.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            _place(sources[name], folder / path, may_link=may_link)
            progress.advance(progress.task_ids[0])
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    return ExportRecord(
        format=FORMAT,
        export=order.kind,
        run_id=dataset.run_id,
        fingerprint=mark,
        files={path: file_sha256(folder / path) for path in sorted([*layout.pictures, *texts])},
        pictures=layout.pictures,
    )


def _place(source: Path, to: Path, *, may_link: bool) -> None:
    """Copy a file; a link costs nothing, where nobody else will write to the source."""
    if may_link:
        try:
            os.link(source, to)
        except OSError:
            pass  # A file system without links.
        else:
            return
    shutil.copyfile(source, to)


def _tell(order: ExportOrder, pictures: Sequence[ExportPicture], screen: Screen) -> None:
    trained_on, held_out = halves(pictures)
    names = sorted({name for one in pictures for name in one.characters})
    of = f" of {', '.join(names)}" if names else ""
    split = f"; {len(held_out)} of them, whole shots, are held out" if held_out else ""
    screen.say(f"Exported {len(trained_on) + len(held_out)} pictures{of} as {order.kind} to {order.out}{split}.")
    screen.say(f"How to give it to a trainer: {order.out / README}")
