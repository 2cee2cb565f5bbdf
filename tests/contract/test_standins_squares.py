"""The squares in which the stand-in looks at a picture again."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from local.standins.nanodet import SQUARES_LIMIT, squares


@given(st.integers(80, 4000), st.integers(80, 4000))
def test_squares_lie_in_the_picture_and_cover_all_of_it(width: int, height: int) -> None:
    made = squares(width, height)
    assert len(made) <= SQUARES_LIMIT
    side, longer = sorted((width, height))
    if longer < 1.25 * side:
        assert made == []
        return
    starts = [max(left, top) for left, top, _ in made]
    assert all(one == side for _, _, one in made)
    assert (starts[0], starts[-1] + side) == (0, longer)
    if longer <= 3 * side:
        steps = [later - earlier for earlier, later in itertools.pairwise(starts)]
        assert all(step <= side / 2 for step in steps), "what one square cuts off is whole in the next"
