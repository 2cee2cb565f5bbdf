"""What can raise an error is found by following names: held to what can be seen without following any."""

import re

import pytest

from checks import raised_by
from checks.raised_by import ROOT

STAGES = ROOT / "layers/storycast/storycast/stages"


@pytest.mark.parametrize("function", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
def test_what_a_stage_raises_itself_is_found(function: str) -> None:
    handler = (ROOT / "functions" / function / "app.py").read_text()
    reached = raised_by._reached(f"functions.{function}.app")
    for stage in re.findall(r"^from storycast\.stages\.(\w+) import", handler, re.MULTILINE):
        source = (STAGES / f"{stage}.py").read_text()
        raised = set(re.findall(r"\braise (\w+Error)\(", source)) & set(raised_by.leaves())
        assert raised <= reached, stage


@pytest.mark.parametrize(
    ("error", "state", "how"),
    [
        ("FootageUnreadableError", "SampleOneSegment", "through a module that passes names on"),
        ("FootageMissingError", "ProbeOneFootage", "by a file's method, which the standard library calls"),
        ("TrainingAccessError", "StartTraining", "out of a table of a service's codes"),
        ("ThrottledError", "DetectCharacters", "by an adapter behind a port"),
        ("NoFramesError", "NoFrames", "as a Fail state"),
    ],
)
def test_it_is_found_where_it_is_far_away(error: str, state: str, how: str) -> None:
    assert state in raised_by.states()[error], how


@pytest.mark.parametrize(
    ("error", "state", "why"),
    [
        ("FootageMissingError", "DeleteModel", "its store can open a file, and nobody there does"),
        ("StillBillingError", "ReportRun", "the report has words about it by its class"),
        ("NothingApprovedError", "ReportRun", "the same"),
    ],
)
def test_what_only_names_an_error_does_not_raise_it(error: str, state: str, why: str) -> None:
    assert state not in raised_by.states()[error], why


def test_every_error_comes_from_somewhere() -> None:
    assert set(raised_by.leaves()) == set(raised_by.states()) & set(raised_by.leaves())
