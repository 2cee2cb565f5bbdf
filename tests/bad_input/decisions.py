"""Files of decisions, edited by hand."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_input.corpus import Case
from tests.bad_input.doors import IMPORT

SOUND: dict[str, Any] = {
    "format": "storycast-decisions-1",
    "run_id": "run-1",
    "who": "Ada",
    "decisions": [
        {
            "id": "decision-1",
            "what": "keep",
            "when": "2026-01-02T03:04:05Z",
            "changes": [{"subject": "picture:c", "field": "verdict", "before": "open", "after": "kept"}],
        }
    ],
}


def a(content: Any) -> Callable[[], str]:
    """Return what writes a file of decisions."""

    def make() -> str:
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        Path("decisions.json").write_bytes(text.encode() if isinstance(text, str) else text)
        return "decisions.json"

    return make


def sparse() -> str:
    """Write 20 GB of nothing."""
    with Path("decisions.json").open("wb") as file:
        file.truncate(20 * 1024**3)
    return "decisions.json"


def fifo() -> str:
    """Make a pipe to which nobody writes."""
    os.mkfifo("decisions.json")
    return "decisions.json"


def with_change(**parts: Any) -> dict[str, Any]:
    """Return a file whose one change has other parts."""
    decision = SOUND["decisions"][0]
    return {**SOUND, "decisions": [{**decision, "changes": [{**decision["changes"][0], **parts}]}]}


CASES = [
    Case("decisions as a bundle gives them", IMPORT, a(SOUND), code=0, told="taken"),
    Case(
        "an empty file of decisions",
        IMPORT,
        a(""),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: Invalid JSON: EOF "
            "while parsing a value at line 1 column 0."
        ),
    ),
    Case(
        "decisions cut off",
        IMPORT,
        a(json.dumps(SOUND)[:80]),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: Invalid JSON: EOF "
            "while parsing an object at line 1 column 80."
        ),
    ),
    Case(
        "decisions in UTF-16",
        IMPORT,
        a(json.dumps(SOUND).encode("utf-16")),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: Invalid JSON: "
            "expected value at line 1 column 1."
        ),
    ),
    Case(
        "decisions as a list",
        IMPORT,
        a([SOUND]),
        code=2,
        told=("Error: decisions.json is no file of decisions from a review's bundle: Input should be an object."),
    ),
    Case(
        "100,000 brackets as decisions",
        IMPORT,
        a("[" * 100_000),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: Invalid JSON: "
            "recursion limit exceeded at line 1 column 202."
        ),
    ),
    Case(
        "decisions of another format",
        IMPORT,
        a({**SOUND, "format": "storycast-decisions-9"}),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: format: Input "
            "should be 'storycast-decisions-1'."
        ),
    ),
    Case(
        "decisions with an unknown key",
        IMPORT,
        a({**SOUND, "approve_all": True}),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: approve_all: "
            "Extra inputs are not permitted."
        ),
    ),
    Case("decisions on a run above the folder", IMPORT, a({**SOUND, "run_id": "../../x"}), code=0, told="taken"),
    Case(
        "decisions by nobody",
        IMPORT,
        a({**SOUND, "who": ""}),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: who: String "
            "should have at least 1 character."
        ),
    ),
    Case(
        "decisions by an escape sequence",
        IMPORT,
        a({**SOUND, "who": "\x1b[2JAda"}),
        code=2,
        told="Error: decisions.json names nobody who can decide: '\\x1b[2JAda'.",
    ),
    Case(
        "a verdict that does not exist",
        IMPORT,
        a(with_change(field="verdikt")),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: "
            "decisions.0.changes.0.field: Input should be 'verdict', 'caption', 'character', "
            "'shown', 'name', 'standing' or 'acknowledged'."
        ),
    ),
    Case(
        "a caption of 3,000 letters",
        IMPORT,
        a(with_change(field="caption", after="x" * 3000)),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: "
            "decisions.0.changes.0.after: String should have at most 2048 characters."
        ),
    ),
    Case(
        "a decision without an id",
        IMPORT,
        a({**SOUND, "decisions": [{"what": "keep", "changes": []}]}),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: decisions.0.id: "
            "Field required. (1 more faults)"
        ),
    ),
    Case(
        "20,001 decisions",
        IMPORT,
        a({**SOUND, "decisions": SOUND["decisions"] * 20_001}),
        code=2,
        told=(
            "Error: decisions.json is no file of decisions from a review's bundle: decisions: Tuple "
            "should have at most 20000 items after validation, not 20001."
        ),
    ),
    Case(
        "20 GB of decisions",
        IMPORT,
        sparse,
        code=2,
        told=(
            "Error: decisions.json has more than 16,777,216 bytes: it is no file of decisions from a "
            "review's bundle."
        ),
    ),
    Case(
        "a pipe as decisions",
        IMPORT,
        fifo,
        code=2,
        told=("Error: decisions.json is no regular file: it is no file of decisions from a review's bundle."),
    ),
    Case(
        "decisions that are not there",
        IMPORT,
        lambda: "decisions.json",
        code=2,
        told="Error: decisions.json can't be read: No such file or directory.",
    ),
]
