"""How alike a footage's pictures are: the histogram, the calibrated threshold, and the vectors' file."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.duplicates import find_duplicates
from storycast.embeddings import LEAST_GAP, MOST_RAISED, THRESHOLDS, Vectors, calibrate, pair_cosines, stack, unit
from storycast.similarity import (
    BINS,
    MOST_PICTURES,
    count_similarity,
    nearest_kept_cosines,
    read_similarity,
)
from storycast.stages.vectors import read_vectors, write_vectors
from tests.fakes.store import MemoryStore

TITAN = "amazon.titan-embed-image-v1"
TABLE = THRESHOLDS[TITAN].duplicate

COSINES = st.lists(st.floats(-1.0, 1.0), max_size=40)


def directions(*degrees: float) -> Vectors:
    return stack([unit([np.cos(np.radians(one)), np.sin(np.radians(one))]) for one in degrees])


# ---- the histogram --------------------------------------------------------------------------------


@given(COSINES, COSINES, COSINES, st.floats(0.0, 1.0))
def test_every_cosine_is_counted_once_and_the_threshold_is_on_the_axis(
    neighbours: list[float], strangers: list[float], nearest: list[float], threshold: float
) -> None:
    counted = count_similarity(neighbours, strangers, nearest, threshold)
    assert len(counted.edges) == BINS + 1
    assert list(counted.edges) == sorted(set(counted.edges))
    assert counted.edges[0] <= min([threshold, *neighbours, *strangers, *nearest]) + 1e-6
    assert counted.edges[-1] == 1.0
    for counts, values in (
        (counted.neighbours, neighbours),
        (counted.strangers, strangers),
        (counted.nearest_kept, nearest),
    ):
        assert (len(counts), sum(counts)) == (BINS, len(values))
    assert (counted.neighbour_median is None) is (not neighbours)
    told = json.dumps({"threshold": threshold, "similarity": counted.model_dump(mode="json")}).encode()
    assert read_similarity(told) == counted


def test_a_curation_of_before_has_no_histogram_and_what_is_no_json_is_refused() -> None:
    assert read_similarity(b'{"threshold": 0.9}') is None
    for content in (b"", b"{", b'{"similarity": {"edges": [1.0]}}'):
        with pytest.raises(ValueError, match=r"JSON|edges|Expecting"):
            read_similarity(content)


def test_the_nearest_kept_is_another_picture_and_a_duplicates_nearest_reaches_the_threshold() -> None:
    vectors, order, threshold = directions(0, 5, 40, 100), [0, 1, 2, 3], float(np.cos(np.radians(10)))
    gone = {one.dropped for one in find_duplicates(vectors, order, threshold)}
    assert gone == {1}
    nearest = nearest_kept_cosines(vectors, order, [0, 2, 3])
    assert nearest == pytest.approx(np.cos(np.radians([40, 5, 40, 60])), abs=1e-6)
    assert count_similarity([], [], nearest, threshold).duplicate_count == 1
    assert nearest_kept_cosines(vectors, [2], [2]) == []
    assert nearest_kept_cosines(vectors, [], []) == []


def test_of_many_pictures_evenly_many_are_looked_at() -> None:
    vectors = directions(*np.linspace(0, 90, 3 * MOST_PICTURES))
    rows = list(range(len(vectors)))
    assert len(nearest_kept_cosines(vectors, rows, rows)) == MOST_PICTURES


# ---- calibration on footages of all kinds ---------------------------------------------------------


def footage(shots: int, frames: int, apart: float, moves: float, seed: int = 0) -> tuple[list[float], list[float]]:
    """Return neighbours' and strangers' cosines of a made-up footage.

    Args:
        shots: How many shots.
        frames: Frames of each.
        apart: Length of what is a shot's own; what all share has length 1.
        moves: Length of what is a frame's own.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((shots, 1, 256)) / 16 * apart + np.eye(256)[0]
    vectors = (own + rng.standard_normal((shots, frames, 256)) / 16 * moves).reshape(-1, 256)
    rows = stack([unit(row.tolist()) for row in vectors])
    number = np.repeat(np.arange(shots), frames)
    first, second = np.triu_indices(len(rows), 1)
    near = (number[first] == number[second]) & (second == first + 1)
    far = number[first] != number[second]
    return pair_cosines(rows, first[near], second[near]), pair_cosines(rows, first[far], second[far])


def share_from(values: Sequence[float], threshold: float) -> float:
    return sum(value >= threshold for value in values) / max(len(values), 1)


