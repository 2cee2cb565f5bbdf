"""Manifests edited by hand, in a run's folder here and in the bucket."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_input.corpus import Case
from tests.bad_input.doors import EXPORT, STORED_MANIFEST, TRAIN
from tests.cli.media import write_picture, write_png_header

CAPTION = "Bunny waits by the brook"
GB = 1024**3


def line(number: int = 0, *, picture: str = "", **parts: Any) -> str:
    """Return a line of a manifest, maybe of another picture; None takes a key out."""
    made = {"image-ref": picture or f"s3://media/datasets/d/{number}.png", "caption": CAPTION} | parts
    return json.dumps({key: value for key, value in made.items() if value is not None})


def lines(first: str) -> bytes:
    """Return a manifest of five lines, of which one is given."""
    return "\n".join([first, *(line(number) for number in range(1, 5))]).encode()


def folder(content: bytes, *arguments: str) -> Callable[[], tuple[str, ...]]:
    """Return what writes a dataset with this manifest, and the command that exports it."""

    def make() -> tuple[str, ...]:
        for number in range(5):
            write_picture(Path(f"Data/dataset/images/{number}.png"), side_px=512)
        Path("Data/dataset/approved.jsonl").write_bytes(content)
        return arguments or ("export", "Data", "--format", "kohya", "--out", "out")

    return make


def large(write: Callable[[Path], Any]) -> Callable[[], tuple[str, ...]]:
    """Return what writes a dataset whose manifest is large."""

    def make() -> tuple[str, ...]:
        arguments = folder(b"")()
        write(Path("Data/dataset/approved.jsonl"))
        return arguments

    return make


def fifo(path: Path) -> None:
    """Put a pipe in a file's place."""
    path.unlink()
    os.mkfifo(path)


def bomb() -> tuple[str, ...]:
    """Put a picture that claims 12,000 x 12,000 px into a dataset."""
    arguments = folder(lines(line()))()
    write_png_header(Path("Data/dataset/images/0.png"), 12_000)
    return arguments


def no_picture() -> tuple[str, ...]:
    """Put text in place of a picture of a dataset."""
    arguments = folder(lines(line()))()
    Path("Data/dataset/images/0.png").write_text("grey rabbit")
    return arguments


def beside(name: str, content: str) -> Callable[[], tuple[str, ...]]:
    """Return what writes a dataset with another file beside it."""

    def make() -> tuple[str, ...]:
        arguments = folder(lines(line()))()
        path = Path("Data") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return arguments

    return make


def onto_files() -> tuple[str, ...]:
    """Put somebody's files where the export shall be."""
    Path("out").mkdir()
    Path("out/thesis.doc").write_text("x")
    return folder(lines(line()))()


TRAINING = ("train", "Data", "--local", "--python", "/bin/true")

