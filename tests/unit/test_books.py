"""The manifest, names of files, and the ledger."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.curation import CuratedImage
from storycast.dataset import file_name
from storycast.errors import TooManyLostError
from storycast.frames import from_json_lines
from storycast.ledger import FINAL_OUTCOMES, STAGES, Entry, Kind, record_entries, refuse_losses
from storycast.manifest import KEY_NAMES, MAX_RECORDS, MIN_RECORDS, ManifestRecord, problems, write_manifest
from tests.fakes.store import MemoryStore

# ---- the manifest ---------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5), st.sampled_from(["bedrock", "walkthrough"]))
def test_a_manifest_has_one_record_a_line_whatever_is_in_it(texts: list[tuple[str, str]], keys: str) -> None:
    records = [ManifestRecord(image_uri=f"s3://media/{uri}", caption=caption) for uri, caption in texts]
    content = write_manifest(records, keys)  # type: ignore[arg-type]
    lines = content.split(b"\n")
    assert lines.pop() == b""
    image_key, caption_key = KEY_NAMES[keys]
    assert [json.loads(line) for line in lines] == [
        {image_key: record.image_uri, caption_key: record.caption} for record in records
    ]


def test_the_keys_are_the_documented_ones() -> None:
    record = ManifestRecord(image_uri="s3://b/k.png", caption="Früh")
    assert write_manifest([record], "bedrock") == '{"image-ref": "s3://b/k.png", "caption": "Früh"}\n'.encode()
    assert (
        write_manifest([record], "walkthrough") == '{"image_ref": "s3://b/k.png", "alt_text": "Früh"}\n'.encode()
    )


@pytest.mark.parametrize("count", [0, MIN_RECORDS - 1, MAX_RECORDS + 1])
def test_a_dataset_of_the_wrong_size_says_so(count: int) -> None:
    (problem,) = problems(count)
    assert f"{count:,}" in problem


@pytest.mark.parametrize("count", [MIN_RECORDS, MAX_RECORDS])
def test_a_dataset_of_a_good_size_has_no_problem(count: int) -> None:
    assert problems(count) == []


# ---- files ----------------------------------------------------------------------------------------


def curated(character: str) -> CuratedImage:
    return CuratedImage(
        crop_id="8d1f0c2ab34e-000001000-00",
        character=character,
        frame_id="8d1f0c2ab34e-000001000",
        frame_key="k",
        footage_id="8d1f0c2ab34e",
        time_ms=1000,
        shot=0,
        left_px=0,
        top_px=0,
        side_px=300,
        in_picture=(character, "Tom"),
        framing="full",
        enlarged=True,
        score=0.9,
        duplicates=(),
    )


@given(st.text(min_size=1))
def test_a_file_name_is_plain_for_any_character(name: str) -> None:
    made = file_name(curated(name))
    assert made.isascii()
    assert not set(made) & set(" /\\?*<>|:\"'")
    assert made.endswith("-8d1f0c2ab34e-000001000-00.png")


# ---- the ledger -----------------------------------------------------------------------------------


def entry(kind: Kind, name: str, outcome: str) -> Entry:
    return Entry(kind=kind, id=name, footage_id="f", outcome=outcome, reason=f"because {outcome}")


def ledger(store: MemoryStore) -> Mapping[tuple[str, str], str]:
    entries = from_json_lines(store.get("runs/r/ledger.jsonl"), Entry)
    assert len({(one.kind, one.id) for one in entries}) == len(entries)
    return {(one.kind, one.id): one.outcome for one in entries}


def test_a_later_stage_has_the_last_word_and_every_item_stays() -> None:
    store = MemoryStore()
    record_entries(store, "r", "list_frames", [entry("frame", "1", "sampled"), entry("frame", "2", "blank")])
    assert ledger(store) == {("frame", "1"): "sampled", ("frame", "2"): "blank"}
    record_entries(store, "r", "name_characters", [entry("frame", "1", "cropped"), entry("crop", "1", "named")])
    whole = record_entries(store, "r", "write_dataset", [entry("crop", "1", "in_dataset")])
    assert ledger(store) == {
        ("crop", "1"): "in_dataset",
        ("frame", "1"): "cropped",
        ("frame", "2"): "blank",
    }
    assert [one.outcome for one in whole] == ["in_dataset", "cropped", "blank"]


def test_a_stage_that_is_repeated_replaces_what_it_said() -> None:
    store = MemoryStore()
    record_entries(store, "r", "list_frames", [entry("frame", "1", "sampled"), entry("frame", "2", "sampled")])
    record_entries(store, "r", "list_frames", [entry("frame", "1", "blank")])
    assert ledger(store) == {("frame", "1"): "blank"}


def test_of_two_words_on_one_item_the_last_counts() -> None:
    store = MemoryStore()
    record_entries(store, "r", "name_characters", [entry("crop", "1", "refused"), entry("crop", "1", "named")])
    assert ledger(store) == {("crop", "1"): "named"}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["frame", "crop"]), st.sampled_from("abc"), st.sampled_from(STAGES), st.text("xyz")
        )
    )
)
def test_the_ledger_is_the_last_word_of_the_stages_in_order(said: list[tuple[Kind, str, str, str]]) -> None:
    store = MemoryStore()
    expected: dict[tuple[str, str], str] = {}
    for stage in STAGES:
        entries = [entry(kind, name, outcome) for kind, name, at, outcome in said if at == stage]
        expected |= {(one.kind, one.id): one.outcome for one in entries}
        record_entries(store, "r", stage, entries)
        assert ledger(store) == expected


def test_final_outcomes_are_never_words_for_waiting() -> None:
    waiting = {"sampled", "named", "found", "curated"}
    assert not waiting & {outcome for outcomes in FINAL_OUTCOMES.values() for outcome in outcomes}


@pytest.mark.parametrize(("lost", "of", "share"), [(0, 0, 0.0), (0, 10, 0.0), (1, 100, 0.01), (10, 10, 1.0)])
def test_few_losses_are_borne(lost: int, of: int, share: float) -> None:
    refuse_losses("frames", lost, of, share)


@pytest.mark.parametrize(("lost", "of", "share"), [(1, 10, 0.0), (2, 100, 0.01), (10, 10, 0.99)])
def test_many_losses_end_the_run_with_the_numbers(lost: int, of: int, share: float) -> None:
    with pytest.raises(TooManyLostError, match=f"{lost} of {of} frames were lost"):
        refuse_losses("frames", lost, of, share)
