"""Sampling on films made here: every frame carries its number, so a choice can be told from its picture."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import av
import cv2
import numpy as np
import pytest

from storycast.errors import FootageMissingError, FootageUnreadableError, ThrottledError
from storycast.footage import FootageSource, Probe, plan_segments
from storycast.video import BLANK_DEVIATION, Header, Sample, SampledFrame, read_header, sample
from tests.fakes.film import STRIP_PX, Picture, encoded, film, number_of, numbered, sound, turned

Pick = Literal["sharpest", "fixed"]
SOURCE = FootageSource(footage_id="f" * 12, name="film.mp4", key="uploads/p/film.mp4", size_bytes=1, etag="e")


@dataclass
class Sampled:
    frames: list[SampledFrame] = field(default_factory=list)
    cuts_ms: list[int] = field(default_factory=list)
    complete: list[bool] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        return [number_of(frame.jpeg) for frame in self.frames if frame.jpeg]

    @property
    def times(self) -> list[int]:
        return [frame.time_ms for frame in self.frames]

    @property
    def outcomes(self) -> list[str]:
        return [frame.outcome for frame in self.frames]


def header(content: bytes, name: str = "film.mp4") -> Header:
    return read_header(io.BytesIO(content), name)


def sampled(
    content: bytes,
    *,
    frames_per_second: float = 1.0,
    pick: Pick = "sharpest",
    segment_ms: int = 60_000,
    duration_ms: int | None = None,
) -> Sampled:
    """Sample a film as the run does: its header, its segments, each in a pass of its own."""
    said = header(content)
    probe = Probe(
        footage_id=SOURCE.footage_id,
        container=said.container,
        codec=said.codec,
        width_px=said.width_px,
        height_px=said.height_px,
        duration_ms=said.duration_ms if duration_ms is None else duration_ms,
        frames_per_second=said.frames_per_second,
        fingerprint="0" * 12,
    )
    result = Sampled()
    for segment in plan_segments(
        SOURCE,
        probe,
        frames_per_second=frames_per_second,
        pick=pick,
        fingerprint="0" * 12,
        segment_ms=segment_ms,
    ):
        report = Sample()
        result.frames += list(sample(io.BytesIO(content), "film.mp4", segment, report))
        result.cuts_ms += report.cuts_ms
        result.complete.append(report.complete)
        result.notes.append(report.note)
    return result


def textured(count: int, sharp: Sequence[int] = (), *, shades: Sequence[tuple[int, int]] = ()) -> list[Picture]:
    """Return pictures of which only those in ``sharp`` are not blurred; ``shades`` are (first frame, shade)."""
    pictures = []
    for number in range(count):
        shade = next((value for first, value in reversed(shades) if number >= first), 120)
        picture = numbered(number, texture=100, shade=shade)
        if number not in sharp:
            picture[STRIP_PX:] = cv2.GaussianBlur(picture[STRIP_PX:], (0, 0), 1.5)
        pictures.append(picture)
    return pictures


# ---- times ----------------------------------------------------------------------------------------


def test_fixed_takes_the_first_frame_of_each_interval() -> None:
    result = sampled(film(textured(36)), pick="fixed")
    assert result.times == [0, 1000, 2000]
    assert result.numbers == [0, 12, 24]
    assert result.outcomes == ["kept"] * 3
    assert result.cuts_ms == []
    assert result.complete == [True]


def test_sharpest_takes_the_sharpest_of_each_interval_at_its_exact_time() -> None:
    result = sampled(film(textured(36, sharp=[7, 18, 31])))
    assert result.numbers == [7, 18, 31]
    assert result.times == [583, 1500, 2583]
    assert {frame.reason for frame in result.frames} == {"sharpest of its interval"}


@pytest.mark.parametrize("frames_per_second", [0.4, 0.7, 1.0, 1.5, 2.9, 3.0, 5.0, 7.0, 11.0, 12.0])
def test_fixed_takes_the_first_frame_of_each_interval_at_any_rate(frames_per_second: float) -> None:
    result = sampled(film(textured(36)), frames_per_second=frames_per_second, pick="fixed")
    firsts = {int(number / 12 * frames_per_second + 1e-9): number for number in reversed(range(36))}
    assert result.numbers == [firsts[interval] for interval in sorted(firsts)]


def test_a_rate_above_the_films_takes_every_frame_once() -> None:
    result = sampled(film(textured(12)), frames_per_second=60.0)
    assert result.numbers == list(range(12))


def test_variable_frame_rate_goes_by_the_frames_own_times() -> None:
    times = [0, 40, 700, 1010, 1500, 2999, 3000, 3900]
    content = film(textured(8, sharp=[2]), times_ms=times, container="matroska")
    fixed = sampled(content, pick="fixed", duration_ms=4000)
    assert fixed.times == [0, 1010, 2999, 3000]
    assert fixed.numbers == [0, 3, 5, 6]
    sharpest = sampled(content, duration_ms=4000)
    assert sharpest.times[0] == 700
    assert set(sharpest.times) <= set(times)


def test_a_film_whose_first_frame_is_late_begins_at_zero() -> None:
    times = [5000 + round(number * 1000 / 12) for number in range(24)]
    result = sampled(film(textured(24), times_ms=times, container="mpegts"), pick="fixed")
    assert result.times == [0, 1000]


# ---- cuts and blank frames ------------------------------------------------------------------------


def test_hard_cuts_are_found_at_the_first_frame_of_the_new_shot() -> None:
    shades = [(0, 60), (18, 190), (30, 90)]
    result = sampled(film(textured(48, shades=shades)))
    assert result.cuts_ms == [1500, 2500]


def test_a_film_without_a_cut_has_none_even_where_it_moves_fast() -> None:
    rows = np.mgrid[0:96, 0:160][1]
    pictures = [
        np.repeat((((rows + 9 * number) // 20 % 2) * 90 + 80).astype(np.uint8)[..., None], 3, axis=2)
        for number in range(36)
    ]
    result = sampled(film(pictures))
    assert result.cuts_ms == [] or result.cuts_ms == [83]


@pytest.mark.parametrize("cut", range(13, 24))
def test_no_frame_next_to_a_cut_is_chosen(cut: int) -> None:
    close = [cut - 2, cut - 1, cut, cut + 1]
    result = sampled(film(textured(36, sharp=close, shades=[(0, 60), (cut, 190)])))
    assert result.cuts_ms == [round(cut * 1000 / 12)]
    assert not set(result.numbers) & set(close)
    assert result.outcomes == ["kept"] * 3


@pytest.mark.parametrize("cut", [11, 12, 13])
def test_no_frame_next_to_a_cut_is_chosen_across_the_border_of_an_interval(cut: int) -> None:
    close = [cut - 2, cut - 1, cut, cut + 1]
    for segment_ms in (60_000, 1_000):
        content = film(textured(36, sharp=close, shades=[(0, 60), (cut, 190)]))
        assert not set(sampled(content, segment_ms=segment_ms).numbers) & set(close)


def test_an_interval_that_is_all_next_to_cuts_keeps_none_and_says_so() -> None:
    content = film(textured(24, shades=[(0, 60), (14, 190)]))
    result = sampled(content, frames_per_second=3.0)
    dropped = [frame for frame in result.frames if frame.outcome == "near_cut"]
    assert [1000 <= frame.time_ms < 1333 for frame in dropped] == [True]
    assert dropped[0].jpeg is None
    assert "next to a cut" in dropped[0].reason


def test_fixed_takes_even_a_frame_next_to_a_cut() -> None:
    result = sampled(film(textured(24, shades=[(0, 60), (12, 190)])), pick="fixed")
    assert result.numbers == [0, 12]


def test_a_blank_interval_keeps_none_and_says_so() -> None:
    even = np.full((96, 160, 3), 20, dtype=np.uint8)
    result = sampled(film([*textured(12), *[even] * 12, *textured(36)[24:]]))
    assert result.outcomes == ["kept", "blank", "kept"]
    assert result.frames[1].jpeg is None
    assert even.std() < BLANK_DEVIATION


# ---- segments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames_per_second", [1.0, 0.7, 2.3, 3.0, 12.0])
@pytest.mark.parametrize("pick", ["sharpest", "fixed"])
def test_the_number_of_segments_changes_neither_frames_nor_cuts(frames_per_second: float, pick: Pick) -> None:
    sharp = [3, 17, 29, 44, 58]
    shades = [(0, 60), (19, 190), (36, 90), (47, 170)]
    content = film(textured(60, sharp=sharp, shades=shades), keyframe_every=10)
    whole, halves, fifths = (
        sampled(content, frames_per_second=frames_per_second, pick=pick, segment_ms=length)
        for length in (60_000, 2_500, 1_000)
    )
    assert len(whole.complete) == 1
    assert len(fifths.complete) > len(halves.complete) > 1
    for parts in (halves, fifths):
        assert parts.times == whole.times
        assert parts.outcomes == whole.outcomes
        assert parts.numbers == whole.numbers
        assert parts.cuts_ms == whole.cuts_ms


def test_one_keyframe_alone_serves_every_segment() -> None:
    content = film(textured(60), keyframe_every=1000)
    assert sampled(content, segment_ms=1000).numbers == sampled(content).numbers


# ---- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_film_is_shown_upright(degrees: int) -> None:
    plain = film(textured(12))
    content = turned(plain, degrees)
    said = header(content)
    size = (96, 160) if degrees != 180 else (160, 96)
    assert (said.width_px, said.height_px) == size
    frame = sampled(content, pick="fixed").frames[0]
    assert (frame.width_px, frame.height_px) == size
    assert frame.jpeg is not None
    upright = sampled(plain, pick="fixed").frames[0]
    assert upright.jpeg is not None
    shown = np.rot90(_grey(upright.jpeg), -degrees // 90)
    assert np.abs(_grey(frame.jpeg).astype(int) - shown).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_still_picture_is_footage_of_one_frame(kind: str) -> None:
    content = encoded(numbered(5), kind)
    assert header(content).duration_ms == 0
    result = sampled(content)
    assert result.times == [0]
    assert result.numbers == [5]
    assert result.complete == [True]


def test_a_film_of_one_frame_keeps_it() -> None:
    result = sampled(film([numbered(9)]))
    assert (result.times, result.numbers) == ([0], [9])


def test_the_picture_is_a_jpeg_of_native_size_without_chroma_subsampling() -> None:
    frame = sampled(film(textured(3))).frames[0]
    assert frame.jpeg is not None
    with av.open(io.BytesIO(frame.jpeg)) as picture:
        assert picture.streams.video[0].codec_context.pix_fmt == "yuvj444p"
    assert (frame.width_px, frame.height_px) == (160, 96)
    assert frame.sharpness > 0


# ---- what is wrong with a file --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not a film at all " * 200, "can't be read as a video or picture"),
        (bytes(5000), "nothing but zeros"),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13), "film.mp4"),
        (b"%PDF-1.7\n" + b"x" * 3000, "film.mp4"),
    ],
)
def test_what_is_no_film_is_unreadable(content: bytes, words: str) -> None:
    with pytest.raises(FootageUnreadableError, match=words):
        header(content)


def test_sound_alone_is_unreadable_and_named() -> None:
    with pytest.raises(FootageUnreadableError, match="only audio"):
        header(sound())


def test_an_mp4_without_its_index_is_unreadable() -> None:
    whole = film(textured(36))
    with pytest.raises(FootageUnreadableError, match="film"):
        header(whole[: len(whole) // 2])


@pytest.mark.parametrize("segment_ms", [60_000, 2_000])
def test_half_a_film_keeps_its_good_half_and_says_where_it_ends(segment_ms: int) -> None:
    whole = film(textured(120), container="matroska")
    cut_off = whole[: len(whole) // 2]
    assert header(cut_off).duration_ms == 10_000
    result = sampled(cut_off, pick="fixed", segment_ms=segment_ms)
    kept = [frame.time_ms for frame in result.frames if frame.outcome == "kept"]
    lost = [frame.time_ms for frame in result.frames if frame.outcome == "unreadable"]
    assert kept == [second * 1000 for second in range(len(kept))]
    assert 2 <= len(kept) <= 7
    assert kept + lost == [second * 1000 for second in range(10)]
    assert not all(result.complete)
    assert any("film.mp4" in note and "10.0 s" in note for note in result.notes if note)
    assert all(frame.reason for frame in result.frames)


def test_a_film_damaged_in_the_middle_keeps_what_decodes() -> None:
    whole = bytearray(film(textured(60), container="matroska", keyframe_every=5))
    middle = len(whole) // 2
    whole[middle : middle + 200] = bytes(200)
    result = sampled(bytes(whole), pick="fixed")
    assert result.times == sorted(set(result.times))
    assert "kept" in result.outcomes


class _Failing(io.BytesIO):
    """A file whose bytes stop coming with an error of ours."""

    def __init__(self, content: bytes, good_bytes: int, error: Exception) -> None:
        super().__init__(content)
        self._good_bytes, self._error = good_bytes, error

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._good_bytes:
            raise self._error
        return super().read(size)


@pytest.mark.parametrize("error", [ThrottledError("slow down"), FootageMissingError("replaced")])
def test_an_error_of_the_store_is_not_taken_for_a_broken_film(error: Exception) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (96, 160, 3), dtype=np.uint8) for _ in range(60)]
    content = film(noise, container="matroska")
    good = len(content) // 3
    segment = plan_segments(
        SOURCE,
        Probe(
            footage_id=SOURCE.footage_id,
            container="matroska",
            codec="h264",
            width_px=160,
            height_px=96,
            duration_ms=5000,
            frames_per_second=12.0,
            fingerprint="0" * 12,
        ),
        frames_per_second=1.0,
        pick="fixed",
        fingerprint="0" * 12,
    )[0]
    file: IO[bytes] = _Failing(content, good, error)
    with pytest.raises(type(error)):
        list(sample(file, "film.mp4", segment, Sample()))
    with pytest.raises(type(error)):
        read_header(_Failing(content, 0, error), "film.mp4")


def _grey(jpeg: bytes) -> Any:
    with av.open(io.BytesIO(jpeg), "r") as picture:
        return next(picture.decode(video=0)).to_ndarray(format="gray")
