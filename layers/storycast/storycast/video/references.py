"""Frames to which no other frame refers: they need not be decoded to judge what is around them."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from av.packet import Packet
from av.video.stream import VideoStream

GAP_MS = 130
"""A frame is passed over only where those decoded before and after it are no farther apart: two frames at 24 or
25 a second. So every sampling interval keeps its frames, and no encoder's habits change what a cut looks like."""
LEAST_INTERVAL_MS = 2.5 * GAP_MS
"""Where a frame is wanted more often than this, all are decoded."""
REMEMBERED = 32
"""Times of decoded frames that are kept in mind; H.264 and HEVC reorder at most 16 frames."""


class Skimmer:
    """Decides packet by packet, in the order of the file, what need not be decoded.

    The decision rests on the packet itself and on the reference frames round it, never on where decoding began.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._codec = codec
        self._length_bytes = _length_bytes(codec, extradata or b"")
        self._times_ms: list[float] = []

    def passes_over(self, packet: "Packet[VideoStream]", time_ms: float) -> bool:
        """Return whether a packet's frame, which is shown at a time, may stay undecoded."""
        place = bisect_left(self._times_ms, time_ms)
        framed = 0 < place < len(self._times_ms)
        if (
            framed
            and self._times_ms[place] - self._times_ms[place - 1] <= GAP_MS
            and self._is_disposable(memoryview(packet))
        ):
            return True
        insort(self._times_ms, time_ms)
        del self._times_ms[:-REMEMBERED]
        return False

    def _is_disposable(self, content: memoryview) -> bool:
        # Two fields may share a packet, of which the second refers to the first: all units have to be disposable.
        found = False
        for header in self._units(content):
            if self._codec == "h264":
                kind, disposable = header & 0x1F, not header & 0x60
                picture = 1 <= kind <= 5
            else:
                kind = header >> 1 & 0x3F
                picture, disposable = kind < 32, kind < 16 and kind % 2 == 0
            if picture and not disposable:
                return False
            found = found or picture
        return found

    def _units(self, content: memoryview) -> Iterator[int]:
        """Yield the first byte of each unit of the network abstraction layer."""
        at, size = 0, self._length_bytes
        if size == 0:
            data = bytes(content)
            at = data.find(b"\0\0\1")
            while 0 <= at < len(data) - 3:
                yield data[at + 3]
                at = data.find(b"\0\0\1", at + 3)
            return
        while at + size < len(content):
            yield content[at + size]
            at += size + int.from_bytes(content[at : at + size], "big")


def can_skim(codec: str, extradata: bytes | None, pick: str, interval_ms: float) -> bool:
    """Return whether frames may be passed over: where each interval's first frame is asked for, none may.

    In HEVC a frame is marked as referred to by none of its own temporal layer; a stream of several, or one that
    doesn't say how many it has, is decoded whole.
    """
    if pick != "sharpest" or interval_ms < LEAST_INTERVAL_MS:
        return False
    layers = extradata[21] >> 3 & 7 if extradata and len(extradata) > 21 and extradata[0] == 1 else 0
    return codec == "h264" or (codec == "hevc" and layers == 1)


def _length_bytes(codec: str, extradata: bytes) -> int:
    """Return how many bytes tell a unit's length (ISO/IEC 14496-15), 0 where start codes part them (Annex B)."""
    at = 4 if codec == "h264" else 21
    return (extradata[at] & 3) + 1 if len(extradata) > at and extradata[0] == 1 else 0
