"""Names, fingerprints, segments, frames and shots, the plan and the record of a run."""

import base64
import itertools
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from storycast import keys, names
from storycast.errors import RequestInvalidError
from storycast.fingerprint import FINGERPRINT_LENGTH, canonical_json, fingerprint
from storycast.footage import LEAD_MS, TAIL_MS, FootageSource, Probe, Segment, plan_segments
from storycast.frames import (
    SETTLED_FRAMES,
    Frame,
    KeptFrame,
    SegmentReport,
    from_json_lines,
    number_shots,
    read_segment_list,
    settled_frames,
    to_json_lines,
    write_segment_list,
)
from storycast.plan import make_plan, read_plan, write_plan
from storycast.runs import Run, create_run, read_run
from storycast.settings import Character, Settings
from tests.fakes.store import MemoryStore

SOURCE = FootageSource(footage_id="a" * 12, name="film.mp4", key="uploads/p/film.mp4", size_bytes=9, etag="e")

# ---- names ----------------------------------------------------------------------------------------


@given(st.text(), st.datetimes(min_value=datetime(1970, 1, 1)), st.text())
def test_a_run_id_is_legal_for_any_file_name(name: str, at: datetime, execution: str) -> None:
    run_id = names.run_id(name, at, execution.encode("utf-8", "replace").decode())
    assert names.is_run_id(run_id)
    assert len(run_id) <= names.RUN_ID_MAX_LENGTH
    assert len(f"{run_id}-batch-0000-attempt-00") <= 63
    assert "--" not in run_id


def test_a_run_id_tells_what_it_is_about_and_two_apart() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    one = names.run_id("uploads/p/Die große Reise – Teil 2.MP4", at, "arn:1")
    assert re.fullmatch(r"die-groe-reise-teil-2-20260102-[0-9a-f]{6}", one)
    assert names.run_id("uploads/p/Die große Reise – Teil 2.MP4", at, "arn:1") == one
    assert names.run_id("uploads/p/Die große Reise – Teil 2.MP4", at, "arn:2") != one
    assert names.run_id("映画.mkv", at, "arn:1").startswith("film-20260102-")


@given(st.text(), st.integers(1, 60))
def test_a_slug_is_short_lower_case_words(text: str, length: int) -> None:
    made = names.slug(text, max_length=length, fallback="x")
    assert re.fullmatch(names.RUN_ID_PATTERN, made)
    assert len(made) <= length
    assert names.slug(made, max_length=length, fallback="x") == made


@pytest.mark.parametrize("text", ["", "A", "a--b", "-a", "a-", "a_b", "a.b", "ä", "a\n", "a" * 41, "a b"])
def test_what_is_no_run_id(text: str) -> None:
    assert not names.is_run_id(text)


def test_footage_is_known_by_its_content_with_or_without_quotes() -> None:
    assert names.footage_id('"abc"', 5) == names.footage_id("abc", 5)
    assert names.footage_id("abc", 5) != names.footage_id("abc", 6)
    assert len(names.footage_id("abc-12", 5)) == 12


def test_ids_sort_as_the_film_runs() -> None:
    frames = [names.frame_id("f", time) for time in (0, 999, 10_000, 7_200_000)]
    assert frames == sorted(frames)
    assert [names.crop_id("f-1", number) for number in (0, 9, 10)] == ["f-1-00", "f-1-09", "f-1-10"]


def test_every_key_lies_below_a_prefix_of_the_template() -> None:
    made = [
        keys.project_file("p"),
        keys.cast_embedding("p", "f", "c"),
        keys.incoming("r", "n"),
        keys.upload("p", "n"),
        keys.probe("f"),
        keys.segment_list("f", "x", 3),
        keys.frame("f", "x", 3, 1500),
        keys.detections("f", "x", "i"),
        keys.crops("f", "x", "i"),
        keys.crop("f", "x", "c"),
        keys.caption("f", "x", "c"),
        keys.run_file("r", keys.MANIFEST),
    ]
    assert len(set(made)) == len(made)
    prefixes = (keys.UPLOADS, keys.INCOMING, keys.PROJECTS, keys.FOOTAGE, keys.RUNS)
    assert all(key.startswith(prefixes) for key in made)
    assert keys.crops("f", "x", "i").startswith(keys.crops_folder("f", "x"))
    assert keys.frame("f", "x", 3, 1500) == "footage/f/frames-x/00003/000001500.jpg"


