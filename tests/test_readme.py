"""The README and the page of the workflow tell the truth, and the README stays short."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "statemachine"))

from draw import PAGES, definition, draw, written  # noqa: E402


@pytest.mark.parametrize("machine", PAGES)
def test_the_graph_is_the_definitions(machine: str) -> None:
    page = (ROOT / PAGES[machine]).read_text()
    assert page == written(page, machine, draw(definition(machine))), "run `make graph`"


def test_each_machine_has_its_graph() -> None:
    machines = {path.name.removesuffix(".asl.json") for path in (ROOT / "statemachine").glob("*.asl.json")}
    assert set(PAGES) == machines


def test_it_stays_under_600_words_beside_the_graph() -> None:
    readme = (ROOT / "README.md").read_text()
    without = written(readme, "build_dataset", "")
    assert len(without.split()) < 620


def test_what_it_links_to_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
