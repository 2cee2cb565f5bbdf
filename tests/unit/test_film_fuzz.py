"""Damaged headers and data: frames or a named error, in bounded time and memory, and no crash of a native library.

Each film is probed and sampled in a process of its own, whose death is seen.
"""

import functools
import io
import multiprocessing
import resource
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storycast.errors import FootageUnreadableError
from storycast.footage import FootageSource, plan_segments
from storycast.stages.probe_footage import probe_of
from storycast.video import Sample, find_bars, read_header, sample
from tests.fakes.odd_film import OddFilm, frames_of

LONGEST_S = 30
MEMORY_BYTES = 6 * 1024**3
"""Of addresses, of which libraries reserve many; a header may not make the decoder ask for more."""
MOST_SEGMENTS = 4
KINDS = {
    "mp4": OddFilm(),
    "matroska": OddFilm(container="matroska"),
    "webm": OddFilm("libvpx-vp9", "webm"),
    "mpegts": OddFilm(container="mpegts"),
    "avi": OddFilm("mpeg4", "avi"),
    "gif": OddFilm("gif", "gif", "rgb8", 10),
    "hevc": OddFilm("libx265"),
    "mpeg2": OddFilm("mpeg2video", "mpeg", rate=25),
}


def _watch(content: bytes) -> str:
    """Return what became of a film: how many frames, or what is told instead."""
    source = FootageSource(footage_id="f" * 12, name="film", key="film", size_bytes=1, etag="e")
    try:
        header = read_header(io.BytesIO(content), "film")
        if header.is_seekable and header.duration_ms:
            find_bars(io.BytesIO(content), "film", header.duration_ms)
        probe = probe_of(header, footage_id="f" * 12, mark="0" * 12)
        planned = plan_segments(
            source, probe, frames_per_second=1.0, pick="sharpest", fingerprint="0" * 12, segment_ms=2000
        )
        count = 0
        for segment in planned[:MOST_SEGMENTS]:
            frames = list(sample(io.BytesIO(content), "film", segment, Sample()))
            assert all(one.jpeg if one.outcome == "kept" else one.reason for one in frames)
            count += len(frames)
    except FootageUnreadableError as error:
        return f"refused: {error}"
    return f"sampled: {count}"


def _work(pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    while True:
        try:
            told = _watch(pipe.recv_bytes())
        except EOFError:
            return
        except BaseException:
            told = f"a bug: {traceback.format_exc()}"
        pipe.send(told)


class Watcher:
    """A process that watches films, and begins anew after one that killed it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def watch(self, content: bytes) -> str:
        """Return what became of a film, or how it killed the process."""
        self._pipe.send_bytes(content)
        try:
            if self._pipe.poll(LONGEST_S):
                return str(self._pipe.recv())
            told = f"a bug: no end after {LONGEST_S} s"
        except EOFError:
            self._process.join(5)
            told = f"a bug: the process died ({self._process.exitcode})"
        self.stop()
        self._start()
        return told

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join(5)
        self._pipe.close()


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.stop()


@functools.cache
def sound_film(kind: str) -> bytes:
    return KINDS[kind].of(frames_of(36))


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_flipped_bytes_end_in_frames_or_a_named_error(watcher: Watcher, kind: str, data: st.DataObject) -> None:
    content = bytearray(sound_film(kind))
    # Headers are at the front, or, of MP4 and AVI, at the end.
    places = st.one_of(
        st.integers(0, min(len(content), 2000) - 1),
        st.integers(max(len(content) - 2500, 0), len(content) - 1),
        st.integers(0, len(content) - 1),
    )
    flips = data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=12))
    for place, value in flips:
        content[place] = value
    assert not watcher.watch(bytes(content)).startswith("a bug"), flips


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.floats(0, 1))
@example(0.5)
def test_a_film_that_ends_anywhere_gives_frames_or_a_named_error(
    watcher: Watcher, kind: str, share: float
) -> None:
    content = sound_film(kind)
    assert not watcher.watch(content[: int(len(content) * share)]).startswith("a bug")


def test_a_sound_film_is_sampled(watcher: Watcher) -> None:
    assert watcher.watch(sound_film("mp4")) == "sampled: 3"
    assert watcher.watch(b"").startswith("refused")
