"""Odd films, each made here: what their header tells, what sampling keeps, and the same from any segment."""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorTrc

from storycast.errors import FootageUnreadableError
from storycast.footage import FootageSource, plan_segments
from storycast.stages.probe_footage import probe_of
from storycast.video import Header, Sample, SampledFrame, read_header, sample
from tests.cli.media import write_png_header
from tests.fakes.film import film, numbered
from tests.fakes.odd_film import (
    OddFilm,
    combed,
    encrypted,
    frames_of,
    hdr,
    transparent,
    two_streams,
    with_index_first,
    with_matrix,
    without_box,
)

SOURCE = FootageSource(footage_id="f" * 12, name="film", key="uploads/p/film", size_bytes=1, etag="e")


@dataclass
class Given:
    """What a film gave."""

    header: Header
    frames: list[SampledFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(frame.outcome for frame in self.frames)

    @property
    def pictures(self) -> list[tuple[int, str, bytes | None]]:
        return [(frame.time_ms, frame.outcome, frame.jpeg) for frame in self.frames]


def given(content: bytes, segment_ms: int = 60_000, name: str = "film") -> Given:
    """Probe and sample a film as a run does, each segment with a file of its own."""
    header = read_header(io.BytesIO(content), name)
    probe = probe_of(header, footage_id=SOURCE.footage_id, mark="0" * 12)
    made = Given(header)
    for segment in plan_segments(
        SOURCE, probe, frames_per_second=1.0, pick="sharpest", fingerprint="0" * 12, segment_ms=segment_ms
    ):
        report = Sample()
        made.frames += sample(io.BytesIO(content), name, segment, report)
        made.notes += [report.note] if report.note else []
    return made


OPEN_GROUPS = "open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0"
FILMS: dict[str, tuple[OddFilm, str]] = {
    "H.264": (OddFilm(), "h264"),
    "H.264, open groups": (OddFilm(options={"preset": "veryfast", "x264-params": OPEN_GROUPS}), "h264"),
    "H.264, open groups, MPEG-TS": (
        OddFilm(container="mpegts", options={"preset": "veryfast", "x264-params": OPEN_GROUPS}),
        "h264",
    ),
    "H.264, 10 bits": (OddFilm(pixels="yuv420p10le"), "h264"),
    "H.264, 4:4:4": (OddFilm(pixels="yuv444p"), "h264"),
    "H.264, MPEG-TS": (OddFilm(container="mpegts"), "h264"),
    "H.264, FLV": (OddFilm(container="flv"), "h264"),
    "H.264, AVI": (OddFilm(container="avi", options={"bf": "0"}), "h264"),
    "H.264, fragments": (OddFilm(container_options={"movflags": "frag_keyframe+empty_moov"}), "h264"),
    "H.264, Matroska without cues or duration": (
        OddFilm(container="matroska", container_options={"live": "1"}),
        "h264",
    ),
    "H.264, bare": (OddFilm(container="h264", rate=25), "h264"),
    "HEVC": (OddFilm("libx265"), "hevc"),
    "HEVC, 10 bits, open groups, Matroska": (
        OddFilm(
            "libx265",
            "matroska",
            "yuv420p10le",
            options={"x265-params": f"{OPEN_GROUPS}:log-level=none"},
        ),
        "hevc",
    ),
    "VP9": (OddFilm("libvpx-vp9", "webm"), "vp9"),
    "VP8, Ogg": (OddFilm("libvpx", "ogg"), "vp8"),
    "AV1": (OddFilm("libsvtav1", "mp4"), "av1"),
    "AV1, WebM": (OddFilm("libsvtav1", "webm"), "av1"),
    "MPEG-2, MPEG-TS": (OddFilm("mpeg2video", "mpegts", rate=25, options={"bf": "2"}), "mpeg2video"),
    "MPEG-2, MPEG-PS": (OddFilm("mpeg2video", "mpeg", rate=25, options={"bf": "2"}), "mpeg2video"),
    "MPEG-2, MXF": (OddFilm("mpeg2video", "mxf", rate=25), "mpeg2video"),
    "MPEG-4 ASP, AVI": (OddFilm("mpeg4", "avi", options={"bf": "2"}), "mpeg4"),
    "MPEG-4 ASP, ASF": (OddFilm("mpeg4", "asf"), "mpeg4"),
    "ProRes": (OddFilm("prores_ks", "mov", "yuv422p10le"), "prores"),
    "DNxHR": (OddFilm("dnxhd", "mov", "yuv422p", 25, options={"profile": "dnxhr_lb"}), "dnxhd"),
    "Motion JPEG, AVI": (OddFilm("mjpeg", "avi", "yuvj420p"), "mjpeg"),
    "FFV1, grey": (OddFilm("ffv1", "matroska", "gray"), "ffv1"),
    "FFV1, RGB": (OddFilm("ffv1", "matroska", "bgr0"), "ffv1"),
    "GIF": (OddFilm("gif", "gif", "rgb8", 10), "gif"),
    "APNG": (OddFilm("apng", "apng", "rgb24", 10), "apng"),
    "animated WebP": (OddFilm("libwebp_anim", "webp", rate=10), "webp_anim"),
    "Y4M": (OddFilm("wrapped_avframe", "yuv4mpegpipe"), "rawvideo"),
}


@pytest.mark.parametrize("kind", FILMS)
def test_a_film_gives_a_frame_a_second_and_the_same_from_each_segment(kind: str) -> None:
    recipe, codec = FILMS[kind]
    size = {"width": 320, "height": 192} if recipe.codec == "dnxhd" else {}
    content = recipe.of(frames_of(60, **size))
    whole = given(content)
    assert whole.header.codec == codec
    seconds = 60 / recipe.rate
    assert abs(whole.header.duration_ms - seconds * 1000) <= 500
    assert set(whole.outcomes) == {"kept"}
    assert whole.outcomes["kept"] >= int(seconds)
    assert whole.notes == []
    for segment_ms in (200, 2000):
        parts = given(content, segment_ms)
        assert parts.notes == []
        assert [one[:2] for one in parts.pictures] == [one[:2] for one in whole.pictures]
        assert parts.pictures == whole.pictures


@pytest.mark.parametrize(
    ("content", "size", "words"),
    [
        (lambda: OddFilm(pixel_aspect=Fraction(64, 45)).of(frames_of(14)), (228, 96), "pixels of 64:45"),
        (lambda: with_matrix(OddFilm().of(frames_of(14)), 0, 1, -1, 0), (96, 160), "90 degrees to the right"),
        (lambda: with_matrix(OddFilm().of(frames_of(14)), -1, 0, 0, 1), (160, 96), "mirrored"),
        (
            lambda: OddFilm("mpeg2video", "mpegts", rate=25, options={"flags": "+ildct+ilme"}).of(combed(14)),
            (160, 96),
            "interlaced",
        ),
        (
            lambda: hdr(ColorTrc.SMPTE2084),
            (160, 96),
            "HDR (PQ, 1,000 cd/m2)",
        ),
        (
            lambda: hdr(ColorTrc.ARIB_STD_B67),
            (160, 96),
            "HDR (HLG)",
        ),
        (transparent, (160, 96), "transparent parts"),
        (two_streams, (160, 96), "holds 2 films; number 2"),
        (
            lambda: OddFilm(container="matroska", container_options={"live": "1"}).of(frames_of(14)),
            (160, 96),
            "1.2 s by its data",
        ),
    ],
)
def test_what_is_odd_is_told_and_done(content: Callable[[], bytes], size: tuple[int, int], words: str) -> None:
    made = given(content())
    assert any(words in note for note in made.header.notes), made.header.notes
    assert (made.header.width_px, made.header.height_px) == size
    assert made.outcomes["kept"] >= 1
    assert {(one.width_px, one.height_px) for one in made.frames if one.jpeg} == {size}
    for frame in made.frames:
        if frame.jpeg:
            with av.open(io.BytesIO(frame.jpeg)) as picture:
                stream = picture.streams.video[0]
                assert (stream.codec_context.width, stream.codec_context.height) == size


@pytest.mark.parametrize(
    ("recipe", "is_indexed"),
    [
        (OddFilm(), True),
        (OddFilm(container_options={"movflags": "frag_keyframe+empty_moov"}), False),
        (OddFilm(container="matroska"), True),
        (OddFilm(container="matroska", container_options={"live": "1"}), False),
        (OddFilm(container="mpegts"), True),
        (OddFilm("mpeg4", "avi"), True),
    ],
)
def test_a_film_without_an_index_has_longer_segments_and_says_so(recipe: OddFilm, is_indexed: bool) -> None:
    header = read_header(
        io.BytesIO(recipe.of(numbered(number, width=32, height=32) for number in range(800))), "f"
    )
    assert header.duration_ms > 60_000
    assert header.is_indexed is is_indexed
    assert any("has no index" in note for note in header.notes) is not is_indexed


@pytest.mark.parametrize("size", [(641, 359), (16, 16), (17, 1000), (2, 2), (1920, 16)])
@pytest.mark.parametrize("codec", ["ffv1", "libvpx-vp9"])
def test_any_size_is_sampled(size: tuple[int, int], codec: str) -> None:
    width, height = size
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (height, width, 3), dtype=np.uint8)] * 5
    recipe = OddFilm(codec, "matroska", "yuv444p" if codec == "ffv1" else "yuv420p")
    made = given(recipe.of(pictures))
    assert (made.header.width_px, made.header.height_px) == size
    assert len(made.frames) == 1
    assert {(one.width_px, one.height_px) for one in made.frames if one.jpeg} <= {size}


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_one_frame_and_less_than_a_second_are_films(container: str, count: int) -> None:
    assert given(OddFilm(container=container).of(frames_of(count))).outcomes == {"kept": 1}


