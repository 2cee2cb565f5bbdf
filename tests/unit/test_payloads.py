"""No state passes on more than 32 KB, whatever settings, films and services' answers allow."""

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.footage_check import check_footage
from storycast.approval import approve
from storycast.boxes import Box
from storycast.cast import Cast
from storycast.curation import MOST_DUPLICATES, CuratedImage, curate
from storycast.embeddings import Rows
from storycast.errors import RequestInvalidError, SettingsInvalidError, StorycastError
from storycast.footage import LEAD_MS, FootageSource, Probe, Segment, plan_segments
from storycast.frames import MOST_TEXTS, KeptFrame, text_boxes
from storycast.human_loops import MOST_BATCHES
from storycast.keys import run_file
from storycast.ledger import Entry
from storycast.payloads import MAX_PAYLOAD_BYTES, MOST_LISTED, clipped, listed
from storycast.requests import MAX_FOOTAGE, LoopEnd, read_request
from storycast.selection import Rules
from storycast.settings import MAX_CHARACTERS, read_settings
from storycast.stages import apply_review as applying
from storycast.stages import write_dataset as writing
from storycast.stages.complete_human_review import MOST_REASON_BYTES
from storycast.stages.name_characters import name_characters
from storycast.stages.prepare_run import prepare_run
from storycast.stages.reading import AHEAD, read_records, write_record
from tests.fakes.services import MemoryClaims
from tests.fakes.sightings import seen
from tests.fakes.store import MemoryStore
from tests.fakes.workflow import NOW, keep_the_rest
from tests.unit.test_review_stages import check, settings, waiting

WIDE = "\N{GRINNING FACE}"
"""Four bytes of UTF-8, the most that a character has."""
NAMES = [f"{number:02d}{WIDE * 58}" for number in range(MAX_CHARACTERS)]
DAY_MS = 24 * 3600 * 1000


def size(payload: Any) -> int:
    """Bytes of a payload, as Step Functions counts them and the runtime writes them."""
    return len(json.dumps(payload, ensure_ascii=False).encode())


# ---- words ----------------------------------------------------------------------------------------


@given(st.text(st.characters(codec=None)), st.integers(3, 100))
def test_a_clipped_text_begins_alike_and_has_its_bytes(text: str, most: int) -> None:
    told, whole = clipped(text, most), text.encode(errors="backslashreplace")
    assert len(told.encode()) <= most
    assert told.encode() == whole or (told.endswith("…") and whole.startswith(told[:-1].encode()))


def test_half_a_character_is_told_by_its_number() -> None:
    assert clipped("half: \ud83d", 100) == r"half: \ud83d"
    assert str(StorycastError("half: \ud83d")) == r"half: \ud83d"


def test_of_many_things_some_are_listed() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(MOST_LISTED)]) == "0, 1, 2, 3, 4"
    assert listed([str(number) for number in range(50)], "; ") == "0; 1; 2; 3; 4 and 45 more"


def test_an_error_has_a_message_that_an_event_can_carry() -> None:
    error = SettingsInvalidError("x" * 1_000_000)
    assert len(str(error).encode()) <= 4000
    assert str(StorycastError("short")) == "short"


@pytest.mark.parametrize("key", ["k" * 155, '"' * 38, "字" * 50])
@pytest.mark.parametrize("sign", ["x", "字"])
def test_the_event_of_a_failure_fits(key: str, sign: str) -> None:
    """It holds the input as text in JSON, and as cause what the runtime tells of an error, escaped to ASCII."""
    request = {"project": "p" * 100, "footage": [key] * MAX_FOOTAGE, "run_id": "r" * 40}
    read_request(request)
    with pytest.raises(RequestInvalidError):
        read_request({**request, "footage": [key * 2] * MAX_FOOTAGE})
    error = SettingsInvalidError(sign * 1_000_000)
    trace = [f'  File "/var/task/storycast/stages/a.py", line {line}, in handler\n' for line in range(20)]
    cause = json.dumps({"errorMessage": str(error), "errorType": "SettingsInvalidError", "stackTrace": trace})
    end = {"executionArn": "a" * 200, "stateMachineArn": "a" * 150, "status": "FAILED", "error": "e" * 80}
    detail = {**end, "input": json.dumps(request, ensure_ascii=False), "cause": cause}
    event = {"source": "aws.states", "resources": ["a" * 200], "detail": detail}
    assert size({"event": event}) <= MAX_PAYLOAD_BYTES


