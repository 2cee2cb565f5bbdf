"""The reader over ranges: few requests, little that is read in vain, and no fault of a connection in the data."""

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storycast.adapters import ranged_reader
from storycast.adapters.ranged_reader import RangedReader
from storycast.errors import DependencyUnavailableError
from tests.fakes.ranges import Ranges

KIB = 1024


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged_reader, "BLOCK_BYTES", KIB)
    monkeypatch.setattr(ranged_reader, "PAUSE_S", 0.0)


def content_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def reader_of(s3: Ranges) -> RangedReader:
    return RangedReader(s3, "bucket", s3.stored)


def test_reads_that_go_on_grow_and_a_jump_is_short_again() -> None:
    s3 = Ranges.of(content_of(200 * KIB))
    reader = reader_of(s3)
    reader.read(20 * KIB)
    reader.seek(0)
    io.BufferedReader(reader).read(31 * KIB)
    assert [(last - first + 1) // KIB for first, last in s3.asked] == [1, 2, 4, 8, 8, 8]
    reader.seek(150 * KIB + 5)
    reader.read(10)
    assert s3.asked[-1] == (150 * KIB, 151 * KIB - 1)
    assert reader.reads.requests == len(s3.asked) == 7
    assert reader.reads.bytes_read == 32 * KIB


def test_nothing_that_is_there_is_asked_for_again() -> None:
    s3 = Ranges.of(content_of(40 * KIB))
    reader = reader_of(s3)
    for position in (4, 3, 2, 1, 0):
        reader.seek(position * KIB)
        reader.read(10)
    reader.seek(0)
    assert io.BufferedReader(reader).read(5 * KIB) == content_of(40 * KIB)[: 5 * KIB]
    assert len(s3.asked) == 5


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged_reader, "MAX_BLOCKS", 16)
    s3 = Ranges.of(content_of(500 * KIB))
    reader = reader_of(s3)
    reader.readall()
    assert sum(len(block) for block in reader._blocks.values()) <= 16 * KIB


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30 * KIB), st.lists(st.tuples(st.integers(0, 32 * KIB), st.integers(0, 9000)), max_size=12))
def test_every_read_gives_the_objects_bytes(size: int, reads: list[tuple[int, int]]) -> None:
    content = content_of(size)
    file = io.BufferedReader(reader_of(Ranges.of(content)), buffer_size=700)
    for position, count in reads:
        file.seek(position)
        assert file.read(count) == content[position : position + count]


@pytest.mark.parametrize("cuts", [[0], [300], [300, 200, 100], [1023]])
def test_a_body_that_is_cut_off_goes_on_where_it_ended(cuts: list[int]) -> None:
    content = content_of(10 * KIB)
    s3 = Ranges.of(content)
    s3.cuts = list(cuts)
    reader = reader_of(s3)
    assert reader.read(KIB) == content[:KIB]
    assert s3.asked[: len(cuts) + 1] == [(sum(cuts[:number]), KIB - 1) for number in range(len(cuts) + 1)], (
        "what came is not asked for again"
    )
    assert reader.reads.bytes_read == KIB


def test_a_connection_that_breaks_each_time_is_an_error_that_is_retried() -> None:
    s3 = Ranges.of(content_of(10 * KIB))
    s3.cuts = [1] * 10
    with pytest.raises(DependencyUnavailableError, match="film"):
        reader_of(s3).read(KIB)
    assert len(s3.asked) == ranged_reader.ATTEMPTS