CASES = [
    # ---- on this machine
    Case(
        "a manifest as it should be",
        EXPORT,
        folder(lines(line())),
        code=0,
        told=(
            "Warning: Data has no settings.json: the defaults are used, and no storyboard is drawn.\n"
            "Warning: Data/dataset/pictures.jsonl does not tell of each picture: no shot is held "
            "out, so nothing will show whether the model learns characters or copies pictures.\n"
            "Warning: 5 of 5 captions would spoil the training: repeated_fragment (5 of 5 captions "
            "hold 'bunny waits by the brook'); near_identical (5 captions are the same, word for "
            "word: 'Bunny waits by the brook'). Such as 'Bunny waits by the brook', 'Bunny waits by "
            "the brook', 'Bunny waits by the brook'. Nothing was started. Mend the captions in the "
            "review of a new run, or in Data/dataset/approved.jsonl. Or train on them as they are: "
            "`storycast train Data --local --acknowledge repeated_fragment --acknowledge "
            "near_identical`.\n"
            "Exported 5 pictures as kohya to out.\n"
            "How to give it to a trainer: out/README.md"
        ),
    ),
    Case(
        "an empty manifest",
        EXPORT,
        folder(b""),
        code=2,
        told="Error: Data/dataset/approved.jsonl, line 1: there is no picture in it.",
    ),
    Case(
        "a manifest with a byte order mark and CRLF",
        EXPORT,
        folder(b"\xef\xbb\xbf" + lines(line()).replace(b"\n", b"\r\n")),
        code=0,
        told=(
            "Warning: Data has no settings.json: the defaults are used, and no storyboard is drawn.\n"
            "Warning: Data/dataset/pictures.jsonl does not tell of each picture: no shot is held "
            "out, so nothing will show whether the model learns characters or copies pictures.\n"
            "Warning: 5 of 5 captions would spoil the training: repeated_fragment (5 of 5 captions "
            "hold 'bunny waits by the brook'); near_identical (5 captions are the same, word for "
            "word: 'Bunny waits by the brook'). Such as 'Bunny waits by the brook', 'Bunny waits by "
            "the brook', 'Bunny waits by the brook'. Nothing was started. Mend the captions in the "
            "review of a new run, or in Data/dataset/approved.jsonl. Or train on them as they are: "
            "`storycast train Data --local --acknowledge repeated_fragment --acknowledge "
            "near_identical`.\n"
            "Exported 5 pictures as kohya to out.\n"
            "How to give it to a trainer: out/README.md"
        ),
    ),
    Case(
        "a manifest in UTF-16",
        EXPORT,
        folder(lines(line()).decode().encode("utf-16")),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 2: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 3: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 4: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 5: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'."
        ),
    ),
    Case(
        "a picture that is missing",
        EXPORT,
        folder(lines(line(7))),
        code=2,
        told=("Error: Data/dataset/approved.jsonl, line 1: there is no picture Data/dataset/images/7.png."),
    ),
    Case(
        "a picture above the folder",
        EXPORT,
        folder(lines(line(picture="s3://media/.."))),
        code=2,
        told="Error: Data/dataset/approved.jsonl, line 1: there is no picture Data/dataset/images/...",
    ),
    Case(
        "a picture with a NUL in its name",
        EXPORT,
        folder(lines(line(picture="s3://media/a\x00.png"))),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: its picture's name holds control "
            "characters, or half a character."
        ),
    ),
    Case(
        "a picture with a name of 5,000 letters",
        EXPORT,
        folder(lines(line(picture=f"s3://media/{'x' * 5000}"))),
        code=2,
        told=("Error: Data/dataset/approved.jsonl, line 1: there is no picture with a name of 5,000 bytes."),
    ),
    Case(
        "a picture twice",
        EXPORT,
        folder(lines(line(1))),
        code=2,
        told=("Error: Data/dataset/approved.jsonl: a picture stands in it twice. Take out one of the lines."),
    ),
    Case(
        "a caption with a NUL",
        EXPORT,
        folder(lines(line(caption="Bunny\x00waits"))),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: its caption holds control characters, such "
            "as a new line, or half a character."
        ),
    ),
    Case(
        "a caption with an escape sequence",
        EXPORT,
        folder(lines(line(caption="\x1b[2JBunny waits"))),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: its caption holds control characters, such "
            "as a new line, or half a character."
        ),
    ),
    Case(
        "a caption with a new line",
        EXPORT,
        folder(lines(line(caption="Bunny waits\n--prompt x"))),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: its caption holds control characters, such "
            "as a new line, or half a character."
        ),
    ),
    Case(
        "a caption of half a character",
        EXPORT,
        folder(lines('{"image-ref": "s3://media/0.png", "caption": "a \\ud800 b"}')),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: its caption holds control characters, such "
            "as a new line, or half a character."
        ),
    ),
    Case(
        "a caption of 5,000 letters",
        EXPORT,
        folder(lines(line(caption="x" * 5000))),
        code=2,
        told=("Error: Data/dataset/approved.jsonl, line 1: its caption has 5000 characters, not 3 to 1,024."),
    ),
    Case(
        "a caption that is a number",
        EXPORT,
        folder(lines(line(caption=5))),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'."
        ),
    ),
    Case(
        "no caption",
        EXPORT,
        folder(lines(line(caption=None))),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'."
        ),
    ),
    Case(
        "a line that is no JSON",
        EXPORT,
        folder(lines("image-ref: 0.png")),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'."
        ),
    ),
    Case(
        "a line of 100,000 brackets",
        EXPORT,
        folder(lines("[" * 100_000)),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'."
        ),
    ),
    Case(
        "a line that is a number of 5,000 digits",
        EXPORT,
        folder(lines("9" * 5000)),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'."
        ),
    ),
    Case(
        "20 lines that are no JSON",
        EXPORT,
        folder(b"x\n" * 20),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 2: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 3: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 4: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 5: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 6: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 7: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 8: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 9: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl, line 10: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'.\n"
            "Error: Data/dataset/approved.jsonl: and 10 more."
        ),
    ),
    Case(
        "a line of 1 GB",
        EXPORT,
        large(lambda path: os.truncate(path, GB)),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl has 1,073,741,824 bytes; a manifest has at most "
            "67,108,864. Divide it."
        ),
    ),
    Case(
        "a line of 64 MB",
        EXPORT,
        large(lambda path: path.write_bytes(b"x" * 64 * 1024**2)),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: it is no JSON object with 'image-ref' and "
            "'caption' or 'image_ref' and 'alt_text'."
        ),
    ),
    Case(
        "a pipe as manifest",
        EXPORT,
        large(fifo),
        code=2,
        told=(
            "Error: Data has no dataset/approved.jsonl. Name a run's id, or the folder of a run that "
            "`storycast run --out` or `storycast status RUN --out` left."
        ),
    ),
    Case(
        "a picture of 12,000 x 12,000 px in a dataset",
        EXPORT,
        bomb,
        code=2,
        told=(
            "Error: Data/dataset/images/0.png: it is no readable PNG or JPEG. Copy the run again.\n"
            "Warning: Data has no settings.json: the defaults are used, and no storyboard is drawn.\n"
            "Warning: Data/dataset/pictures.jsonl does not tell of each picture: no shot is held "
            "out, so nothing will show whether the model learns characters or copies pictures.\n"
            "Warning: 5 of 5 captions would spoil the training: repeated_fragment (5 of 5 captions "
            "hold 'bunny waits by the brook'); near_identical (5 captions are the same, word for "
            "word: 'Bunny waits by the brook'). Such as 'Bunny waits by the brook', 'Bunny waits by "
            "the brook', 'Bunny waits by the brook'. Nothing was started. Mend the captions in the "
            "review of a new run, or in Data/dataset/approved.jsonl. Or train on them as they are: "
            "`storycast train Data --local --acknowledge repeated_fragment --acknowledge "
            "near_identical`."
        ),
    ),
    Case(
        "a picture that is text in a dataset",
        EXPORT,
        no_picture,
        code=2,
        told=(
            "Error: Data/dataset/images/0.png: it is no readable PNG or JPEG. Copy the run again.\n"
            "Warning: Data has no settings.json: the defaults are used, and no storyboard is drawn.\n"
            "Warning: Data/dataset/pictures.jsonl does not tell of each picture: no shot is held "
            "out, so nothing will show whether the model learns characters or copies pictures.\n"
            "Warning: 5 of 5 captions would spoil the training: repeated_fragment (5 of 5 captions "
            "hold 'bunny waits by the brook'); near_identical (5 captions are the same, word for "
            "word: 'Bunny waits by the brook'). Such as 'Bunny waits by the brook', 'Bunny waits by "
            "the brook', 'Bunny waits by the brook'. Nothing was started. Mend the captions in the "
            "review of a new run, or in Data/dataset/approved.jsonl. Or train on them as they are: "
            "`storycast train Data --local --acknowledge repeated_fragment --acknowledge "
            "near_identical`."
        ),
    ),
    Case(
        "settings.json that is no JSON",
        EXPORT,
        beside("settings.json", "{"),
        code=2,
        told=(
            "Error: Data/settings.json can't be read by this release of the command (1 problems, "
            "first: Invalid JSON: EOF while parsing an object at line 1 column 1). Copy the run "
            "again, or use the command of the release that made it."
        ),
    ),
    Case(
        "settings.json of 100,000 brackets",
        EXPORT,
        beside("settings.json", "[" * 100_000),
        code=2,
        told=(
            "Error: Data/settings.json can't be read by this release of the command (1 problems, "
            "first: Invalid JSON: recursion limit exceeded at line 1 column 202). Copy the run "
            "again, or use the command of the release that made it."
        ),
    ),
    Case(
        "pictures.jsonl that is no JSON",
        EXPORT,
        beside("dataset/pictures.jsonl", "{"),
        code=2,
        told=(
            "Error: Data/dataset/pictures.jsonl can't be read (Expecting property name enclosed in "
            "double quotes: line 1 column 2 (char 1)). Copy the run again."
        ),
    ),
    Case(
        "pictures.jsonl of 100,000 brackets",
        EXPORT,
        beside("dataset/pictures.jsonl", "[" * 100_000),
        code=2,
        told=(
            "Error: Data/dataset/pictures.jsonl can't be read (maximum recursion depth exceeded "
            "while decoding a JSON array from a unicode string). Copy the run again."
        ),
    ),
    Case(
        "no dataset",
        EXPORT,
        lambda: ("export", "nowhere/here", "--format", "kohya", "--out", "out"),
        code=2,
        told=(
            "Error: There is no folder nowhere/here, and no run has such an id. `storycast status` lists the runs."
        ),
    ),
    Case(
        "an export onto somebody's files",
        EXPORT,
        onto_files,
        code=2,
        told=(
            "Error: --out /folder/out: it holds files that no export of this release left. Name a "
            "new or an empty folder."
        ),
    ),
    Case(
        "a training on captions with control characters",
        TRAIN,
        folder(lines(line(caption="a\x07b c")), *TRAINING),
        code=2,
        told=(
            "Error: Data/dataset/approved.jsonl, line 1: its caption holds control characters, such "
            "as a new line, or half a character."
        ),
    ),
    # ---- in the bucket
    Case("a stored manifest as it should be", STORED_MANIFEST, lambda: lines(line()), code=0, told="pictures: 5"),
    Case(
        "a stored manifest with a picture of another bucket",
        STORED_MANIFEST,
        lambda: lines(line(picture="s3://somebody/0.png")),
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl: line 1: s3://somebody/0.png is not "
            "in the bucket media. Mend the manifest, or approve the dataset again."
        ),
    ),
    Case(
        "a stored manifest with a picture of another folder",
        STORED_MANIFEST,
        lambda: lines(line(picture="s3://media/projects/p/cast/0.png")),
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl: line 1: projects/p/cast/0.png lies "
            "neither below datasets/ nor below runs/, where the job may read. Mend the manifest, or "
            "approve the dataset again."
        ),
    ),
    Case(
        "a stored manifest with a picture above its folder",
        STORED_MANIFEST,
        lambda: lines(line(picture="s3://media/datasets/../projects/x.png")),
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl: line 1: there is no picture "
            "datasets/../projects/x.png. Mend the manifest, or approve the dataset again."
        ),
    ),
    Case(
        "a stored manifest with a file of this machine",
        STORED_MANIFEST,
        lambda: lines(line(picture="file:///etc/passwd")),
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl: line 1: file:///etc/passwd is not "
            "in the bucket media. Mend the manifest, or approve the dataset again."
        ),
    ),
    Case(
        "a stored manifest with a picture that is missing",
        STORED_MANIFEST,
        lambda: lines(line(7)),
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl: line 1: there is no picture "
            "datasets/d/7.png. Mend the manifest, or approve the dataset again."
        ),
    ),
    Case(
        "a stored manifest with a line of 100,000 brackets",
        STORED_MANIFEST,
        lambda: lines("[" * 100_000),
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl: line 1: it is no JSON object with "
            "'image-ref' and 'caption' or 'image_ref' and 'alt_text'. Mend the manifest, or approve "
            "the dataset again."
        ),
    ),
    Case(
        "a stored manifest with a NUL in a caption",
        STORED_MANIFEST,
        lambda: lines(line(caption="a\x00b c")),
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl: line 1: its caption holds control "
            "characters, such as a new line, or half a character. Mend the manifest, or approve the "
            "dataset again."
        ),
    ),
    Case(
        "a stored manifest of 65 MB",
        STORED_MANIFEST,
        lambda: b"x" * 65 * 1024**2,
        code=2,
        told=(
            "TrainingPlanInvalidError: datasets/d/manifest.jsonl has 68,157,440 bytes, a manifest at "
            "most 67,108,864. Divide it."
        ),
    ),
]
