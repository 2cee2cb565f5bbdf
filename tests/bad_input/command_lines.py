"""Command lines that nobody should type."""

from collections.abc import Callable
from pathlib import Path

from tests.bad_input.corpus import Case
from tests.bad_input.doors import COMMAND
from tests.cli.media import write_video


def a(*arguments: str) -> Callable[[], tuple[str, ...]]:
    """Return what writes a film, and a command line."""

    def make() -> tuple[str, ...]:
        write_video(Path("film.mp4"))
        return arguments

    return make


CASES = [
    Case(
        "no footage",
        COMMAND,
        a("run"),
        code=2,
        told=(
            "Usage: storycast run [OPTIONS] {FOOTAGE}...\n"
            "Try 'storycast run --help' for help.\n"
            "Error: Missing argument 'FOOTAGE'."
        ),
    ),
    Case(
        "footage that is an empty word",
        COMMAND,
        a("run", ""),
        code=2,
        told="Error: . is a folder. Name its files, such as ./*.mp4.",
    ),
    Case(
        "footage with a NUL",
        COMMAND,
        a("run", "fi\x00lm.mp4"),
        code=2,
        told=(
            "Usage: storycast run [OPTIONS] {FOOTAGE}...\n"
            "Try 'storycast run --help' for help.\n"
            "Error: Invalid value for 'FOOTAGE': Value error, stat: embedded null character in path"
        ),
    ),
    Case(
        "footage that is a URL",
        COMMAND,
        a("run", "http://127.0.0.1:9/film.mp4"),
        code=2,
        told="Error: http:/127.0.0.1:9/film.mp4 does not exist. Check the name and the folder.",
    ),
    Case(
        "footage that is a name in S3",
        COMMAND,
        a("run", "s3://bucket/film.mp4"),
        code=2,
        told="Error: s3:/bucket/film.mp4 does not exist. Check the name and the folder.",
    ),
    Case(
        "footage with a name of 300 letters",
        COMMAND,
        a("run", "x" * 300),
        code=2,
        told=(
            "Error: "
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx can't be opened (File name too long). Check its "
            "name and permissions."
        ),
    ),
    Case(
        "footage with bytes that are no text",
        COMMAND,
        a("run", "\udcff.mp4"),
        code=2,
        told="Error: \\udcff.mp4 does not exist. Check the name and the folder.",
    ),
    Case(
        "footage with an escape sequence",
        COMMAND,
        a("run", "\x1b[2J.mp4"),
        code=2,
        told="Error: \\x1b[2J.mp4 does not exist. Check the name and the folder.",
    ),
    Case(
        "101 footage files",
        COMMAND,
        a("run", *["film.mp4"] * 101),
        code=2,
        told="Error: 101 footage files are too many for one run; give at most 100.",
    ),
    Case(
        "a file twice",
        COMMAND,
        a("run", "film.mp4", "film.mp4"),
        code=2,
        told=("Error: film.mp4 and film.mp4 have one name, film.mp4, and would overwrite each other. Rename one."),
    ),
    Case(
        "a project name of dots",
        COMMAND,
        a("upload", "film.mp4", "--project-name", "..", "--follow"),
        code=2,
        told=("Error: --project-name '..' can't be a project's name. Use 1 to 100 letters, digits and hyphens."),
    ),
    Case(
        "a project name with a slash",
        COMMAND,
        a("upload", "film.mp4", "--project-name", "a/b", "--follow"),
        code=2,
        told=("Error: --project-name 'a/b' can't be a project's name. Use 1 to 100 letters, digits and hyphens."),
    ),
    Case(
        "a target that does not exist",
        COMMAND,
        a("run", "film.mp4", "--target", "moon"),
        code=2,
        told=(
            "Usage: storycast run [OPTIONS] {FOOTAGE}...\n"
            "Try 'storycast run --help' for help.\n"
            "Error: Invalid value for '--target' (env var: 'STORYCAST_TARGET'): Value error, 'moon' "
            "is not one of 'local', 'aws'."
        ),
    ),
    Case(
        "an option that nearly is one",
        COMMAND,
        a("run", "film.mp4", "--porject", "x"),
        code=2,
        told=(
            "Usage: storycast run [OPTIONS] {FOOTAGE}...\n"
            "Try 'storycast run --help' for help.\n"
            "Error: No such option: --porject (Possible options: --project)"
        ),
    ),
    Case(
        "--out that is a file",
        COMMAND,
        a("run", "film.mp4", "--out", "film.mp4"),
        code=2,
        told=("Error: --out film.mp4: film.mp4 is a file. Name a folder; it is made where it is missing."),
    ),
    Case(
        "--out below /proc",
        COMMAND,
        a("run", "film.mp4", "--out", "/proc/1/x"),
        code=2,
        told="Error: --out /proc/1/x: /proc/1 can't be written to. Name another folder.",
    ),
    Case(
        "a run id above the folder",
        COMMAND,
        a("train", "../x", "--local"),
        code=2,
        told=("Error: There is no folder ../x, and no run has such an id. `storycast status` lists the runs."),
    ),
    Case(
        "a command that does not exist",
        COMMAND,
        a("dance"),
        code=2,
        told=(
            "Usage: storycast [OPTIONS] COMMAND [ARGS]...\n"
            "Try 'storycast --help' for help.\n"
            "Error: No such command 'dance'."
        ),
    ),
    Case(
        "steps that are no number",
        COMMAND,
        a("train", "run-1", "--steps", "many"),
        code=2,
        told=(
            "Usage: storycast train [OPTIONS] {RUN}\n"
            "Try 'storycast train --help' for help.\n"
            "Error: Invalid value for '--steps': Input should be a valid integer, unable to parse "
            "string as an integer"
        ),
    ),
    Case(
        "a budget that is not a number",
        COMMAND,
        a("train", "run-1", "--budget", "nan"),
        code=2,
        told=(
            "Usage: storycast train [OPTIONS] {RUN}\n"
            "Try 'storycast train --help' for help.\n"
            "Error: Invalid value for '--budget': nan is no amount of money"
        ),
    ),
    Case(
        "weights that are none",
        COMMAND,
        a("train", "run-1", "--local", "--weights", "."),
        code=2,
        told=(
            "Error: --weights .: it is no model in diffusers' folder layout, which has a "
            "model_index.json. Name the folder that `save_pretrained` or a download of the whole "
            "model made."
        ),
    ),
    Case(
        "a rule of the lint that does not exist",
        COMMAND,
        a("train", "run-1", "--acknowledge", "everything"),
        code=2,
        told=(
            "Error: --acknowledge everything: there is no such rule. The caption lint has the rules "
            "repeated_fragment, repeated_traits, kind_words, near_identical, missing_names, "
            "wrong_cast, unusable_caption, caption_length."
        ),
    ),
]
