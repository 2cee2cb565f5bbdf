"""How often each picture is seen."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.balance import LEAST_SHARED, MOST_REPEATS, balance

CASTS = st.lists(st.lists(st.sampled_from("ABCD"), max_size=3, unique=True), min_size=1, max_size=40)


@given(CASTS)
def test_every_picture_is_seen_and_none_too_often(casts: list[list[str]]) -> None:
    found = balance(casts)
    assert len(found.repeats) == len(casts)
    assert all(1 <= times <= MOST_REPEATS for times in found.repeats)
    assert sum(found.shares.values()) == pytest.approx(1 if any(casts) else 0)


@given(CASTS)
def test_who_may_be_repeated_gets_as_much_as_anybody(casts: list[list[str]]) -> None:
    found = balance(casts)
    most = max(found.shares.values(), default=0)
    total = sum(times for cast, times in zip(casts, found.repeats, strict=True) if cast)
    for name, share in found.shares.items():
        own = [times for cast, times in zip(casts, found.repeats, strict=True) if cast == [name]]
        if own and any(times < MOST_REPEATS for times in own):
            # Whole pictures are shared out: the last one may be missing.
            assert share >= most - 1 / total


@given(CASTS)
def test_nobody_is_seen_more_in_company_than_alone_where_it_can_be_helped(casts: list[list[str]]) -> None:
    found = balance(casts)
    for name in found.shares:
        own = [times for cast, times in zip(casts, found.repeats, strict=True) if cast == [name]]
        company = sum(t for cast, t in zip(casts, found.repeats, strict=True) if name in cast and len(cast) > 1)
        if own and any(times < MOST_REPEATS for times in own):
            assert sum(own) >= company


def casts(**counts: int) -> Sequence[Sequence[str]]:
    return [list(names) for names, count in counts.items() for _ in range(count)]


def test_a_rare_character_catches_up() -> None:
    found = balance(casts(A=20, B=5))
    assert found.shares == {"A": 0.5, "B": 0.5}
    assert found.repeats == (1,) * 20 + (4,) * 5
    assert found.warnings() == []


def test_a_very_rare_one_cannot_and_that_is_told() -> None:
    found = balance(casts(A=30, B=2))
    assert found.shares["B"] == pytest.approx(10 / 40)
    (warning,) = found.warnings()
    assert "B is in 2 pictures only: it gets 25% of what is seen instead of 50%" in warning


def test_few_pairs_are_seen_more_often() -> None:
    found = balance(casts(A=20, B=20, AB=2))
    assert found.repeats[-2:] == (3, 3)
    assert found.shared_share >= LEAST_SHARED
    assert found.shares == {"A": 0.5, "B": 0.5}


def test_many_pairs_are_outweighed_by_pictures_alone() -> None:
    found = balance(casts(A=4, B=4, AB=12))
    assert found.repeats == (3,) * 8 + (1,) * 12


def test_pairs_alone_are_taken_as_they_are() -> None:
    assert balance(casts(AB=3)).repeats == (1, 1, 1)


def test_nobody_known_is_nobody_favoured() -> None:
    found = balance([[], [], []])
    assert found.repeats == (1, 1, 1)
    assert found.words() == "An epoch shows 3 pictures (3 different): nobody named; 0% with several characters."