def test_a_film_of_many_shots_is_calibrated() -> None:
    neighbours, strangers = footage(shots=12, frames=10, apart=0.9, moves=0.3)
    made = calibrate(neighbours, strangers, TITAN)
    assert made.source.startswith("calibrated on this footage")
    assert share_from(neighbours, made.threshold) > 0.9
    assert share_from(strangers, made.threshold) < 0.05


def test_a_slide_show_whose_neighbours_are_equal_is_calibrated() -> None:
    neighbours, strangers = footage(shots=20, frames=5, apart=0.9, moves=0.0)
    made = calibrate(neighbours, strangers, TITAN)
    assert made.source.startswith("calibrated")
    assert share_from(neighbours, made.threshold) == 1.0
    assert share_from(strangers, made.threshold) < 0.05


def test_a_film_of_one_shot_keeps_more_than_one_picture() -> None:
    neighbours, strangers = footage(shots=1, frames=60, apart=0.9, moves=0.27)
    assert float(np.median(neighbours)) > TABLE, "with the table's value few pictures would be left"
    made = calibrate(neighbours, strangers, TITAN)
    assert TABLE < made.threshold <= MOST_RAISED
    assert "too few pairs" in made.source
    assert "59 neighbours in a shot, 0 pairs of other shots" in made.source
    assert "raised from 0.930" in made.source
    assert 0.3 < share_from(neighbours, made.threshold) < 0.7


def test_a_talking_head_whose_shots_are_all_alike_keeps_more_than_one_picture() -> None:
    neighbours, strangers = footage(shots=5, frames=20, apart=0.1, moves=0.15)
    made = calibrate(neighbours, strangers, TITAN)
    assert "too alike" in made.source
    assert "raised from 0.930" in made.source
    assert 0.3 < share_from(neighbours, made.threshold) < 0.7


def test_nothing_is_raised_so_far_that_equal_pictures_stay() -> None:
    made = calibrate([0.9999] * 50, [], TITAN)
    assert made.threshold == MOST_RAISED
    assert made.neighbour_median == 0.9999


def test_stills_alone_take_the_tables_value() -> None:
    neighbours, strangers = footage(shots=40, frames=1, apart=0.9, moves=0.3)
    made = calibrate(neighbours, strangers, TITAN)
    assert made.threshold == TABLE
    assert "0 neighbours in a shot" in made.source
    assert "raised" not in made.source


def test_fast_action_whose_neighbours_are_hardly_nearer_than_strangers_does_not_lower_the_threshold() -> None:
    neighbours, strangers = footage(shots=20, frames=10, apart=0.3, moves=1.0)
    gap = np.median(neighbours) - np.quantile(strangers, 0.95)
    assert gap < LEAST_GAP, "this test is of a small gap"
    made = calibrate(neighbours, strangers, TITAN)
    assert made.threshold == TABLE
    assert "too alike" in made.source


@given(COSINES, COSINES)
def test_a_threshold_is_never_below_strangers_nor_above_one(
    neighbours: list[float], strangers: list[float]
) -> None:
    made = calibrate(neighbours, strangers, TITAN)
    assert made.threshold <= 1.0
    if made.source.startswith("calibrated"):
        assert made.threshold >= np.quantile(strangers, 0.95) + LEAST_GAP / 2 - 1e-4
    else:
        assert TABLE <= made.threshold <= MOST_RAISED


# ---- the vectors' file ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0, 1), (1, 3), (700, 1024)])
@pytest.mark.parametrize("versioned", [True, False])
def test_vectors_come_back_as_they_were_written(shape: tuple[int, int], versioned: bool) -> None:
    store = MemoryStore(versioned=versioned)
    vectors = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    write_vectors(store, "runs/r/embeddings.npy", vectors)
    read = read_vectors(store, "runs/r/embeddings.npy")
    assert read.dtype == np.float32
    assert np.array_equal(read, vectors)


def test_vectors_that_are_a_view_are_written_as_they_read() -> None:
    store = MemoryStore()
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)[::-1, ::2]
    write_vectors(store, "embeddings.npy", vectors)
    assert np.array_equal(read_vectors(store, "embeddings.npy"), vectors)


def test_vectors_that_are_not_there_or_no_array_say_so() -> None:
    store = MemoryStore()
    with pytest.raises(KeyError):
        read_vectors(store, "embeddings.npy")
    store.put("embeddings.npy", b"no array", "application/octet-stream")
    with pytest.raises(ValueError, match="pickle"):
        read_vectors(store, "embeddings.npy")