# ---- requests -------------------------------------------------------------------------------------


@given(st.lists(st.text(min_size=1, max_size=1024), min_size=1, max_size=MAX_FOOTAGE))
def test_a_request_that_is_taken_fits(footage: list[str]) -> None:
    request = {"project": WIDE * 100, "footage": footage, "run_id": "r" * 40}
    try:
        read_request(request)
    except RequestInvalidError as error:
        assert "bytes" in str(error)  # noqa: PT017 -- what else may be wrong with keys of any text?
    else:
        assert len(json.dumps(request, ensure_ascii=False).encode(errors="replace")) <= MAX_PAYLOAD_BYTES


def test_a_hundred_long_keys_are_refused_with_what_to_do() -> None:
    with pytest.raises(RequestInvalidError, match=r"the keys of 100 footage files have 102,\d{3} bytes together"):
        read_request({"project": "p", "footage": [f"{number:04d}" + "k" * 1018 for number in range(MAX_FOOTAGE)]})


def test_the_command_refuses_such_names_before_it_uploads_anything() -> None:
    paths = [Path(f"stills/{number:03d}{'n' * 248}.jpg") for number in range(MAX_FOOTAGE)]
    files, problems = check_footage(paths)
    assert not files
    assert problems[0].startswith("The keys of 100 footage files have 31,")


def test_what_a_run_of_most_footages_carries_fits() -> None:
    store, footage = MemoryStore(), []
    for number in range(MAX_FOOTAGE):
        footage.append(f"incoming/{'r' * 40}/{number:04d}-{WIDE * 20}.mp4")
        store.put(footage[-1], f"film {number}".encode(), "video/mp4")
    prepared = prepare_run(
        {"project": "p", "footage": footage},
        execution_arn="arn:aws:states:us-east-1:123456789012:execution:build-dataset:1",
        started_at=NOW,
        store=store,
        claims=MemoryClaims(),
    )
    # Whatever later states add is a key, a count, or a message of at most 5 KB.
    assert size(prepared) <= 12 * 1024


def test_a_project_has_so_many_characters_at_most() -> None:
    characters = "".join(f"  - name: {name}\n" for name in NAMES)
    assert len(read_settings(f"characters:\n{characters}", "p").characters) == MAX_CHARACTERS
    with pytest.raises(SettingsInvalidError, match=r"characters: .* at most 50 items"):
        read_settings(f"characters:\n{characters}  - name: one more\n", "p")


# ---- items of the Maps ----------------------------------------------------------------------------


def test_the_picture_that_stands_for_an_hour_names_its_best_duplicates_alone() -> None:
    count = 3600
    sightings = [seen(number, character=NAMES[0], sharpness=100.0 + number % 7) for number in range(count)]
    rules = Rules(budget=30, per_shot="auto", pairs_share=0.0)
    vectors = np.ones((count, 1), np.float32)
    (image,) = curate(sightings, vectors, threshold=0.9, rules=rules, padding=0.15, texts={}).images
    assert (len(image.duplicates), image.more_duplicates) == (MOST_DUPLICATES, count - 1 - MOST_DUPLICATES)
    assert image.duplicate_count == count - 1
    qualities = {one.crop_id: one.quality for one in sightings}
    best = sorted((one for one in qualities.values()), reverse=True)[1 : MOST_DUPLICATES + 1]
    assert [qualities[one] for one in image.duplicates] == best
    crowd = image.model_copy(update={"in_picture": tuple(NAMES)})
    assert size({"run_id": "r" * 40, "image": crowd.model_dump(mode="json")}) <= MAX_PAYLOAD_BYTES


