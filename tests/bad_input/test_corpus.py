"""Every input of the corpus gets the very message that is written down for it, within its limits."""

from collections import Counter

import pytest
import yaml

from tests.bad_input import answers, doors
from tests.bad_input.corpus import Case, Outcome, all_cases
from tests.bad_input.document import PAGE, page
from tests.bad_input.process import judge

CASES = [case for _, cases in all_cases() for case in cases]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what[:80])
def test_an_input_gets_its_message(case: Case) -> None:
    judged = judge(case.what)
    assert not judged.bug, judged.bug
    assert judged.outcome == Outcome(case.code, case.told)


def test_the_corpus_is_large_and_names_no_case_twice() -> None:
    assert len(CASES) >= 150
    assert [what for what, count in Counter(case.what for case in CASES).items() if count > 1] == []


def test_no_message_is_a_stack_trace_or_a_word_of_python() -> None:
    for case in CASES:
        for word in ("Traceback", 'File "', "0x7f", "object at 0x", "NoneType", "pydantic", "sys.set"):
            assert word not in case.told, case.what


def test_what_is_refused_is_told_in_a_sentence_with_the_code_of_bad_input_or_of_a_failed_run() -> None:
    for case in CASES:
        assert case.code in (0, 1, 2), case.what
        assert case.code == 0 or len(case.told.split()) >= 5, case.what


def test_functions_are_held_to_the_memory_that_the_template_gives_them() -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, _, node: None)
    template = yaml.load((doors.ROOT / "template.yaml").read_text(encoding="utf-8"), Loader)
    usual = template["Globals"]["Function"]["MemorySize"]
    for name, megabytes in {
        "ProbeFootage": doors.PROBE_MB,
        "SampleFrames": doors.SAMPLE_MB,
        "BuildCast": doors.CAST_MB,
        "CheckTrainingPlan": doors.PLAN_MB,
        "CaptionImages": answers.CAPTIONER_MB,
        "DetectCharacters": answers.FUNCTION_MB,
    }.items():
        assert template["Resources"][f"{name}Function"]["Properties"].get("MemorySize", usual) == megabytes, name


def test_the_page_lists_the_corpus() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.bad_input.document"
