"""One pass over a stretch of a film: what is decoded, what is passed over, and what lay between two frames."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import av.container
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from storycast.video.bars import Bars
from storycast.video.decoding import frame_duration_ms, origin_ms
from storycast.video.reading import Damage, frames_from, usual_rate
from storycast.video.references import Skimmer
from storycast.video.seen import Seen, see

REMEMBERED_BYTES = 48 * 1024 * 1024
"""Of coded data are kept in mind to look again between two frames: more than a long group of pictures has."""
REMEMBERED_MS = 2000.0
"""Cuts are told from what follows: so long after a keyframe the one before it is still needed."""


@dataclass(slots=True)
class _Remembered:
    packet: "Packet[VideoStream]"
    time_ms: float
    passed_over: bool


class Pass:
    """Decodes a stream from a time on and measures each frame; frames nobody refers to may be passed over."""

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: VideoStream,
        *,
        start_ms: float,
        skim: bool,
        bars: Bars,
    ) -> None:
        self.damage = Damage()
        self.ends_ms: float | None = None
        self.passed_over = 0
        self._container = container
        self._stream = stream
        self._start_ms = start_ms
        self._skim = skim
        self._bars = bars
        self._origin_ms = origin_ms(stream)
        self._base_ms = float(stream.time_base) * 1000 if stream.time_base else None
        self._begin_anew()

    def frames(self) -> Iterator[Seen]:
        """Yield the measured frames in order, the first from before ``start_ms`` unless the film begins there."""
        passes_over = self._passes_over if self._skim else _never
        before: Seen | None = None
        latest: tuple[VideoFrame, int] | None = None
        for timed in frames_from(self._container, self._stream, self._start_ms, self.damage, passes_over):
            # Of what lies between the keyframe and the start only the last frame is looked at, to compare with.
            if latest is not None and (before is not None or timed[1] >= self._start_ms):
                before = see(latest[0], latest[1], before, self._bars)
                yield before
            latest = timed
            self.ends_ms = timed[1] + (frame_duration_ms(timed[0]) or 1000 / usual_rate(self._stream))
        if latest is not None:
            yield see(latest[0], latest[1], before, self._bars)

    def look_again(self, before: Seen, after: Seen) -> list[Seen]:
        """Return all frames from the one after ``before`` on up to ``after``; none where none was passed over.

        They are decoded now, from the last keyframe on; their pictures are not kept.
        """
        coded = list(self._coded)
        if not any(one.passed_over and before.time_ms < one.time_ms < after.time_ms - 0.5 for one in coded):
            return []
        keyframes = [
            n for n, one in enumerate(coded) if one.packet.is_keyframe and one.time_ms < before.time_ms + 1
        ]
        if not keyframes:
            return []
        steps: list[Seen] = []
        for frame in self._again(coded[keyframes[-1] :], before.time_ms, after.time_ms):
            # The last frames come without a time base: theirs is the stream's.
            time_ms = round((frame.pts or 0) * (self._base_ms or 0.0)) - self._origin_ms
            latest = steps[-1] if steps else before
            if latest.time_ms < time_ms <= after.time_ms:
                steps.append(see(frame, time_ms, latest, self._bars))
                steps[-1].let_go()
            if time_ms >= after.time_ms:
                break
        return steps

    def _begin_anew(self) -> None:
        context = self._stream.codec_context
        self._skimmer = Skimmer(context.codec.canonical_name, context.extradata)
        self._coded: deque[_Remembered] = deque()
        self._coded_bytes = 0
        self._keyframes_ms: deque[float] = deque([-math.inf])

    def _passes_over(self, packet: "Packet[VideoStream]") -> bool:
        if packet.pts is None or self._base_ms is None:
            return False
        time_ms = packet.pts * self._base_ms - self._origin_ms
        if packet.is_keyframe and time_ms <= self._keyframes_ms[-1]:
            # The file is read again from an earlier place.
            self._begin_anew()
        passed_over = self._skimmer.passes_over(packet, time_ms)
        self.passed_over += passed_over
        self._remember(_Remembered(packet, time_ms, passed_over))
        return passed_over

    def _remember(self, one: _Remembered) -> None:
        self._coded.append(one)
        self._coded_bytes += one.packet.size
        if one.packet.is_keyframe:
            self._keyframes_ms.append(one.time_ms)
            while len(self._keyframes_ms) > 1 and self._keyframes_ms[1] < one.time_ms - REMEMBERED_MS:
                self._keyframes_ms.popleft()
        while (
            self._coded_bytes > REMEMBERED_BYTES or self._coded[0].time_ms < self._keyframes_ms[0] - REMEMBERED_MS
        ):
            self._coded_bytes -= self._coded.popleft().packet.size

    def _again(self, coded: list[_Remembered], after_ms: float, until_ms: float) -> Iterator[VideoFrame]:
        own = self._stream.codec_context
        context = cast("VideoCodecContext", CodecContext.create(own.name, "r"))
        context.extradata = own.extradata
        last = max(number for number, one in enumerate(coded) if one.time_ms < until_ms + 1)
        for one in coded[: last + 1]:
            if not one.passed_over or after_ms < one.time_ms < until_ms:
                yield from context.decode(one.packet)
        yield from context.decode(None)


def _never(_packet: "Packet[VideoStream]") -> bool:
    return False
