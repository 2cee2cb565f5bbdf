"""Cuts: where one shot ends and the next begins at once. Fades, dissolves, flashes and fast motion are none.

Whether a frame begins a shot depends on the frames in a window round it and on nothing else: so it is the same
wherever decoding began.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from storycast.video.measures import change, moved_light
from storycast.video.seen import Seen

CHANGE = 12.0
"""Change of cells (0..255, luma and both kinds of chroma added) from which a cut is possible."""
CONTRAST = 2.5
"""A cut changes this many times more than is usual round it: motion, fades and dissolves do not."""
CONTRAST_IN_MOTION = 2.0
PERHAPS_CONTRAST = 1.8
"""Where frames were passed over, a change like this, or a larger one, is looked at again, frame by frame."""
CONTRAST_IN_STEPS = 2.0
"""A cut then changes so many times more than what lay beside it."""
LIGHT_CONTRAST = 3.0
"""Into or out of a shot that moves fast a cut changes less, relatively, but then also what light there is."""
USUAL_FRAMES, USUAL_MS = 8, 400.0
"""The window on each side in which the second largest change is the usual one: the largest may be another cut, and
of a drawing that is held on threes at least two changes are in it."""
FLASH_FRAMES, FLASH_MS = 6, 260.0
"""A flash is over within this: some frame before it looks like one after it."""
ALIKE = 0.6
ALIKE_IN_MOTION = 0.9
LIGHT_ALIKE = 0.3
"""Frames are alike if they differ by less than this share of what the cut does: by cells, or, where things moved
meanwhile, also by their light."""
APART_FRAMES, APART_MS = 5, 200.0
"""Of several cuts within this the one that changes most is the cut."""
LONGEST_GAP_MS = 550.0
"""Where frames are far apart, the next ones count for a flash up to this distance."""
CONTEXT_MS = APART_MS + max(USUAL_MS, FLASH_MS, LONGEST_GAP_MS)
"""What is decided of a frame rests on frames at most this far before it, and on the one before those."""

type LookAgain = Callable[[Seen, Seen], Sequence[Seen]]


def mark_cuts(frames: Iterable[Seen], look_again: LookAgain) -> Iterator[Seen]:
    """Set ``cut_ms`` of the frames that begin a shot, and yield all frames in order, somewhat later.

    Args:
        frames: Decoded frames in order.
        look_again: Gives all frames after one and up to another, where some between were passed over.
    """
    window: list[Seen] = []
    likely: list[bool] = []
    judged = given = 0
    for frame in frames:
        window.append(frame)
        likely.append(False)
        while judged < len(window) and _reaches(window, judged, USUAL_FRAMES, USUAL_MS):
            likely[judged] = _is_likely(window, judged, look_again)
            judged += 1
        while given < judged and _reaches(window[:judged], given, APART_FRAMES, APART_MS):
            _settle(window, likely, given)
            yield window[given]
            given += 1
        past = max(given - USUAL_FRAMES - APART_FRAMES - 1, 0)
        del window[:past], likely[:past]
        judged, given = judged - past, given - past
    for place in range(judged, len(window)):
        likely[place] = _is_likely(window, place, look_again)
    for place in range(given, len(window)):
        _settle(window, likely, place)
        yield window[place]


def _reaches(window: Sequence[Seen], place: int, frames: int, time_ms: float) -> bool:
    """Return whether all frames after ``place`` that matter are in the window."""
    return len(window) - 1 - place >= frames or window[-1].time_ms - window[place].time_ms >= time_ms


def _is_likely(window: Sequence[Seen], place: int, look_again: LookAgain) -> bool:
    frame = window[place]
    if not frame.gap_ms or frame.change < CHANGE:
        return False
    around = _around(window, place)
    usual = max(_usual(window, places, frame, lambda number: window[number].change) for places in around)
    stands_out = frame.change >= CONTRAST * usual
    if not stands_out and frame.change >= CONTRAST_IN_MOTION * usual:
        light = max(_usual(window, places, frame, lambda number: _light(window, number)) for places in around)
        stands_out = _light(window, place) >= LIGHT_CONTRAST * light
    if not stands_out and frame.change < PERHAPS_CONTRAST * usual:
        return False
    if frame.steps is None:
        frame.steps = look_again(window[place - 1], frame)
    if len(frame.steps) > 1:
        # A pose that is struck in three frames looks like a cut where two of them were passed over.
        largest, second, *_ = sorted((one.change for one in frame.steps), reverse=True)
        stands_out = largest >= max(CHANGE, CONTRAST_IN_STEPS * second)
    return stands_out and not _is_flash(window, place)


def _around(window: Sequence[Seen], place: int) -> tuple[list[int], list[int]]:
    """Return the places before and after a frame that tell what is usual round it."""
    time_ms = window[place].time_ms
    before = range(max(place - USUAL_FRAMES, 0), place)
    after = range(place + 1, min(place + 1 + USUAL_FRAMES, len(window)))
    return (
        [number for number in before if time_ms - window[number].time_ms < USUAL_MS],
        [number for number in after if window[number].time_ms - time_ms < USUAL_MS],
    )


def _usual(window: Sequence[Seen], places: Sequence[int], frame: Seen, measure: Callable[[int], float]) -> float:
    """Return the second largest measure among places; those with a shorter gap count for more."""
    gaps = {number: window[number].gap_ms for number in places}
    values = sorted(
        (measure(number) * max(frame.gap_ms / gap, 1.0) ** 0.5 for number, gap in gaps.items() if gap),
        reverse=True,
    )
    return values[min(1, len(values) - 1)] if values else 0.0


def _light(window: Sequence[Seen], place: int) -> float:
    return moved_light(window[place - 1].cells, window[place].cells)


def _is_flash(window: Sequence[Seen], place: int) -> bool:
    frame = window[place]
    before = window[max(place - FLASH_FRAMES, 0) : place]
    after = window[place : place + FLASH_FRAMES]
    near_before = [
        one
        for number, one in enumerate(reversed(before))
        if number == 0 or frame.time_ms - one.time_ms <= (FLASH_MS if number > 1 else LONGEST_GAP_MS)
    ]
    near_after = [
        one
        for number, one in enumerate(after)
        if number == 0 or one.time_ms - frame.time_ms <= (FLASH_MS if number > 1 else LONGEST_GAP_MS)
    ]
    pairs = [(one.cells, other.cells) for one in near_before for other in near_after]
    cells = min(change(one, other) for one, other in pairs) / frame.change
    if cells < ALIKE or cells >= ALIKE_IN_MOTION:
        return cells < ALIKE
    return min(moved_light(one, other) for one, other in pairs) < LIGHT_ALIKE * _light(window, place)


def _settle(window: Sequence[Seen], likely: Sequence[bool], place: int) -> None:
    frame = window[place]
    if not likely[place]:
        return
    for other in range(max(place - APART_FRAMES, 0), min(place + APART_FRAMES + 1, len(window))):
        rival = window[other]
        if other == place or not likely[other] or abs(rival.time_ms - frame.time_ms) >= APART_MS:
            continue
        if (rival.change, -rival.time_ms) > (frame.change, -frame.time_ms):
            return
    frame.cut_ms = max(frame.steps, key=lambda one: one.change).time_ms if frame.steps else frame.time_ms
