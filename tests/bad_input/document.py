"""``docs/bad-input.md``, made of the corpus: ``python -m tests.bad_input.document`` writes it anew."""

import html
from pathlib import Path

from tests.bad_input.corpus import Case, all_cases

PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"
SHOWN = 400
"""Characters of a message in the table."""

INTRODUCTION = """# Bad input, and what it gets

Made by `python -m tests.bad_input.document` from the corpus in `tests/bad_input/`, which holds {count}
inputs. Each is made by code, and given to the real thing, the command or a function's code over a bucket in
memory, in a process of its own. `tests/bad_input/test_corpus.py` compares every message, to the letter, and
every exit code. None may hold a stack trace or a control character, take 30 s of CPU, or need more memory
than there is: 1 GB for the command, and for a function what the template gives it.

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
| a film's length | 24 hours | `FootageUnreadableError` |
| a picture, in pixels | 8,192 x 8,192; a reference 64,000,000 | refused before it is decoded |
| a decoded picture, in bytes | 128 MB of a film, 256 MB of a still | `FootageUnreadableError` |
| frames that are looked at on each side of one | 60, and 800 MB | fewer are looked at |
| a project file | 256 KB, 10 levels, no tags, no aliases | `SettingsInvalidError` |
| problems that one message tells | 10 | the rest is counted |
| a reference picture | 50 MB | `ReferenceMissingError` |
| a manifest | 64 MB | `TrainingPlanInvalidError` |
| a file of decisions | 16 MB, 20,000 decisions | refused |
| labels in one frame | the 400 most confident | the rest is left out |
"""


def page() -> str:
    """Return the page."""
    from tests.unit.test_bad_answers import CASES

    sections = all_cases()
    count = sum(len(cases) for _, cases in sections)
    parts = [INTRODUCTION.format(count=count, answers=len(CASES))]
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