# ---- fingerprints ---------------------------------------------------------------------------------

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("abcä"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abcdef"), _json), st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_order(parts: dict[str, Any], rng: Any) -> None:
    items = list(parts.items())
    rng.shuffle(items)
    made = fingerprint(**dict(items))
    assert made == fingerprint(**parts)
    assert re.fullmatch(rf"[0-9a-f]{{{FINGERPRINT_LENGTH}}}", made)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": "1"}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": 1}, {"a": 1, "b": None}),
    ],
)
def test_a_fingerprint_depends_on_names_values_and_order_within_lists(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert fingerprint(**one) != fingerprint(**other)


def test_what_is_no_json_has_no_fingerprint() -> None:
    with pytest.raises(TypeError):
        fingerprint(a={1, 2})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


# ---- segments -------------------------------------------------------------------------------------


def probe(duration_ms: int) -> Probe:
    return Probe(
        footage_id=SOURCE.footage_id,
        container="mp4",
        codec="h264",
        width_px=10,
        height_px=10,
        duration_ms=duration_ms,
        frames_per_second=24.0,
        fingerprint="0" * 12,
    )


def segments(duration_ms: int, frames_per_second: float, segment_ms: int = 60_000) -> list[Segment]:
    return plan_segments(
        SOURCE,
        probe(duration_ms),
        frames_per_second=frames_per_second,
        pick="fixed",
        fingerprint="0" * 12,
        segment_ms=segment_ms,
    )


@given(st.integers(0, 400_000), st.floats(0.01, 60.0), st.integers(500, 100_000))
def test_segments_leave_no_gap_and_lie_on_borders_of_intervals(
    duration_ms: int, frames_per_second: float, segment_ms: int
) -> None:
    planned = segments(duration_ms, frames_per_second, segment_ms)
    assert planned[0].start_ms == 0
    assert [one.segment for one in planned] == list(range(len(planned)))
    for one, after in itertools.pairwise(planned):
        assert one.end_ms == after.start_ms
        assert one.start_ms < one.end_ms
    assert planned[-1].end_ms >= duration_ms - TAIL_MS - 0.5
    for one in planned:
        for border in (one.start_ms, one.end_ms):
            off = border / one.interval_ms
            assert abs(off - round(off)) * one.interval_ms <= 0.5 + 1e-6


@given(
    st.integers(10_000, 400_000),
    st.floats(0.2, 10.0),
    st.integers(10_000, 100_000),
    st.lists(st.integers(0, 400_000), max_size=60),
)
def test_segments_begin_soon_after_keyframes_where_there_are_some(
    duration_ms: int, frames_per_second: float, segment_ms: int, keyframes_ms: list[int]
) -> None:
    keyframes_ms = sorted(one for one in keyframes_ms if one < duration_ms)
    told = probe(duration_ms).model_copy(update={"keyframes_ms": tuple(keyframes_ms)})
    planned = plan_segments(
        SOURCE,
        told,
        frames_per_second=frames_per_second,
        pick="fixed",
        fingerprint="0" * 12,
        segment_ms=segment_ms,
    )
    plain = segments(duration_ms, frames_per_second, segment_ms)
    assert len(planned) == len(plain)
    assert (planned[0].start_ms, planned[-1].end_ms) == (0, plain[-1].end_ms)
    for one, after in itertools.pairwise(planned):
        assert one.end_ms == after.start_ms > one.start_ms
    for one, aimed in zip(planned[1:], plain[1:], strict=True):
        assert abs(one.start_ms - aimed.start_ms) <= segment_ms / 4 + one.interval_ms
        near = [
            keyframe
            for keyframe in keyframes_ms
            if abs(keyframe + LEAD_MS - aimed.start_ms) < segment_ms / 4 - 2 * one.interval_ms
            and keyframe + LEAD_MS + one.interval_ms < duration_ms
        ]
        if near:
            waits = [
                one.start_ms - keyframe for keyframe in keyframes_ms if one.start_ms - keyframe >= LEAD_MS - 1
            ]
            assert min(waits) <= LEAD_MS + one.interval_ms + 1


def test_a_film_that_can_be_entered_only_at_its_beginning_is_one_segment() -> None:
    told = probe(7_200_000).model_copy(update={"is_seekable": False})
    planned = plan_segments(SOURCE, told, frames_per_second=1.0, pick="fixed", fingerprint="0" * 12)
    assert [(one.start_ms, one.end_ms) for one in planned] == [(0, 7_200_000)]


def test_two_hours_are_few_children_and_a_still_is_one() -> None:
    assert len(segments(7_200_000, 1.0)) == 120
    assert [(one.start_ms, one.end_ms) for one in segments(0, 1.0)] == [(0, 1000)]
    assert [(one.start_ms, one.end_ms) for one in segments(0, 0.01)] == [(0, 100_000)]


# ---- frames and shots -----------------------------------------------------------------------------


def frame(time_ms: int, outcome: Any = "kept") -> Frame:
    key = f"footage/a/{time_ms}.jpg" if outcome == "kept" else None
    return Frame(
        frame_id=names.frame_id(SOURCE.footage_id, time_ms),
        time_ms=time_ms,
        outcome=outcome,
        reason="why",
        key=key,
        width_px=10,
        height_px=10,
    )


def test_shots_count_over_the_whole_footage() -> None:
    frames = [frame(time) for time in (4000, 0, 1000, 2000, 3000)] + [frame(1500, "blank")]
    kept = number_shots(frames, [3000, 1500, 1500, 9000], SOURCE.footage_id)
    assert [(one.time_ms, one.shot) for one in kept] == [(0, 0), (1000, 0), (2000, 1), (3000, 2), (4000, 2)]
    assert number_shots([], [1], "f") == []


def cells(*lumas: int) -> str:
    return base64.b64encode(bytes(lumas)).decode()


def test_frames_in_which_nothing_moves_are_settled_and_what_creeps_is_seen() -> None:
    kept = number_shots([frame(time) for time in range(0, 9000, 1000)], [6000], "f")
    ids = [one.frame_id for one in kept]
    lumas = [(50, 90), (52, 90), (53, 90), (54, 90), (54, 90), (54, 200), (54, 200), (), (54, 200)]
    thumbnails = {one: cells(*luma) for one, luma in zip(ids, lumas, strict=True)}
    assert settled_frames(kept, thumbnails) == {ids[1]: ids[0], ids[2]: ids[0], ids[4]: ids[3]}
    assert settled_frames(kept, {}) == {}


def test_of_a_still_shot_one_frame_in_a_few_is_looked_at() -> None:
    kept = number_shots([frame(time) for time in range(0, 12_000, 1000)], [], "f")
    settled = settled_frames(kept, {one.frame_id: cells(9, 9) for one in kept})
    looked_at = [number for number, one in enumerate(kept) if one.frame_id not in settled]
    assert looked_at == [0, SETTLED_FRAMES, 2 * SETTLED_FRAMES]


@given(st.lists(st.integers(0, 5000), unique=True, max_size=12), st.lists(st.integers(0, 5000)), st.randoms())
def test_shots_do_not_depend_on_the_order_of_segments(times: list[int], cuts: list[int], rng: Any) -> None:
    frames = [frame(time) for time in times]
    shuffled, other_cuts = list(frames), list(cuts)
    rng.shuffle(shuffled)
    rng.shuffle(other_cuts)
    kept = number_shots(frames, cuts, SOURCE.footage_id)
    assert number_shots(shuffled, other_cuts, SOURCE.footage_id) == kept
    assert [one.shot for one in kept] == sorted(one.shot for one in kept)
    for one, after in itertools.pairwise(kept):
        cut_between = any(one.time_ms < cut <= after.time_ms for cut in cuts)
        assert (one.shot != after.shot) == cut_between


def test_a_segments_list_is_read_as_it_was_written() -> None:
    report = SegmentReport(segment=2, fingerprint="f", cuts_ms=(1, 2), complete=False, note="ends\u2028at 3 s")
    frames = [frame(0), frame(1000, "near_cut")]
    assert read_segment_list(write_segment_list(report, frames)) == (report, frames)
    assert read_segment_list(write_segment_list(report, [])) == (report, [])


@pytest.mark.parametrize("content", [b"", b"\n", b"{}", b"no json", b"\xff"])
def test_what_is_no_segments_list_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's and Python's own
        read_segment_list(content)


def test_json_lines_are_one_a_line_whatever_is_in_them() -> None:
    records = [
        KeptFrame(
            frame_id=f"f-{number}",
            footage_id="f",
            key=f"a b/ü\u2028\x85{number}.jpg",
            time_ms=number,
            shot=0,
            width_px=1,
            height_px=1,
            sharpness=0.5,
        )
        for number in range(3)
    ]
    content = to_json_lines(records)
    assert content.count(b"\n") == 3
    assert from_json_lines(content, KeptFrame) == records
    assert from_json_lines(b"", KeptFrame) == []
    with pytest.raises(ValidationError):
        from_json_lines(b'{"frame_id": "x"}', KeptFrame)


# ---- the plan and the run -------------------------------------------------------------------------


def test_a_plan_is_read_as_it_was_written() -> None:
    store = MemoryStore()
    settings = Settings(characters=(Character(name="Mara", references=("cast/*",)),))
    plan = make_plan("run-1", "Ä film", settings, [SOURCE])
    write_plan(store, plan)
    assert read_plan(store, "run-1") == plan
    assert plan.of(SOURCE.footage_id).source == SOURCE
    with pytest.raises(RequestInvalidError, match="no footage other"):
        plan.of("other")
    with pytest.raises(RequestInvalidError):
        read_plan(store, "run-2")


def test_labels_are_asked_for_only_where_every_character_has_some() -> None:
    def labels(*characters: Character) -> tuple[str, ...]:
        return make_plan("r", "p", Settings(characters=characters), []).labels

    assert labels() == ()
    assert labels(Character(name="A", labels=("Dog",)), Character(name="B")) == ()
    assert labels(Character(name="A", labels=("Dog", "Cat")), Character(name="B", labels=("Dog",))) == (
        "Cat",
        "Dog",
    )


def test_fingerprints_hang_on_each_other_in_the_order_of_the_steps() -> None:
    def prints(**changes: Any) -> tuple[str, str, str]:
        plan = make_plan("r", "p", Settings.model_validate(changes), [SOURCE]).footage[0]
        return plan.frames, plan.detections, plan.crops

    base = prints()
    assert prints(review={"timeout_hours": 5}) == base
    for changes, same in (
        ({"crop": {"padding": 0.3}}, 2),
        ({"duplicates": {"embedding": "other"}}, 2),
        ({"detection": {"min_confidence": 10}}, 1),
        ({"sampling": {"frames_per_second": 2}}, 0),
    ):
        made = prints(**changes)
        assert made[:same] == base[:same]
        assert all(one != other for one, other in zip(made[same:], base[same:], strict=True))


def test_a_runs_record_grows_and_is_read_as_it_was_written() -> None:
    store = MemoryStore()
    run = Run(run_id="r", project="p", status="running", execution_arn="arn", started_at="2026-01-02T00:00:00")
    run = (
        run.with_counts(a=1)
        .with_counts(b=2, a=3)
        .with_chosen(threshold=0.9)
        .with_warnings("x", "y")
        .with_warnings("x")
    )
    assert run.counts == {"a": 3, "b": 2}
    assert run.warnings == ("x", "y")
    create_run(store, run)
    assert read_run(store, "r") == run
    assert store.content_type("runs/r/run.json") == "application/json"
