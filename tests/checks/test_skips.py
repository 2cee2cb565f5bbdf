"""What checkov is told to pass over has its reason beside it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.tools import REPOSITORY

TEMPLATE = REPOSITORY / "template.yaml"
DOCKERFILE = REPOSITORY / "functions/sample_frames/Dockerfile"
LEAST_LETTERS = 20


def skips(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the id of each skipped check and the reason."""
    text = path.read_text()
    if path == DOCKERFILE:
        yield from re.findall(r"^# *checkov:skip=(\w+):(.*)$", text, re.MULTILINE)
        return
    for found in re.finditer(r"- (?:\{id: (\w+), comment: (.*)\}|id: (\w+)\n(?: +comment: (.*)\n)?)", text):
        yield found[1] or found[3], found[2] or found[4] or ""


@pytest.mark.parametrize("path", [TEMPLATE, DOCKERFILE], ids=lambda path: path.name)
def test_each_skip_says_why(path: Path) -> None:
    found = list(skips(path))
    assert len(found) == len(re.findall(r"\bCKV\w+", path.read_text()))
    assert not [check for check, reason in found if len(reason.strip()) < LEAST_LETTERS]
