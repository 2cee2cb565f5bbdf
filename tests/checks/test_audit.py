"""`make audit` says clean of nothing that nobody was asked about."""

import json

import pytest

from checks.audit import CLEAN, NOT_ASKED, WEAK, audit

ASKED = {"name": "pillow", "version": "13.0.0", "vulns": []}
WITHOUT = {"name": "numpy", "skip_reason": "Dependency not found on PyPI"}
FLAWED = {"name": "jinja2", "version": "3.1.2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.3"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([ASKED], CLEAN, "x.txt: 1 of 1 packages asked about, 0 weaknesses"),
        ([ASKED, WITHOUT], NOT_ASKED, "x.txt: 1 of 2 packages asked about, 0 weaknesses"),
        ([WITHOUT], NOT_ASKED, "  not asked about: Dependency not found on PyPI"),
        ([], NOT_ASKED, "NOT AUDITED: of some packages nobody could be asked."),
        ([FLAWED, WITHOUT], WEAK, "  jinja2 3.1.2: PYSEC-1, mended in 3.1.3"),
    ],
)
def test_what_is_told(packages: list[dict[str, object]], code: int, said: str) -> None:
    told: list[str] = []
    assert audit(["x.txt"], lambda _lock: json.dumps({"dependencies": packages}), told.append) == code
    assert any(line.startswith(said) for line in told), told


def test_pip_audit_that_says_nothing_is_not_clean() -> None:
    assert audit(["x.txt"], lambda _lock: "", lambda _line: None) == NOT_ASKED
