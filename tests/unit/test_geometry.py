"""Boxes, cuts, and the detections made of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.boxes import Box, group_same, overlap_area, overlap_ratio, same_object, share_inside
from storycast.cuts import TRAINING_SIDE_PX, Cut, framing, plan_cut
from storycast.detections import MAX_AREA_SHARE, MIN_SIDE_SHARE, merge_labels
from storycast.ports import LabelledBox

share = st.floats(0.0, 1.0)
any_box = st.builds(Box, st.floats(-0.5, 1.5), st.floats(-0.5, 1.5), st.floats(0.0, 2.0), st.floats(0.0, 2.0))
inner_box = st.tuples(share, share, share, share).map(
    lambda v: Box(v[0], v[1], v[2] * (1 - v[0]), v[3] * (1 - v[1]))
)
side_px = st.integers(1, 5000)


@given(any_box)
def test_a_clipped_box_lies_in_the_frame_and_clipping_again_changes_nothing(box: Box) -> None:
    clipped = box.clipped()
    assert 0 <= clipped.left <= clipped.right <= 1 + 1e-12
    assert 0 <= clipped.top <= clipped.bottom <= 1 + 1e-12
    again = clipped.clipped()
    assert again.left == clipped.left
    assert again.area == pytest.approx(clipped.area)


@given(inner_box, inner_box)
def test_overlap_is_symmetric_and_a_share(one: Box, other: Box) -> None:
    assert overlap_area(one, other) == pytest.approx(overlap_area(other, one))
    assert 0 <= overlap_ratio(one, other) <= 1 + 1e-9
    assert overlap_ratio(one, other) == pytest.approx(overlap_ratio(other, one))
    assert 0 <= share_inside(one, other) <= 1 + 1e-9
    assert same_object(one, other) == same_object(other, one)


def test_boxes_side_by_side_share_nothing_and_empty_ones_divide_by_nothing() -> None:
    assert overlap_area(Box(0, 0, 0.5, 1), Box(0.5, 0, 0.5, 1)) == 0
    empty = Box(0.3, 0.3, 0, 0)
    assert overlap_ratio(empty, empty) == share_inside(empty, Box(0, 0, 1, 1)) == 0


def test_a_tight_box_in_a_loose_one_is_the_same_thing_and_a_head_in_a_body_is_not() -> None:
    loose = Box(0.2, 0.1, 0.4, 0.8)
    assert same_object(loose, Box(0.22, 0.12, 0.3, 0.5))
    assert not same_object(loose, Box(0.3, 0.1, 0.2, 0.2))


@given(st.lists(inner_box, max_size=8))
def test_groups_hold_each_box_once_round_a_founder(boxes: list[Box]) -> None:
    groups = group_same(boxes)
    assert sorted(index for group in groups for index in group) == list(range(len(boxes)))
    for group in groups:
        assert group == sorted(group)
        assert all(same_object(boxes[group[0]], boxes[index]) for index in group[1:])


@given(any_box, side_px, side_px, st.floats(0.0, 1.0), st.sampled_from([1, TRAINING_SIDE_PX]))
def test_a_cut_lies_in_the_frame(box: Box, width: int, height: int, padding: float, least: int) -> None:
    cut = plan_cut(box, width, height, padding=padding, least_side_px=least)
    assert 1 <= cut.side_px <= min(width, height)
    assert 0 <= cut.left_px <= width - cut.side_px
    assert 0 <= cut.top_px <= height - cut.side_px
    if min(width, height) >= least:
        assert cut.side_px >= least


@given(inner_box, st.integers(100, 4000), st.integers(100, 4000), st.floats(0.0, 1.0))
def test_a_cut_is_centred_unless_the_frames_edge_shifts_it(
    box: Box, width: int, height: int, padding: float
) -> None:
    cut = plan_cut(box, width, height, padding=padding)
    for centre, first, frame in (
        ((box.left + box.width / 2) * width, cut.left_px, width),
        ((box.top + box.height / 2) * height, cut.top_px, height),
    ):
        off = abs(first + cut.side_px / 2 - centre)
        assert off <= 0.5 + 1e-6 or first in {0, frame - cut.side_px}


@given(inner_box, st.integers(50, 4000), st.integers(50, 4000))
def test_a_cut_holds_the_box_where_the_frame_is_wide_enough(box: Box, width: int, height: int) -> None:
    cut = plan_cut(box, width, height, padding=0.15)
    wanted = max(box.width * width, box.height * height) * 1.3
    if wanted > min(width, height):
        return
    square = cut.box(width, height)
    slack_x, slack_y = 1 / width, 1 / height
    assert square.left <= box.left + slack_x
    assert square.right >= box.right - slack_x
    assert square.top <= box.top + slack_y
    assert square.bottom >= box.bottom - slack_y


@pytest.mark.parametrize(("width", "height"), [(0, 100), (100, 0)])
def test_a_frame_without_pixels_holds_no_cut(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="holds no cut"):
        plan_cut(Box(0, 0, 1, 1), width, height, padding=0)


@pytest.mark.parametrize(("height", "name"), [(0.5, "close-up"), (0.4, "medium"), (0.2, "full")])
def test_framing_goes_by_the_share_of_the_cuts_height(height: float, name: str) -> None:
    assert framing(Box(0.3, 0.2, 0.1, height), Cut(0, 0, 500), 1000) == name


# ---- detections -----------------------------------------------------------------------------------


def labelled(box: Box, label: str, confidence: float) -> LabelledBox:
    return LabelledBox(box, label, confidence)


def test_labels_of_one_thing_become_one_detection_with_all_votes() -> None:
    rabbit, animal = Box(0.2, 0.2, 0.3, 0.5), Box(0.19, 0.2, 0.32, 0.5)
    person = Box(0.7, 0.1, 0.2, 0.7)
    found = merge_labels(
        [labelled(animal, "Animal", 90), labelled(person, "Person", 99), labelled(rabbit, "Rabbit", 95)]
    )
    assert [[vote.label for vote in one.labels] for one in found] == [["Rabbit", "Animal"], ["Person"]]
    assert found[0].box == rabbit
    assert found[0].confidence == 95


def test_a_label_that_is_given_twice_votes_once_with_its_best() -> None:
    box = Box(0.2, 0.2, 0.3, 0.5)
    (found,) = merge_labels([labelled(box, "Animal", 70), labelled(box, "Animal", 80)])
    assert [(vote.label, vote.confidence) for vote in found.labels] == [("Animal", 80)]


def test_what_is_too_small_or_the_whole_scene_is_left_out() -> None:
    small = Box(0.5, 0.5, MIN_SIDE_SHARE / 2, 0.3)
    outside = Box(-0.4, 0.1, 0.42, 0.5)
    assert (
        merge_labels(
            [labelled(Box(0, 0, 1, 1), "Scene", 99), labelled(small, "Fly", 99), labelled(outside, "X", 9)]
        )
        == ()
    )
    assert MAX_AREA_SHARE < 1


@given(
    st.lists(st.tuples(any_box, st.sampled_from("ABC"), st.floats(0, 100)), max_size=6),
    st.randoms(use_true_random=False),
)
def test_detections_do_not_depend_on_the_order_of_the_answer(
    boxes: list[tuple[Box, str, float]], rng: object
) -> None:
    answer = [labelled(*one) for one in boxes]
    shuffled = list(answer)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    found = merge_labels(answer)
    assert merge_labels(shuffled) == found
    for one in found:
        assert one.left >= 0
        assert one.left + one.width <= 1 + 2e-5
        assert math.isclose(one.confidence, one.labels[0].confidence)
