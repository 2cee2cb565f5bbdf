"""The README tells the truth about the workflow and stays short."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "statemachine"))

from draw import BEGIN, DEFINITION, END, README, draw, written  # noqa: E402


def test_the_graph_is_the_definitions() -> None:
    readme = README.read_text()
    assert readme == written(readme, draw(json.loads(DEFINITION.read_text()))), "run `make graph`"


def test_it_stays_under_600_words_beside_the_graph() -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    assert len((before + after).split()) < 600


def test_what_it_links_to_is_there() -> None:
    import re

    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text()):
        assert (ROOT / target).exists(), target
