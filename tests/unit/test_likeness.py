"""Likeness over the film: what the nearest tracks say, and what a character's sure tracks teach."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storycast import likeness as likeness_module
from storycast.cast import CastMember, Reference
from storycast.embeddings import Vectors, encode, unit
from storycast.likeness import NEAREST_TRACKS, likeness_over_film, likeness_to_members

KNOWN, ALIKE = 0.7, 0.9


def direction(degrees: float) -> Any:
    return unit([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def looks_at(*degrees: float) -> Vectors:
    return np.stack([direction(one) for one in degrees])


def member(name: str, *degrees: float) -> CastMember:
    references = tuple(
        Reference(key=str(one), content=str(one), embedding=encode(direction(one))) for one in degrees
    )
    return CastMember(name=name, description="", labels=(), references=references)


def over_film(looks: Vectors, *members: CastMember, tracks: Sequence[int] | None = None) -> Any:
    return likeness_over_film(
        likeness_to_members(looks, members),
        range(len(looks)) if tracks is None else tracks,
        looks,
        known=KNOWN,
        alike=ALIKE,
    )


def test_a_track_that_nothing_is_like_has_its_own_likeness() -> None:
    looks = looks_at(40, 170)
    found = over_film(looks, member("Mara", 0), member("Tom", 300))
    # 40 degrees are sure: the track is its own further reference, with twice the weight.
    assert found[0, 0] == pytest.approx((np.cos(np.radians(40)) + 2) / 3, abs=1e-5)
    assert found[1, 0] == pytest.approx((np.cos(np.radians(170)) + 2 * np.cos(np.radians(130))) / 3, abs=1e-5)


def test_the_track_beside_it_helps_somebody_in_odd_light_and_not_whom_nobody_is_like() -> None:
    looks = looks_at(48, 30, 120)
    alone = over_film(looks[[0, 2]], member("Mara", 0), member("Tom", 200))
    helped = over_film(looks, member("Mara", 0), member("Tom", 200))
    assert alone[0, 0] < KNOWN < helped[0, 0]
    assert helped[2, 0] < 0.3


def test_no_more_than_the_nearest_tracks_are_heard() -> None:
    near = [10.0] * NEAREST_TRACKS
    with_near = over_film(looks_at(10, *near), member("Mara", 100))
    with_far = over_film(looks_at(10, *near, *[30.0] * 20), member("Mara", 100))
    assert with_far[0, 0] == pytest.approx(with_near[0, 0], abs=1e-6)


def test_a_character_in_a_crowd_is_known_and_no_stranger_is() -> None:
    # Each in three shots, a little otherwise each time; the strangers are alike among themselves, as crowds are.
    crowd = [120.0 + 4 * stranger + shot for stranger in range(12) for shot in range(3)]
    found = over_film(looks_at(8, 12, 20, *crowd), member("Mara", 0, 10), member("Tom", 250))
    assert (found[:3, 0] >= KNOWN).all()
    assert (found[3:] < KNOWN).all()


def test_one_character_needs_no_lead_and_a_film_of_one_track_no_neighbour() -> None:
    (only,) = over_film(looks_at(20), member("Mara", 0))
    assert only[0] > KNOWN
    assert over_film(looks_at(20)).shape == (1, 0)
    assert over_film(np.zeros((0, 2), np.float32), member("Mara", 0)).shape == (0, 1)


def test_a_character_without_references_is_like_nobody() -> None:
    found = over_film(looks_at(10, 20, 30), member("Mara", 0), member("Tom"))
    assert (found[:, 1] == -1.0).all()


degrees = st.lists(st.integers(0, 359), min_size=1, max_size=25)


@settings(max_examples=50)
@given(degrees, st.randoms(use_true_random=False))
def test_the_order_of_sightings_changes_nothing(there: list[int], rng: Any) -> None:
    # Angles of their own: equal ones would be equally near, and the lower track is heard first.
    looks = looks_at(*[one + row / 100 for row, one in enumerate(there)])
    tracks = [row // 2 for row in range(len(looks))]
    cast = member("Mara", 0), member("Tom", 90)
    rows = list(range(len(looks)))
    rng.shuffle(rows)
    one, other = (
        over_film(looks, *cast, tracks=tracks),
        over_film(looks[rows], *cast, tracks=[tracks[row] for row in rows]),
    )
    assert other == pytest.approx(one[rows], abs=1e-5)


def test_a_long_film_is_compared_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looks_at(*np.random.default_rng(0).uniform(0, 360, 50))
    cast = member("Mara", 0), member("Tom", 90)
    whole = over_film(looks, *cast)
    monkeypatch.setattr(likeness_module, "_BLOCK", 7)
    assert over_film(looks, *cast) == pytest.approx(whole, abs=1e-6)
