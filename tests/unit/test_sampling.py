"""The pass over made videos with known cuts: what is a cut, what is kept, and that segments change neither."""

import io
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import pytest

from storycast.footage import LEAD_MS as PLANNED_LEAD_MS
from storycast.video import Sample, SampledFrame, sample
from storycast.video.intervals import Pick
from storycast.video.measures import sharpness
from storycast.video.planes import Plane, Planes
from storycast.video.sampling import LEAD_MS
from tests.fakes.made_videos import ENCODINGS, MadeVideo, encoded, made_video

RATE = 24


@dataclass(frozen=True)
class Plan:
    start_ms: int
    end_ms: int
    interval_ms: float = 1000.0
    pick: Pick = "sharpest"


def passed(
    content: bytes,
    end_ms: float,
    *,
    segments: int = 1,
    interval_ms: float = 1000.0,
    pick: Pick = "sharpest",
    skim: bool = True,
) -> tuple[list[SampledFrame], list[int], int]:
    """Return frames, cuts and how many frames were not decoded, of one pass or of several side by side."""
    intervals = int(-(-end_ms // interval_ms))
    borders = sorted({round(intervals * part / segments) for part in range(segments + 1)})
    frames: list[SampledFrame] = []
    cuts: list[int] = []
    passed_over = 0
    for first, last in pairwise(borders):
        report = Sample()
        plan = Plan(round(first * interval_ms), round(last * interval_ms), interval_ms, pick)
        frames += sample(io.BytesIO(content), "film.mkv", plan, report, skim=skim)
        cuts += report.cuts_ms
        passed_over += report.passed_over
    return frames, cuts, passed_over


def ends_ms(video: MadeVideo) -> float:
    return video.times_ms[-1] + 1000 / video.rate


@pytest.fixture(scope="module")
def videos() -> list[MadeVideo]:
    return [made_video(seed) for seed in range(300, 306)]


def test_a_segment_is_decoded_from_where_planning_puts_a_keyframe() -> None:
    assert LEAD_MS == PLANNED_LEAD_MS


# ---- cuts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skim", [True, False])
def test_known_cuts_are_found_and_little_else(videos: list[MadeVideo], skim: bool) -> None:
    hits = false = missed = 0
    for video in videos:
        left = set(video.cuts_ms)
        for cut in passed(video.content, ends_ms(video), skim=skim)[1]:
            near = [one for one in left if abs(one - cut) <= 1000 / video.rate + 1]
            hits, false = hits + bool(near), false + (not near)
            left -= set(near)
        missed += len(left)
    assert hits >= 20
    assert 2 * hits / (2 * hits + false + missed) >= 0.9


def moving(count: int, *, seed: int = 0, speed: int = 2) -> list[Plane]:
    """Return a scene over which the camera moves."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 235, (20, 40, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (800, 400), interpolation=cv2.INTER_CUBIC)
    return [np.asarray(scene[40:220, number * speed : number * speed + 320], np.uint8) for number in range(count)]


def video_of(pictures: list[Plane], encoding: int = 0) -> bytes:
    times = [number * 1000 / RATE for number in range(len(pictures))]
    return encoded(pictures, times, RATE, ENCODINGS[encoding])


def cuts_of(pictures: list[Plane], encoding: int = 0) -> list[int]:
    """Return the frames that begin a shot."""
    _, cuts, _ = passed(video_of(pictures, encoding), len(pictures) * 1000 / RATE)
    return [round(cut * RATE / 1000) for cut in cuts]


@pytest.mark.parametrize("encoding", range(len(ENCODINGS)))
@pytest.mark.parametrize("cut", [30, 31, 32, 33])
def test_a_cut_is_told_to_the_frame_whichever_frames_are_not_decoded(encoding: int, cut: int) -> None:
    assert cuts_of([*moving(cut, seed=1), *moving(72 - cut, seed=2)], encoding) == [cut]


def test_a_fade_a_dissolve_and_a_flash_are_no_cuts() -> None:
    one, other = moving(72, seed=3), moving(72, seed=4)
    dissolved = [
        np.asarray(cv2.addWeighted(first, 1 - share, second, share, 0), np.uint8)
        for first, second, share in zip(one, other, np.clip(np.linspace(-2, 3, 72), 0, 1), strict=True)
    ]
    faded = [(picture * abs(number - 36) / 36).astype(np.uint8) for number, picture in enumerate(one)]
    flashed = [*one]
    for number in (30, 31):
        flashed[number] = np.full_like(one[0], 255)
    assert cuts_of(dissolved) == cuts_of(faded) == cuts_of(flashed) == []


def test_fast_motion_is_no_cut() -> None:
    assert cuts_of(moving(60, seed=5, speed=8)) == []


def test_drawings_on_twos_and_threes_have_no_cuts_but_their_own() -> None:
    for hold in (2, 3):
        drawings = [*moving(18, seed=6, speed=6), *moving(18, seed=7, speed=6)]
        held = [picture for picture in drawings for _ in range(hold)]
        assert cuts_of(held) == [18 * hold]


# ---- what is chosen --------------------------------------------------------------------------------


def test_of_a_moving_interval_the_frame_is_chosen_at_which_it_rests() -> None:
    pictures = [*moving(16, seed=8, speed=6), *[moving(16, seed=8, speed=6)[-1]] * 8]
    [frame] = passed(video_of(pictures), 1000)[0]
    assert frame.time_ms >= 15 * 1000 / RATE - 1


def test_an_even_drawing_is_as_sharp_as_a_busy_one_and_a_blurred_one_is_not() -> None:
    flat = np.full((180, 320), 90, np.uint8)
    cv2.circle(flat, (160, 90), 50, 200, -1)
    busy = np.full((180, 320), 90, np.uint8)
    for x, y in np.random.default_rng(0).integers(0, (320, 180), (120, 2)).tolist():
        cv2.circle(busy, (x, y), 9, (x * 7 + y) % 256, -1)

    def of(plane: Plane) -> float:
        fine = np.ascontiguousarray(plane)
        small = np.asarray(cv2.resize(fine, (160, 90), interpolation=cv2.INTER_AREA), np.uint8)
        return sharpness(Planes(fine, small, np.zeros(1, np.int16)))

    def blurred(plane: Plane) -> Plane:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), 2), np.uint8)

    assert of(flat) == pytest.approx(of(busy), rel=0.25)
    assert of(blurred(flat)) < 0.6 * of(flat)
    assert of(blurred(busy)) < 0.6 * of(busy)
    assert of(np.full((180, 320), 90, np.uint8)) == 0


def test_an_interval_in_which_no_frame_begins_is_told_of() -> None:
    pictures = moving(6, seed=9)
    times = [0, 500, 3200, 3600, 4000, 4500.0]
    frames, _, _ = passed(encoded(pictures, times, RATE, {}), 5000, pick="fixed")
    assert [(frame.time_ms // 1000, frame.outcome) for frame in frames] == [
        (0, "kept"),
        (1, "held"),
        (2, "held"),
        (3, "kept"),
        (4, "kept"),
    ]
    assert "still shown" in frames[1].reason


def test_a_kept_frame_has_a_hash_that_a_brighter_copy_shares_and_another_scene_does_not() -> None:
    def hash_of(picture: Plane) -> int:
        return int(passed(video_of([picture] * 3), 100)[0][0].hash, 16)

    scene, other = moving(1, seed=10)[0], moving(1, seed=11)[0]
    brighter = np.clip(scene.astype(np.int16) + 15, 0, 255).astype(np.uint8)
    assert (hash_of(scene) ^ hash_of(brighter)).bit_count() <= 4
    assert (hash_of(scene) ^ hash_of(other)).bit_count() >= 16


# ---- segments --------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval_ms", [1000.0, 1000 / 3])
@pytest.mark.parametrize("pick", ["sharpest", "fixed"])
def test_any_number_of_segments_chooses_the_same_frames_and_cuts(
    videos: list[MadeVideo], interval_ms: float, pick: Pick
) -> None:
    for video in videos[:2]:
        whole = passed(video.content, ends_ms(video), interval_ms=interval_ms, pick=pick)
        for segments in (2, 7, 40):
            parts = passed(video.content, ends_ms(video), segments=segments, interval_ms=interval_ms, pick=pick)
            assert parts[1] == whole[1]
            assert [frame.time_ms for frame in parts[0]] == [frame.time_ms for frame in whole[0]]
            assert parts[0] == whole[0]


# ---- frames that are not decoded -------------------------------------------------------------------


def test_frames_that_no_other_refers_to_are_not_decoded_where_a_frame_a_second_is_wanted() -> None:
    content = video_of(moving(120, seed=12))
    duration_ms = 120 * 1000 / RATE
    frames, _, passed_over = passed(content, duration_ms)
    assert 30 <= passed_over <= 80
    assert [frame.outcome for frame in frames] == ["kept"] * 5
    assert passed(content, duration_ms, pick="fixed")[2] == 0
    assert passed(content, duration_ms, interval_ms=250)[2] == 0
    assert passed(content, duration_ms, skim=False)[2] == 0


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_what_is_not_decoded_changes_no_picture_of_what_is(container: str, codec: str) -> None:
    pictures = [*moving(40, seed=13, speed=3), *moving(40, seed=14, speed=3)]
    options = {"preset": "medium", "crf": "18"} | ({"x265-params": "log-level=none"} if codec == "libx265" else {})
    times = [number * 1000 / RATE for number in range(80)]
    content = encoded(pictures, times, RATE, options, codec=codec, container=container)
    skimmed, cuts, passed_over = passed(content, 80_000 / RATE)
    # An HEVC stream in MPEG-TS does not say how many temporal layers it has.
    assert (passed_over > 10) == (container != "mpegts" or codec == "libx264")
    whole, all_cuts, _ = passed(content, 80_000 / RATE, skim=False)
    assert cuts == all_cuts == [round(40 * 1000 / RATE)]
    by_time = {frame.time_ms: frame.jpeg for frame in whole}
    same = [frame for frame in skimmed if frame.time_ms in by_time]
    assert all(frame.jpeg == by_time[frame.time_ms] for frame in same)
    assert [frame.outcome for frame in skimmed] == [frame.outcome for frame in whole]
