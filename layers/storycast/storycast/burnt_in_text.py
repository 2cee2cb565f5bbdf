"""Burnt-in text: titles, credits and subtitles that are part of the picture. Needs NumPy.

A picture with letters in it teaches a trainer letters. Text is told from grass, hair and fences by what makes it
legible: thin strokes of one brightness, in a row that has a top, a bottom and a margin, many strokes to its
height, and a strong contrast. ``python -m benchmarks.burnt_in_text`` measures how well.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storycast.boxes import Box, share_inside

STROKE_PX = 7
"""A stroke is thinner than this; the plane is halved until large letters have such strokes, too."""
GAP_PX = 7
"""What lies between letters and words of a row is bridged up to this."""
LETTER_PX = (4, 15)
"""Height of a row of text on the plane that it is found on."""
LEAST_PLANE_PX = 80
"""On smaller planes whole things are as thin as strokes."""
LEAST_LENGTH = 2.0
"""Of a row, in heights."""
MARGIN_SHARE = 0.05
"""Of a row's margins that strokes may cover: grass and fences go on above and below."""
MOST_FILL_SHARE = 0.8
"""Of a row that strokes cover."""
STROKES_PER_HEIGHT = 1.2
"""Strokes that a line through the row meets, on a length of the row's height: a letter has one to three."""
MOST_UPRIGHT_SHARE = 0.8
"""Of the strokes in a row that go all through it: a fence has nothing else."""
UNEVEN_SHARE = 0.3
"""Of its height by which a row's top and bottom are uneven; in the mean over the row."""
SHADE_SHARE = 0.33
"""Deviation of the strokes' brightness, as a share of their contrast: letters are of one colour."""
HELD_SHARE = 0.7
"""A row is found already where this share of its box lies in another one."""

Plane = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Rows = list[tuple[int, int, int, int]]
"""Top, bottom, left and right of each."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How the steps are done that take most of the time."""

    opened: Callable[[Plane, int], Plane]
    """Returns the plane without what is bright and thinner than so many pixels."""
    joined_rows: Callable[[Mask, int], Rows]
    """Returns the boxes of strokes that touch, or have no more than twice so many pixels between them."""
    halved: Callable[[Plane], Plane]
    """Returns the plane of half the size: rounded means of 2 x 2."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What text looks like, and what it takes for a row of such strokes to be text."""

    least_level: int
    """Luma of a stroke, 0..255."""
    stroke_contrast: int
    """Luma by which a stroke stands out from what is round it."""
    row_contrast: float
    """The same of a row's better strokes."""
    strokes: float
    """That a line through the row meets."""
    fill_share: float


KINDS = (
    _Kind(least_level=0, stroke_contrast=28, row_contrast=45, strokes=8, fill_share=0.28),
    _Kind(least_level=190, stroke_contrast=56, row_contrast=70, strokes=6, fill_share=0.12),
)
"""Text on a quiet ground, and white or black text on any, where what is of the first kind runs together."""


def find_text(luma: Plane, ways: Ways | None = None) -> tuple[Box, ...]:
    """Find rows of burnt-in text in a frame.

    Rows are found from 4 px on, up to a sixth of the frame's height.

    Args:
        luma: The frame's luma, shape (height, width), 0..255; some 320 px wide at least, 640 for small letters.
        ways: Faster ones than NumPy's, which give the same.

    Returns:
        Boxes of the rows in shares of the frame, from the upper left; none where there is no text.
    """
    ways = ways or Ways(_opened, _joined_rows, _halved)
    boxes = []
    plane = luma
    while min(plane.shape) >= LEAST_PLANE_PX:
        height, width = plane.shape
        for polarity in (plane, 255 - plane):
            for top, bottom, left, right in _rows_of_text(polarity, ways):
                boxes.append(Box(left / width, top / height, (right - left) / width, (bottom - top) / height))
        plane = ways.halved(plane)
    return tuple(sorted(_outermost(boxes), key=lambda box: (box.top, box.left)))


def _outermost(boxes: Sequence[Box]) -> list[Box]:
    """Return the boxes without those that a larger one holds: most rows are found on two planes."""
    kept: list[Box] = []
    for box in sorted(set(boxes), key=lambda box: (-box.area, box)):
        if all(share_inside(box, larger) < HELD_SHARE for larger in kept):
            kept.append(box)
    return kept


