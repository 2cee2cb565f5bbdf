"""The report's table of the selection."""

from datetime import UTC, datetime

import pytest

from storycast import keys
from storycast.fingerprint import canonical_json
from storycast.report.material import gather
from storycast.report.page import write_page
from storycast.report.selection import selection_table
from storycast.selection_summary import CharacterSelection, SelectionSummary, read_summary
from tests.fakes.told import Told, made_dataset

NOW = datetime(2026, 11, 26, tzinfo=UTC)
GAMERA = CharacterSelection(
    character="Gamera <b>",
    pictures=6,
    asked=20,
    framing={"close-up": 0, "medium": 2, "full": 4},
    light={"dark": 1, "mid": 5, "bright": 0},
    shots=3,
    per_shot=7,
    pairs=0,
    left_out={"below_quality": 2, "duplicate": 41},
    missing=("no close-up", "3 shots only, up to 7 of each", "no picture with another character"),
)


@pytest.fixture(scope="module")
def told() -> Told:
    return made_dataset()


def test_a_runs_own_selection_is_in_its_report(told: Told) -> None:
    material = gather(told.store, told.run)
    table = selection_table(material)
    assert table is not None
    chosen = {row.name: row.pictures for row in table.rows}
    assert set(chosen) == {"Blu", "Rosso"}
    counts = {name: sum(image.character == name for image in material.images) for name in chosen}
    assert chosen == {name: f"{count} of 30" for name, count in counts.items()}
    page = write_page(material, told.store, NOW).decode()
    assert "How they were chosen" in page
    for line in told.run.warnings:
        if line.startswith(("Blu: ", "Rosso: ")):
            assert line in material.selection.shortfalls or "of at least" in line  # type: ignore[union-attr]


def test_each_character_is_told_with_what_is_missing_and_why_others_were_left_out(told: Told) -> None:
    summary = SelectionSummary(characters=(GAMERA,), pairs=0, pairs_asked=2, pairs_words="pairs: 0 of 2")
    content = canonical_json({"selection": summary.model_dump(mode="json")}).encode()
    store_key = keys.run_file(told.run_id, "curation.json")
    before = told.store.get(store_key)
    told.put("curation.json", content)
    try:
        page = write_page(gather(told.store, told.run), told.store, NOW).decode()
    finally:
        told.put("curation.json", before)
    assert "Gamera &lt;b&gt;" in page
    assert "Gamera <b>" not in page
    assert "6 of 20" in page
    assert "0 / 2 / 4" in page
    assert "1 / 5 / 0" in page
    assert "no close-up; 3 shots only, up to 7 of each; no picture with another character" in page
    assert "41 near-duplicates, 2 pictures below the quality floor" in page
    assert "Pairs: 0 of 2." in page


def test_runs_of_an_older_release_have_no_table(told: Told) -> None:
    assert read_summary(b'{"threshold": 0.9}') == SelectionSummary()
    with pytest.raises(ValueError, match="Expecting value"):
        read_summary(b"not json")
    assert GAMERA.words.startswith("Gamera <b>: 6 of 20; no close-up; 3 shots only")