@pytest.mark.parametrize("start_ms", [40, 3_000, 90_000_000])
@pytest.mark.parametrize("container", ["mpegts", "mp4"])
def test_a_film_may_begin_at_any_time(container: str, start_ms: int) -> None:
    times = [start_ms + round(number * 1000 / 12) for number in range(36)]
    content = OddFilm(container=container, times_ms=times).of(frames_of(36))
    whole = given(content)
    assert whole.outcomes == {"kept": 3}
    assert given(content, 1000).pictures == whole.pictures


def test_what_an_edit_list_cuts_off_is_no_part_of_the_film() -> None:
    times = [round(number * 1000 / 12) - 3000 for number in range(72)]
    content = OddFilm(times_ms=times, container_options={"avoid_negative_ts": "disabled"}).of(frames_of(72))
    whole = given(content)
    assert whole.outcomes == {"kept": 3}
    assert given(content, 1000).pictures == whole.pictures


def test_an_avi_without_its_index_is_read() -> None:
    content = OddFilm("mpeg4", "avi").of(frames_of(60))
    whole = given(content.replace(b"idx1", b"JUNK"))
    assert whole.pictures == given(content).pictures
    assert not whole.header.is_indexed
    assert given(content.replace(b"idx1", b"JUNK"), 200).pictures == whole.pictures


