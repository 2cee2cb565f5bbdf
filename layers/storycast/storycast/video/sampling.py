"""One decode pass over a segment: finds cuts and chooses a frame of every sampling interval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Protocol

from storycast.video import cuts, intervals
from storycast.video.bars import NO_BARS, Bars
from storycast.video.cuts import mark_cuts
from storycast.video.decoding import duration_ms
from storycast.video.display import pixel_aspect_of
from storycast.video.intervals import ROUNDING_MS, Candidate, Choice, Interval, Pick, interval_at, look_around
from storycast.video.opening import opened
from storycast.video.passes import Pass
from storycast.video.reading import Damage, usual_rate
from storycast.video.references import can_skim
from storycast.video.sampled import Encoder, SampledFrame

LEAD_MS = cuts.CONTEXT_MS + intervals.CONTEXT_MS
"""Decoding begins this much before a segment: what is decided of its first frame rests on frames so far before."""
BROKEN_OFF_MS = 1500
"""A file that ends this much before its header's duration is broken off; streams of one file rarely end at
the same instant."""


class Plan(Protocol):
    """What sampling needs to know of a segment."""

    @property
    def start_ms(self) -> int:
        """Its first millisecond."""

    @property
    def end_ms(self) -> int:
        """The first millisecond after it."""

    @property
    def interval_ms(self) -> float:
        """Length of a sampling interval."""

    @property
    def pick(self) -> Pick:
        """Which frame of an interval is kept."""


@dataclass(slots=True)
class Sample:
    """What one pass over a segment gave. Filled while the frames are consumed."""

    cuts_ms: list[int] = field(default_factory=list)
    complete: bool = True
    note: str = ""
    ends_ms: float = 0.0
    """When the last frame that was decoded ends."""
    passed_over: int = 0
    """Frames that were not decoded, since no other refers to them."""
    damage: Damage = field(default_factory=Damage)
    """What could not be decoded."""


def sample(
    file: IO[bytes], name: str, plan: Plan, sample: Sample, *, bars: Bars = NO_BARS, skim: bool = True
) -> Iterator[SampledFrame]:
    """Decode a segment once and yield one frame per sampling interval, in order of time.

    Interval ``k`` is the time from ``k * interval_ms`` to before ``(k + 1) * interval_ms`` of the footage.
    ``fixed`` picks its first frame, ``sharpest`` the sharpest one round which little moves, away from cuts.
    Times are presentation timestamps.

    Args:
        file: A seekable binary file.
        name: What to call it in messages.
        plan: The segment.
        sample: Filled with cuts (milliseconds of the first frame after each) and with whether the data went
            on to the segment's end.
        bars: Letterbox bars that no picture shall have.
        skim: Whether frames that no other frame refers to may stay undecoded, where that is safe.

    Yields:
        One frame per interval: also where no new frame begins in it (``held``), or, after the end of broken
        data, where nothing decodes (``unreadable``).

    Raises:
        FootageUnreadableError: Nothing can be decoded at all.
    """
    with Encoder(bars) as encoder:
        for choice in _choices(_candidates(file, name, plan, sample, encoder, skim=skim), plan, sample):
            yield from encoder.put(choice)
        yield from encoder.rest()


def _choices(candidates: Iterator[Candidate], plan: Plan, sample: Sample) -> Iterator[Choice]:
    last = math.ceil((plan.end_ms - ROUNDING_MS) / plan.interval_ms - 1e-9)
    interval: Interval | None = None
    due = first = interval_at(plan.start_ms, plan.interval_ms)
    for candidate in candidates:
        number = interval_at(max(candidate.seen.time_ms, 0.0), plan.interval_ms)
        if number < first:
            candidate.seen.let_go()
            continue
        if interval is not None and number > interval.number:
            yield interval.choose()
            due, interval = interval.number + 1, None
        if number >= last:
            break
        if interval is None:
            yield from _held(due, number, plan, sample)
            interval = Interval(number, plan.pick)
        interval.add(candidate)
    if interval is not None:
        yield interval.choose()
        due = interval.number + 1
    ended = min(max(interval_at(sample.ends_ms, plan.interval_ms), due), last)
    if sample.complete:
        yield from _held(due, ended, plan, sample)
        due = ended
    why = sample.note or f"the pictures end before it, at {sample.ends_ms / 1000:.1f} s"
    for missing in range(due, last):
        yield Choice(round(missing * plan.interval_ms), "unreadable", why)


def _held(due: int, number: int, plan: Plan, sample: Sample) -> Iterator[Choice]:
    """Yield the intervals in which no new frame begins: the one before is shown on, or they can't be decoded."""
    for missing in range(due, number):
        time_ms = round(missing * plan.interval_ms)
        if sample.damage.covers(time_ms, time_ms + plan.interval_ms):
            yield Choice(time_ms, "unreadable", "the file is damaged there")
        else:
            yield Choice(time_ms, "held", "no new frame begins in it: the one before is still shown")


def _candidates(
    file: IO[bytes], name: str, plan: Plan, sample: Sample, encoder: Encoder, *, skim: bool
) -> Iterator[Candidate]:
    """Yield the frames from just before the segment on, and take note of its cuts and of what can't be decoded."""
    with opened(file, name) as (container, stream):
        encoder.pixel_aspect = pixel_aspect_of(stream)
        context = stream.codec_context
        safe = skim and can_skim(context.codec.canonical_name, context.extradata, plan.pick, plan.interval_ms)
        watched = Pass(container, stream, start_ms=plan.start_ms - LEAD_MS, skim=safe, bars=encoder.bars)
        sample.damage = watched.damage
        for candidate in look_around(mark_cuts(watched.frames(), watched.look_again), 1000 / usual_rate(stream)):
            cut_ms = candidate.seen.cut_ms
            if cut_ms is not None and plan.start_ms <= round(cut_ms) < plan.end_ms:
                sample.cuts_ms.append(round(cut_ms))
            sample.passed_over = watched.passed_over
            yield candidate
        _take_note(sample, watched, name, plan, duration_ms(container, stream))


def _take_note(sample: Sample, watched: Pass, name: str, plan: Plan, says_ms: int) -> None:
    damage, ends_ms = watched.damage, watched.ends_ms
    sample.ends_ms = ends_ms or 0.0
    notes = [damage.words(name)] if damage.words(name) else []
    if not damage.ended and (ends_ms or 0) + BROKEN_OFF_MS < min(says_ms, plan.end_ms):
        where = "before this segment" if ends_ms is None else f"at {ends_ms / 1000:.1f} s"
        notes.append(f"the data of {name} ends {where}, its header says {says_ms / 1000:.1f} s")
    sample.complete = not notes
    sample.note = "; ".join(notes)