def test_a_picture_of_an_earlier_run_has_all_its_duplicates() -> None:
    (image,) = curate(
        [seen(0, character="Mara")],
        np.ones((1, 1), np.float32),
        threshold=0.9,
        rules=Rules(30, "auto", 0.0),
        padding=0.15,
        texts={},
    ).images
    earlier = {**image.model_dump(mode="json"), "duplicates": ["a", "b"]}
    del earlier["more_duplicates"]
    assert CuratedImage.model_validate(earlier).duplicate_count == 2


def test_a_frame_full_of_text_tells_of_its_largest_rows() -> None:
    rows = [Box(0.1, number / 6000, 0.5, (1 + number % 3) / 6000) for number in range(5000)]
    told = text_boxes(rows)
    assert len(told) == MOST_TEXTS
    assert {height for _, _, _, height in told} == {round(3 / 6000, 4)}
    assert list(told) == sorted(told, key=lambda one: one[1])
    assert len(text_boxes(rows[:10])) == 10
    frame = KeptFrame(
        frame_id="f" * 22,
        footage_id="f" * 12,
        key="k" * 200,
        time_ms=DAY_MS,
        shot=9999,
        width_px=8192,
        height_px=4320,
        sharpness=1 / 3,
        texts=tuple((0.1234, 0.1234, 0.1234, 0.1234) for _ in range(MOST_TEXTS)),
    )
    assert size({"run_id": "r" * 40, "frame": frame.model_dump(mode="json")}) <= MAX_PAYLOAD_BYTES


def source() -> FootageSource:
    name = WIDE * 253 + ".mp4"
    return FootageSource(
        footage_id="f" * 12, name=name, key=f"uploads/p/{name}"[:280], size_bytes=1, etag="e" * 40
    )


def segments(keyframes_ms: tuple[int, ...], duration_ms: int, rate: float = 1.0) -> list[Segment]:
    probe = Probe(
        footage_id="f",
        container="mp4",
        codec="h264",
        width_px=640,
        height_px=360,
        duration_ms=duration_ms,
        frames_per_second=24.0,
        fingerprint="p",
        keyframes_ms=keyframes_ms,
    )
    return plan_segments(source(), probe, frames_per_second=rate, pick="sharpest", fingerprint="s")


def test_a_day_of_film_is_planned_at_once() -> None:
    began = time.process_time()
    planned = segments(tuple(range(0, DAY_MS, 2000)), DAY_MS)
    # It took 6 s when each segment looked at each of 43,200 keyframes; CheckPlan has a minute, and 0.3 of a core.
    assert time.process_time() - began < 3.0
    assert 1300 <= len(planned) <= 1500
    assert max(size({"run_id": "r" * 40, "segment": one.model_dump(mode="json")}) for one in planned) <= 8 * 1024


@given(
    st.lists(st.integers(0, 600_000), max_size=60),
    st.integers(1, 600_000),
    st.sampled_from([0.1, 1.0, 2.5, 24.0]),
)
def test_segments_begin_behind_the_nearest_keyframe(keyframes: list[int], duration_ms: int, rate: float) -> None:
    """As the rule says it, by looking at each keyframe for each segment."""
    planned = segments(tuple(sorted(keyframes)), duration_ms, rate)
    interval_ms = 1000.0 / rate
    per_segment = max(1, round(60_000 / interval_ms))
    intervals = round(planned[-1].end_ms / interval_ms)
    entries = [math.ceil((one + LEAD_MS) / interval_ms) for one in keyframes]
    wanted = [0]
    for aimed in range(per_segment, intervals, per_segment):
        near = [one for one in entries if 4 * abs(one - aimed) <= per_segment and one < intervals]
        wanted.append(min(near, key=lambda one: (abs(one - aimed), one), default=aimed))
    assert [one.start_ms for one in planned] == [round(first * interval_ms) for first in wanted]


# ---- answers of the stages ------------------------------------------------------------------------