def test_times_that_go_back_end_the_film_and_are_told() -> None:
    content = OddFilm(container="mpegts").of(frames_of(60)) + OddFilm(container="mpegts").of(frames_of(60))
    made = given(content)
    assert made.outcomes["kept"] >= 4
    assert "times go back" in made.notes[0]
    assert "film" in made.notes[0]


def test_frames_that_change_their_size_are_kept_as_they_are() -> None:
    later = [2000 + round(number * 1000 / 12) for number in range(24)]
    large = [numbered(number, width=320, height=192) for number in range(24)]
    content = OddFilm(container="mpegts").of(frames_of(24)) + OddFilm(container="mpegts", times_ms=later).of(large)
    made = given(content)
    assert {(one.width_px, one.height_px) for one in made.frames if one.jpeg} == {(160, 96), (320, 192)}


# ---- broken files ---------------------------------------------------------------------------------


def patched(content: bytes, at: float, with_bytes: bytes) -> bytes:
    first = int(len(content) * at)
    return content[:first] + with_bytes + content[first + len(with_bytes) :]


@pytest.mark.parametrize(
    ("container", "patch"), [("mp4", b"\xa5" * 200), ("matroska", bytes(300)), ("mpegts", bytes(1000))]
)
def test_a_film_that_is_broken_in_the_middle_goes_on_behind_it(container: str, patch: bytes) -> None:
    content = OddFilm(container=container).of(frames_of(120))
    sound = given(content)
    made = given(patched(content, 0.5, patch))
    assert made.notes, "it is told"
    assert "damaged from" in made.notes[0]
    assert [one.time_ms // 1000 for one in made.frames] == list(range(10)), "each second is accounted for"
    kept = {one.time_ms: one.jpeg for one in made.frames if one.outcome == "kept"}
    assert len(kept) >= 6
    assert max(kept) > 8000, "what follows is used"
    assert (
        kept.items()
        >= {
            frame.time_ms: frame.jpeg for frame in sound.frames if frame.time_ms in kept and frame.time_ms < 3000
        }.items()
    )


def test_no_smeared_picture_is_kept() -> None:
    content = OddFilm(options={"preset": "veryfast", "crf": "12"}).of(frames_of(120))
    sound = {one.time_ms: one for one in given(content).frames}
    for at in np.linspace(0.2, 0.8, 13):
        for frame in given(patched(content, float(at), b"\x5a" * 40)).frames:
            if frame.jpeg and frame.time_ms in sound:
                assert _difference(frame.jpeg, sound[frame.time_ms].jpeg) < 12


def _difference(one: bytes, other: bytes | None) -> float:
    assert other is not None
    greys = []
    for content in (one, other):
        with av.open(io.BytesIO(content), "r") as picture:
            greys.append(next(picture.decode(video=0)).to_ndarray(format="gray").astype(int))
    return float(np.abs(greys[0] - greys[1]).mean())


def test_an_mp4_that_was_cut_off_behind_its_index_says_how_much_there_is() -> None:
    whole = with_index_first(OddFilm().of(frames_of(120)))
    made = given(whole[: int(len(whole) * 0.5)])
    assert any("cut off; of 10.0 s the file holds" in note for note in made.header.notes)
    assert 3 <= made.outcomes["kept"] <= 7
    assert made.outcomes["kept"] + made.outcomes["unreadable"] == 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"", "is empty"),
        (lambda: bytes(100_000), "nothing but zeros"),
        (lambda: bytes(range(256)) * 40, "can't be read"),
        (lambda: b"Dear all,\nthe film is attached.\n" * 50, "a text file"),
        (lambda: b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        (lambda: b"PK\x03\x04" + bytes(range(200)) * 20, "a ZIP archive"),
        (lambda: b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n", "a playlist"),
        (lambda: b"ffconcat version 1.0\nfile 'http://127.0.0.1:9/a.ts'\n", "a playlist"),
        (
            lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
            "a broadcast",
        ),
        (lambda: b"%PDF-1.7\n" + bytes(3000), "a PDF"),
        (lambda: without_box(film(frames_of(12)), b"moov"), "moov box is missing"),
        (lambda: film(frames_of(12))[:400], "moov box is missing"),
        (encrypted, "encrypted"),
    ],
)
def test_what_is_no_film_is_named_with_what_to_do(content: Callable[[], bytes], words: str) -> None:
    with pytest.raises(FootageUnreadableError, match=words) as told:
        given(content(), name="holiday.mp4")
    assert str(told.value).startswith("holiday.mp4")
    assert str(told.value).endswith(".")


class _Sparse(io.RawIOBase):
    """A huge file of zeros."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = max(min(len(buffer), self._size - self._at), 0)
        buffer[:count] = bytes(count)
        self._at += count
        self.read_bytes += count
        return count


def test_a_huge_file_of_zeros_is_refused_before_much_of_it_is_read() -> None:
    file = _Sparse(200 * 1024**3)
    with pytest.raises(FootageUnreadableError, match="zeros"):
        read_header(file, "film.mp4")  # type: ignore[arg-type]
    assert file.read_bytes < 32 * 1024**2


def test_a_frame_that_is_larger_than_any_film_is_refused(tmp_path: Path) -> None:
    path = write_png_header(tmp_path / "large.png", 60_000)
    with path.open("rb") as file, pytest.raises(FootageUnreadableError, match="large"):
        read_header(file, "large.png")