def _rows_of_text(plane: Plane, ways: Ways) -> Iterator[tuple[int, int, int, int]]:
    """Yield top, bottom, left and right of each row of bright letters."""
    raised = plane - ways.opened(plane, STROKE_PX)
    for kind in KINDS:
        strokes = (raised >= kind.stroke_contrast) & (plane >= kind.least_level)
        begun = strokes.copy()
        np.greater(strokes[:, 1:], strokes[:, :-1], out=begun[:, 1:])
        for first, last in _crowded(begun, kind.strokes):
            for top, bottom, left, right in ways.joined_rows(strokes[first:last], GAP_PX // 2):
                height, width = bottom - top, right - left
                if not LETTER_PX[0] <= height <= LETTER_PX[1] or width < LEAST_LENGTH * height:
                    continue
                row = top + first, bottom + first, left, right
                if _is_text(kind, row, plane, raised, strokes, begun):
                    yield row


def _crowded(begun: Mask, strokes: float) -> list[tuple[int, int]]:
    """Return first and last line (exclusive) of each band that a row of text can lie in.

    A row of text has a line in its middle in which enough strokes begin, and is no higher than
    :data:`LETTER_PX`: whatever reaches out of its band is no row of text. So nothing is missed by looking at the
    bands alone, which is half of the work.
    """
    lines = np.flatnonzero(np.bitwise_count(np.packbits(begun, axis=1)).sum(axis=1) >= strokes)
    if not lines.size:
        return []
    reach = LETTER_PX[1]
    parts = np.flatnonzero(np.diff(lines) > 2 * reach)
    firsts = lines[np.concatenate([[0], parts + 1])] - reach
    lasts = lines[np.concatenate([parts, [-1]])] + reach + 1
    return [(max(first, 0), last) for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]


def _is_text(
    kind: _Kind, row: tuple[int, int, int, int], plane: Plane, raised: Plane, strokes: Mask, begun: Mask
) -> bool:
    """Tell whether a row of strokes is text; what rejects most rows is looked at first."""
    top, bottom, left, right = row
    height, width = bottom - top, right - left
    # Counted, since NumPy's mean of some hundred pixels takes ten times as long.
    upper, lower = top + round(height * 0.2), top + max(round(height * 0.8), round(height * 0.2) + 1)
    met = np.count_nonzero(begun[upper:lower, left + 1 : right]) + np.count_nonzero(strokes[upper:lower, left])
    if met / (lower - upper) < max(kind.strokes, STROKES_PER_HEIGHT * width / height):
        return False
    here = slice(top, bottom), slice(left, right)
    margin = max(height // 3, 2)
    margins = strokes[max(top - margin, 0) : top, here[1]], strokes[bottom : bottom + margin, here[1]]
    inked = sum(np.count_nonzero(one) for one in margins)
    if inked > MARGIN_SHARE * sum(one.size for one in margins):
        return False
    middle = strokes[upper:lower, here[1]]
    plane, raised, strokes = plane[here], raised[here], strokes[here]
    if not kind.fill_share <= np.count_nonzero(strokes) / strokes.size <= MOST_FILL_SHARE:
        return False
    if middle[:, middle.all(axis=0)].sum() > MOST_UPRIGHT_SHARE * middle.sum():
        return False
    contrasts = np.sort(raised[strokes])
    contrast, best = _quantile(contrasts, 0.75), _quantile(contrasts, 0.9)
    cores = plane[strokes & (raised >= 0.6 * best)]
    if contrast < kind.row_contrast or cores.std() > SHADE_SHARE * contrast:
        return False
    return _unevenness(strokes) <= UNEVEN_SHARE and _unevenness(strokes[::-1]) <= UNEVEN_SHARE


def _quantile(values: Plane, share: float) -> float:
    """Return a quantile of sorted values; NumPy's takes ten times as long for some hundred."""
    place = (len(values) - 1) * share
    before = int(place)
    low, high = float(values[before]), float(values[min(before + 1, len(values) - 1)])
    return low + (high - low) * (place - before)


def _unevenness(strokes: Mask) -> float:
    """Return how far below the row's top strokes begin, in the mean over pieces as long as the row is high."""
    height, width = strokes.shape
    pieces = width // height
    piece = strokes[:, : pieces * height].reshape(height, pieces, height).any(axis=2)
    begins = piece[:, piece.any(axis=0)].argmax(axis=0)
    return float(begins.mean()) / height if begins.size else 1.0


def _joined_rows(strokes: Mask, reach: int) -> Rows:
    """Return the boxes of strokes that touch, or have no more than ``2 * reach`` between them in their line."""
    bridged = np.pad(strokes, ((0, 0), (2 * reach, 2 * reach))).view(np.uint8)
    bridged = _running(bridged, 2 * reach + 1, 1, np.maximum)
    bridged = _running(bridged, 2 * reach + 1, 1, np.minimum)
    return _components(bridged.view(np.bool_))


def _components(mask: Mask) -> Rows:
    """Return the boxes (top, bottom, left, right) of 8-connected components, by joining runs of the rows."""
    edges = np.diff(np.pad(mask.view(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, lefts = np.nonzero(edges == 1)
    rights = np.nonzero(edges == -1)[1]
    first = np.searchsorted(rows, np.arange(mask.shape[0] + 1)).tolist()
    left, right = lefts.tolist(), rights.tolist()
    parent = list(range(len(left)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    for row in range(1, mask.shape[0]):
        above, here = first[row - 1], first[row]
        while above < first[row] and here < first[row + 1]:
            if left[above] <= right[here] and left[here] <= right[above]:
                one, other = root(above), root(here)
                parent[max(one, other)] = min(one, other)
            if right[above] < right[here]:
                above += 1
            else:
                here += 1
    boxes: dict[int, tuple[int, int, int, int]] = {}
    for run, row in enumerate(rows.tolist()):
        top, _, least, most = boxes.get(root(run), (row, row, left[run], right[run]))
        boxes[root(run)] = top, row + 1, min(least, left[run]), max(most, right[run])
    return list(boxes.values())


def _opened(plane: Plane, size: int) -> Plane:
    """Return the plane without what is bright and thinner than ``size``."""
    opened = plane
    for extreme in (np.minimum, np.maximum):
        for axis in (0, 1):
            reach = [(0, 0), (0, 0)]
            reach[axis] = (size // 2, size // 2)
            opened = _running(np.pad(opened, reach, mode="edge"), size, axis, extreme)
    return opened


def _running(plane: Plane, size: int, axis: int, extreme: Callable[[Plane, Plane], Plane]) -> Plane:
    """Return the least or greatest of each ``size`` values along an axis, which gets ``size - 1`` shorter."""

    def step(values: Plane, by: int) -> Plane:
        if axis == 0:
            return extreme(values[:-by], values[by:])
        return extreme(values[:, :-by], values[:, by:])

    span = 1
    while 2 * span <= size:
        plane, span = step(plane, span), 2 * span
    return step(plane, size - span) if size > span else plane


def _halved(plane: Plane) -> Plane:
    rows = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2].astype(np.uint16)
    rows = rows[::2] + rows[1::2]
    return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)
