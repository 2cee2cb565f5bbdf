"""Looks: colours beside embeddings, and the box that is embedded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from storycast.boxes import Box
from storycast.cast import Reference
from storycast.embeddings import encode, unit
from storycast.images import cut_rectangle
from storycast.looks import COLOURS_WEIGHT, colours, look_of, looks


def plain(red: float, green: float, blue: float, side: int = 40) -> NDArray[np.float32]:
    return np.tile(np.array([red, green, blue], np.float32), (side, side, 1))


def test_the_same_colours_are_alike_and_others_are_not() -> None:
    red, dark_red, green = (
        colours(plain(0.9, 0.1, 0.1)),
        colours(plain(0.8, 0.1, 0.1)),
        colours(plain(0.1, 0.9, 0.1)),
    )
    assert float(red @ red) == pytest.approx(1.0, abs=1e-5)
    assert float(red @ green) < 0.05 < float(red @ dark_red)


def test_what_lies_at_the_edge_of_the_box_does_not_count() -> None:
    framed = plain(0.1, 0.9, 0.1, 100)
    framed[15:85, 15:85] = (0.9, 0.1, 0.1)
    assert float(colours(framed) @ colours(plain(0.9, 0.1, 0.1))) == pytest.approx(1.0, abs=1e-5)


channels = st.floats(0, 1, width=32)


@given(channels, channels, channels, st.integers(1, 9))
def test_any_picture_has_colours_of_length_one(red: float, green: float, blue: float, side: int) -> None:
    made = colours(plain(red, green, blue, side))
    assert np.isfinite(made).all()
    assert float(np.linalg.norm(made)) == pytest.approx(1.0, abs=1e-4)


def test_a_look_weighs_the_embedding_and_the_colours() -> None:
    one, other = unit([1.0, 0.0]), unit([0.6, 0.8])
    red, green = colours(plain(0.9, 0.1, 0.1)), colours(plain(0.1, 0.9, 0.1))
    first, second = looks(np.stack([one, other]), np.stack([red, green]))
    expected = (0.6 + COLOURS_WEIGHT * float(red @ green)) / (1 + COLOURS_WEIGHT)
    assert float(first @ second) == pytest.approx(expected, abs=1e-5)
    assert float(first @ first) == pytest.approx(1.0, abs=1e-5)
    reference = Reference(key="k", content="c", embedding=encode(one), colours=encode(red))
    assert np.allclose(look_of(reference), first)
    assert np.array_equal(look_of(reference.model_copy(update={"colours": ""})), one)


edges = st.floats(-0.5, 1.5)


@given(edges, edges, st.floats(0, 2), st.floats(0, 2), st.integers(1, 60), st.integers(1, 60))
def test_a_box_cut_out_lies_in_the_picture_and_is_never_empty(
    left: float, top: float, width: float, height: float, across: int, down: int
) -> None:
    cut = cut_rectangle(Image.new("RGB", (across, down)), Box(left, top, width, height))
    assert 1 <= cut.width <= across
    assert 1 <= cut.height <= down
