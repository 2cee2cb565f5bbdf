"""``docs/bad-input.md``, made of the corpus: ``python -m tests.bad_input.document`` writes it anew."""

import html
import math
from pathlib import Path

from review.intake import MOST_DECISIONS, MOST_FILE_BYTES
from storycast import images
from storycast.detections import MOST_INSTANCES
from storycast.manifest import MAX_MANIFEST_BYTES
from storycast.settings import MAX_DEPTH, MOST_TOLD
from storycast.stages.build_cast import MAX_REFERENCE_BYTES
from storycast.stages.prepare_run import MAX_PROJECT_FILE_BYTES
from storycast.video import opening
from storycast.video.header import MAX_DURATION_MS
from storycast.video.intervals import HELD_BYTES, MOST_AROUND
from tests.bad_input.corpus import Case, all_cases
from tests.bad_input.doors import COMMAND_MB
from tests.bad_input.process import MOST_CPU_S

PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"
SHOWN = 400
"""Characters of a message in the table."""

INTRODUCTION = """# Bad input, and what it gets

Made by `python -m tests.bad_input.document` from the corpus in `tests/bad_input/`, which holds {count}
inputs. Each is made by code, and given to the real thing, the command or a function's code over a bucket in
memory, in a process of its own. `tests/bad_input/test_corpus.py` compares every message, to the letter, and
every exit code. None may hold a stack trace or a control character, take {cpu_s} s of CPU, or need more memory
than there is: {command_gb} GB for the command, and for a function what the template gives it.

The exit code is the command's (0 done or nothing wrong, 1 the run failed, 2 bad input). Where the input
meets a function, it is the one that the command ends with after such a run. `taken` means that nothing was
wrong with it.

Besides these: {answers} answers of captioners in `tests/unit/bad_answers/`, with their faults; damaged
films by chance in `tests/unit/test_film_fuzz.py`; each function's invalid events in `events/`; and, by
`tests/bad_input/test_fuzz.py`, project files, answers, manifests, events and files of decisions by chance:
each is taken, or refused by an error of `storycast/errors.py` that names the file or the key.

What nobody foresaw ends in one line, `Error: <class>: <message>. Run again with --verbose to see where.`,
and exit code 1. The stack trace is shown with `--verbose` alone, and written nowhere;
`tests/bad_input/test_last_resort.py`.

## Limits

| Of | Limit | Beyond it |
|---|---|---|
{limits}
"""


def _limits() -> str:
    """Return the rows of the table of limits, with the code's own figures."""
    mb = 1024**2
    side_px = math.isqrt(opening.MAX_PIXELS)
    hours = MAX_DURATION_MS // 3_600_000
    rows = [
        ("a film's length", f"{hours} hours", "`FootageUnreadableError`"),
        (
            "a picture, in pixels",
            f"{side_px:,} x {side_px:,}; a reference {images.MAX_PIXELS:,}",
            "refused before it is decoded",
        ),
        (
            "a decoded picture, in bytes",
            f"{opening.MAX_FRAME_BYTES // mb} MB of a film, {opening.MAX_STILL_BYTES // mb} MB of a still",
            "`FootageUnreadableError`",
        ),
        (
            "frames that are looked at on each side of one",
            f"{MOST_AROUND}, and {HELD_BYTES // mb} MB",
            "fewer are looked at",
        ),
        (
            "a project file",
            f"{MAX_PROJECT_FILE_BYTES // 1024} KB, {MAX_DEPTH} levels, no tags, no aliases",
            "`SettingsInvalidError`",
        ),
        ("problems that one message tells", f"{MOST_TOLD}", "the rest is counted"),
        ("a reference picture", f"{MAX_REFERENCE_BYTES // mb} MB", "`ReferenceMissingError`"),
        ("a manifest", f"{MAX_MANIFEST_BYTES // mb} MB", "`TrainingPlanInvalidError`"),
        ("a file of decisions", f"{MOST_FILE_BYTES // mb} MB, {MOST_DECISIONS:,} decisions", "refused"),
        ("labels in one frame", f"the {MOST_INSTANCES} most confident", "the rest is left out"),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page() -> str:
    """Return the page."""
    from tests.unit.test_bad_answers import CASES

    sections = all_cases()
    count = sum(len(cases) for _, cases in sections)
    parts = [
        INTRODUCTION.format(
            count=count, answers=len(CASES), limits=_limits(), cpu_s=MOST_CPU_S, command_gb=COMMAND_MB // 1024
        )
    ]
    for heading, cases in sections:
        rows = [_row(case) for case in cases]
        parts.append(
            "\n".join(
                [f"\n## {heading}\n", "| Input | Given to | Message | Exit code |", "|---|---|---|---|", *rows]
            )
        )
    return "\n".join(parts) + "\n"


def _row(case: Case) -> str:
    told = case.told if len(case.told) <= SHOWN else f"{case.told[:SHOWN]}…"
    shown = html.escape(told, quote=False).replace("|", "\\|").replace("\n", "<br>").replace("*", "\\*")
    what = html.escape(case.what, quote=False).replace("|", "\\|").replace("*", "\\*")
    return f"| {what} | {case.door.name} | {shown} | {case.code} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
