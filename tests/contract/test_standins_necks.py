"""Two figures that touch are one region of a saliency map: they are parted at their neck, and nothing else is."""

import cv2
import numpy as np
import pytest

from local.standins.necks import parted_boxes
from local.standins.saliency import salient_boxes

SIDE = 256


def drawn(*discs: tuple[int, int, int], bar: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """A map of discs (x, y, radius), which a bar from corner to corner may join."""
    saliency = np.zeros((SIDE, SIDE), np.float32)
    for x, y, radius in discs:
        cv2.circle(saliency, (x, y), radius, 0.9, -1)
    if bar:
        cv2.rectangle(saliency, bar[:2], bar[2:], 0.9, -1)
    return saliency


def edges(box):
    return box.left, box.top, box.right, box.bottom


def test_two_bodies_with_a_neck_are_parted_and_each_box_lies_on_its_body():
    saliency = drawn((70, 128, 40), (180, 128, 40), bar=(70, 122, 180, 134))
    (whole,) = salient_boxes(saliency)
    left, right = sorted(parted_boxes(saliency), key=lambda box: box.left)
    assert edges(whole) == pytest.approx((30 / SIDE, 88 / SIDE, 221 / SIDE, 169 / SIDE), abs=0.01)
    assert edges(left) == pytest.approx((30 / SIDE, 88 / SIDE, 125 / SIDE, 169 / SIDE), abs=0.02)
    assert edges(right) == pytest.approx((125 / SIDE, 88 / SIDE, 221 / SIDE, 169 / SIDE), abs=0.02)
    assert left.score == pytest.approx(0.9, abs=0.001)


def test_three_in_a_row_are_three():
    saliency = drawn((50, 128, 30), (125, 128, 30), (200, 128, 30), bar=(50, 123, 200, 133))
    assert len(parted_boxes(saliency)) == 3


@pytest.mark.parametrize(
    ("what", "saliency"),
    [
        ("nothing", drawn()),
        ("one body", drawn((128, 128, 60))),
        ("two that do not touch are two regions already", drawn((60, 128, 40), (190, 128, 40))),
        ("a wide neck is none", drawn((90, 128, 45), (160, 128, 45))),
        ("ears are no bodies", drawn((128, 140, 60), (85, 70, 16), (171, 70, 16))),
        ("a speck", drawn((20, 20, 5), (32, 20, 5))),
    ],
)
def test_what_has_no_neck_is_left_whole(what, saliency):
    assert parted_boxes(saliency) == [], what