def test_a_cast_that_nobody_found_is_told_in_short() -> None:
    one, plan = waiting()
    cast = Cast.model_validate_json(one.store.get(run_file(plan.run_id, "cast.json")))
    many = tuple(cast.members[0].model_copy(update={"name": name, "references": ()}) for name in NAMES)
    strangers = cast.model_copy(update={"members": many})
    one.store.put(run_file(plan.run_id, "cast.json"), strangers.model_dump_json().encode(), "application/json")
    named = name_characters(plan, store=one.store)
    assert "and 45 more" in named["message"]
    assert size(named) <= 4 * 1024


def test_each_character_that_falls_short_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    one, plan = waiting(settings(minimum_per_character=50))
    keep_the_rest(one.desk(plan.run_id))
    training = plan.settings.training.model_copy(update={"target": "bedrock"})
    plan = plan.model_copy(update={"settings": plan.settings.model_copy(update={"training": training})})
    short = tuple(f"{name}: 1 of at least 50 pictures" for name in NAMES)
    monkeypatch.setattr(applying, "approve", lambda *given: replace(approve(*given), shortfalls=short))
    applied = applying.apply_review(plan, store=one.store, log=one.log, notifier=one.notifier, now=NOW)
    assert applied["status"] == "too_few"
    assert "more. Start the run again" in applied["message"]
    assert size(applied) <= 8 * 1024


def test_ends_of_all_batches_fit_together() -> None:
    one, plan = waiting(settings(mode="page"))
    reason = clipped(WIDE * 10_000, MOST_REASON_BYTES)
    for status in ("open", "failed"):
        ends = [LoopEnd(batch=number, status=status, reason=reason) for number in range(MOST_BATCHES)]
        event = {"run_id": "r" * 40, "loops": [end.model_dump() for end in ends]}
        assert size(event) <= 24 * 1024
        assert size(check(one, plan, NOW, loops=ends, completed=0)) <= 24 * 1024


# ---- what is held at once -------------------------------------------------------------------------


class CountingStore(MemoryStore):
    """A store that counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get(self, key: str) -> bytes:
        self.reads += 1
        return super().get(key)


def test_records_are_read_a_little_ahead_and_in_order() -> None:
    store = CountingStore()
    entries = [
        Entry(kind="frame", id=str(number), footage_id="f", outcome="lost", reason="") for number in range(500)
    ]
    for entry in entries[::2]:
        write_record(store, f"entries/{entry.id}", entry)
    read = read_records(store, [f"entries/{entry.id}" for entry in entries], Entry)
    assert next(read) == entries[0]
    assert store.reads <= AHEAD + 1
    assert list(read) == [entry if number % 2 else None for number, entry in enumerate(entries[1:])]
    assert list(read_records(store, [], Entry)) == []


def test_rows_are_held_once_and_given_away() -> None:
    rows = Rows(5)
    assert rows.taken().shape == (0, 1)
    for value in range(3):
        rows.append(np.full(4, value, np.float32))
    with pytest.raises(ValueError, match="different lengths"):
        rows.append(np.zeros(3, np.float32))
    taken = rows.taken()
    assert taken[:, 0].tolist() == [0, 1, 2]
    assert taken.flags.c_contiguous
    assert rows.taken().shape == (0, 1)


def test_a_large_dataset_is_written_in_order_and_few_of_its_pictures_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, plan = waiting()
    curated = run_file(plan.run_id, "curated.jsonl")
    lines = one.store.get(curated).splitlines()
    shown: list[int] = []
    monkeypatch.setattr(writing, "MAX_TILES", 2)
    monkeypatch.setattr(
        writing, "write_contact_sheet", lambda _run, count, tiles, _store: shown.extend([count, len(tiles)])
    )
    before = one.store.get(run_file(plan.run_id, "dataset/manifest.jsonl"))
    writing.write_dataset(plan, store=one.store)
    assert shown == [len(lines), 2]
    assert len(lines) > 2
    assert one.store.get(run_file(plan.run_id, "dataset/manifest.jsonl")) == before
