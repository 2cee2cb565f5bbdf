"""Near-duplicates: the rule, held against comparing every pair, whatever the order, the blocks and the screen."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from storycast import duplicates
from storycast.duplicates import ROUNDING, Duplicate, find_duplicates
from storycast.embeddings import Vectors, stack, unit

Pictures = tuple[Vectors, list[int]]

USUAL = {"BLOCK_ROWS": 512, "BLOCK_COLUMNS": 4096, "PAIR_ROWS": 512}
"""None of what is made here is screened with these: it is too little."""
SCREENED = {"LEAST_SCREENED": 1, "SCREEN_SIZES": (1,), "PAIR_ROWS": 3, "PAIR_COST": 0, "MOST_PASSING": 1.0}
"""Every pair that passes is compared by itself."""
PRODUCTS = {**SCREENED, "MOST_PASSING": 0.0}
"""Every block in which a pair passes is compared as a whole."""
WAYS = [
    pytest.param(USUAL, id="usual"),
    pytest.param({"BLOCK_ROWS": 1, "BLOCK_COLUMNS": 1}, id="one by one"),
    pytest.param({"BLOCK_ROWS": 3, "BLOCK_COLUMNS": 2}, id="small blocks"),
    pytest.param(SCREENED, id="screened"),
    pytest.param({**SCREENED, "BLOCK_ROWS": 3, "BLOCK_COLUMNS": 2}, id="screened in small blocks"),
    pytest.param(PRODUCTS, id="products"),
    pytest.param({**PRODUCTS, "BLOCK_ROWS": 4, "BLOCK_COLUMNS": 3}, id="products of small blocks"),
]


@contextmanager
def way(values: dict[str, Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(duplicates, name, value)
        yield


def direction(degrees: float) -> Any:
    return unit([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def directions(*degrees: float) -> Vectors:
    return stack([direction(one) for one in degrees])


def degrees(angle: float) -> float:
    return math.cos(math.radians(angle))


def cosine(vectors: Vectors, one: int, other: int) -> float:
    return math.fsum(float(a) * float(b) for a, b in zip(vectors[one], vectors[other], strict=True))


def by_hand(vectors: Vectors, order: Sequence[int], threshold: float) -> tuple[list[int], dict[int, list[float]]]:
    """The rule as one would say it: take the best, drop what is like something taken.

    Returns:
        What was kept, and of each dropped one its cosines with what was kept before it.
    """
    kept: list[int] = []
    dropped: dict[int, list[float]] = {}
    for index in order:
        cosines = [cosine(vectors, index, one) for one in kept]
        if cosines and max(cosines) >= threshold - ROUNDING:
            dropped[index] = cosines
        else:
            kept.append(index)
    return kept, dropped


def survivors(vectors: Vectors, order: Sequence[int], threshold: float) -> list[int]:
    gone = {one.dropped for one in find_duplicates(vectors, order, threshold)}
    return [index for index in order if index not in gone]


@st.composite
def pictures(draw: st.DrawFn) -> Pictures:
    """Vectors of few values, so that many are alike and some are equal, best first in any order."""
    shape = st.tuples(st.integers(1, 24), st.just(6))
    raw = draw(arrays.arrays(np.int8, shape, elements=st.integers(-1, 3)))
    raw = raw[np.abs(raw).sum(axis=1) > 0]
    assume(len(raw))
    vectors = stack([unit(row.astype(float)) for row in raw])
    return vectors, draw(st.permutations(range(len(vectors))))


thresholds = st.one_of(st.floats(0.3, 1.0), st.sampled_from([1.0, 0.9, 0.5]))


@pytest.mark.parametrize("values", WAYS)
@given(pictures=pictures(), threshold=thresholds)
def test_duplicates_are_what_the_rule_says(values: dict[str, Any], pictures: Pictures, threshold: float) -> None:
    vectors, order = pictures
    edge = threshold - ROUNDING
    assume(all(abs(cosine(vectors, a, b) - edge) > 1e-12 for a in order for b in order if a < b))
    with way(values):
        found = find_duplicates(vectors, order, threshold)
    kept, dropped = by_hand(vectors, order, threshold)
    assert [one.dropped for one in found] == [index for index in order if index in dropped]
    for one in found:
        cosines = dropped[one.dropped]
        assert cosines[kept.index(one.kept)] >= max(cosines) - 1e-12, "the most alike is named"
        assert abs(one.cosine - max(cosines)) <= 0.5001e-4


@given(pictures=pictures(), threshold=thresholds)
def test_duplicates_do_not_depend_on_blocks_or_the_screen(pictures: Pictures, threshold: float) -> None:
    vectors, order = pictures
    found = find_duplicates(vectors, order, threshold)
    for one in WAYS:
        with way(one.values[0]):  # type: ignore[arg-type]
            assert find_duplicates(vectors, order, threshold) == found


@pytest.mark.parametrize("values", WAYS)
@given(pictures=pictures(), threshold=thresholds, rng=st.randoms(use_true_random=False))
def test_duplicates_do_not_depend_on_the_rows_order(
    values: dict[str, Any], pictures: Pictures, threshold: float, rng: Any
) -> None:
    vectors, order = pictures
    rows = list(range(len(vectors)))
    rng.shuffle(rows)
    moved = np.empty_like(vectors)
    moved[rows] = vectors
    with way(values):
        here = find_duplicates(vectors, order, threshold)
        there = find_duplicates(moved, [rows[index] for index in order], threshold)
    assert there == [Duplicate(rows[one.dropped], rows[one.kept], one.cosine) for one in here]


@given(pictures=pictures(), threshold=thresholds)
def test_no_kept_pair_reaches_the_threshold_and_the_survivors_are_left_as_they_are(
    pictures: Pictures, threshold: float
) -> None:
    vectors, order = pictures
    kept = survivors(vectors, order, threshold)
    pairs = [(a, b) for a in kept for b in kept if a < b]
    assert all(cosine(vectors, a, b) < threshold - ROUNDING + 1e-12 for a, b in pairs)
    assert find_duplicates(vectors, kept, threshold) == []


@given(pictures=pictures(), threshold=thresholds)
def test_of_each_group_of_duplicates_the_best_stays(pictures: Pictures, threshold: float) -> None:
    vectors, order = pictures
    kept = set(survivors(vectors, order, threshold))
    left = list(order)
    while left:
        group, fringe = {left[0]}, [left[0]]
        while fringe:
            one = fringe.pop()
            near = {x for x in left if x not in group and cosine(vectors, one, x) >= threshold - ROUNDING}
            group |= near
            fringe += near
        assert left[0] in kept, "the best of a group has nothing better to be dropped for"
        left = [one for one in left if one not in group]


@given(pictures=pictures(), pair=st.tuples(thresholds, thresholds))
def test_what_may_stay_at_one_threshold_may_stay_at_a_higher_one(
    pictures: Pictures, pair: tuple[float, float]
) -> None:
    vectors, order = pictures
    low, high = sorted(pair)
    assert find_duplicates(vectors, survivors(vectors, order, low), high) == [], "all survivors together"
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            both = [one, other]
            if not find_duplicates(vectors, both, low):
                assert not find_duplicates(vectors, both, high)


def test_a_higher_threshold_may_drop_what_a_lower_one_kept() -> None:
    steps = directions(0, 11, 20)
    assert survivors(steps, [0, 1, 2], degrees(12)) == [0, 2]
    assert survivors(steps, [0, 1, 2], degrees(10)) == [0, 1]


def test_duplicates_do_not_chain() -> None:
    found = find_duplicates(directions(0, 10, 20, 30, 40), [0, 1, 2, 3, 4], degrees(11))
    assert [(one.dropped, one.kept) for one in found] == [(1, 0), (3, 2)]


def test_the_most_alike_is_named_and_of_equals_the_best() -> None:
    found = find_duplicates(directions(0, 40, 25), [0, 1, 2], degrees(30))
    assert found == [Duplicate(2, 1, round(degrees(15), 4))]
    twins = find_duplicates(stack([unit([1, 0, 1]), unit([1, 0, -1]), unit([1, 0, 0])]), [1, 0, 2], 0.7)
    assert twins == [Duplicate(2, 1, 0.7071)]


def test_rows_that_are_not_in_the_order_are_passed_over() -> None:
    assert find_duplicates(directions(0, 0, 0), [2], 0.9) == []
    assert find_duplicates(directions(0, 0, 0), [], 0.9) == []
    assert find_duplicates(stack([]), [], 0.9) == []


@pytest.mark.parametrize("values", WAYS)
def test_equal_pictures_are_duplicates_at_a_threshold_of_one(values: dict[str, Any]) -> None:
    one = unit(np.random.default_rng(5).standard_normal(1024).tolist())
    with way(values):
        assert find_duplicates(stack([one, one]), [1, 0], 1.0) == [Duplicate(0, 1, 1.0)]


@pytest.mark.parametrize("near", [-3e-8, -1e-8, 1e-8, 3e-8])
@pytest.mark.parametrize("values", WAYS)
def test_within_float32s_rounding_of_the_threshold_float64_decides(values: dict[str, Any], near: float) -> None:
    rng = np.random.default_rng(11)
    pair = stack([unit((rng.standard_normal(1024) + 1).tolist()) for _ in range(2)])
    exact = cosine(pair, 0, 1)
    with way(values):
        found = find_duplicates(pair, [0, 1], exact + ROUNDING + near)
    assert bool(found) is (near < 0)


@pytest.mark.parametrize("threshold", [0.6, 0.9, 0.97])
def test_a_films_length_of_pictures_is_screened_and_gives_what_comparing_all_gives(threshold: float) -> None:
    rng = np.random.default_rng(3)
    shots = rng.standard_normal((150, 320)) * 0.06 + 0.05
    raw = np.repeat(shots, 10, axis=0) + rng.standard_normal((1500, 320)) * 0.012
    vectors = stack([unit(row.tolist()) for row in raw])
    order = rng.permutation(len(vectors)).tolist()
    directions = duplicates._choose_directions(vectors, np.asarray(order), threshold)
    assert directions is not None, "this test is of the screen"
    found = find_duplicates(vectors, order, threshold)
    exact = vectors.astype(np.float64)
    kept: list[int] = []
    expected: list[tuple[int, int, Any]] = []
    for index in order:
        cosines = exact[kept] @ exact[index]
        if kept and cosines.max() >= threshold - ROUNDING:
            expected.append((index, kept[int(cosines.argmax())], pytest.approx(cosines.max(), abs=1e-4)))
        else:
            kept.append(index)
    made: list[tuple[int, int, Any]] = [(one.dropped, one.kept, one.cosine) for one in found]
    assert made == expected
