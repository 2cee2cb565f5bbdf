"""Reading: the sound frames of a stream and their times, from any moment on, past what is damaged."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import av
import av.container
import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from storycast.video.decoding import frame_duration_ms, origin_ms, reason

LEADS_MS = (0, 3_000, 12_000, 48_000)
"""How much before a moment one seeks. The longer ones serve where a seek ends between keyframes (MPEG-TS), or past
an open group of pictures; if all are too short, decoding begins at the film's beginning."""
ENTERED_ONLY_AT_THE_BEGINNING = frozenset(
    {"h264", "hevc", "vvc", "obu", "mpegvideo", "m4v", "h263", "vc1", "dirac", "mjpeg"}
    | {"gif", "apng", "webp_anim", "jpegxl_anim"}
)
"""Formats without timestamps, or whose pictures need all those before them."""
TIMED_BY_FEW = frozenset({"mpeg", "avi"})
"""Formats in which many frames have no timestamp of their own: the first ones after a jump may get wrong ones."""
MOST_ERRORS = 1500
"""Packets one after another that can't be decoded: a minute's. More is no damage, but a film of another kind."""
MOST_THREADS = 16
"""On so many at most does ffmpeg decode by itself."""
MOST_UNREFRESHED = 300
"""After damage, frames up to the next keyframe may be smeared, and are left out; so many at most, since some
encoders refresh a film without a keyframe."""
WITHOUT_NUMBERS = frozenset({"mpegts", "mpeg"})
"""Formats in which a packet may be lost without a trace: only the rhythm of a film that has one tells."""
STEADY_FRAMES, STEADY_MS, GAP_MS = 24, 92.0, 200.0
"""After so many frames at most so far apart, a gap of this length is a loss. Frames that are passed over leave
shorter ones."""
BACK_MS = 1000
"""Times that go back by more than this begin anew: two recordings in one file."""

type PassesOver = Callable[[Packet[VideoStream]], bool]


@dataclass(slots=True)
class Damage:
    """What of a stream could not be decoded; times in milliseconds from the film's beginning."""

    stretches_ms: list[tuple[int, int]] = field(default_factory=list)
    """From the end of the last sound frame before to the next one, each."""
    ended: str = ""
    """Why nothing further could be read; empty where the data went on to its end."""
    is_encrypted: bool = False

    @property
    def lost_ms(self) -> int:
        """All stretches together."""
        return sum(end - start for start, end in self.stretches_ms)

    def covers(self, start_ms: float, end_ms: float) -> bool:
        """Tell whether a stretch of time lies in damage, at least in part."""
        return any(start < end_ms and end > start_ms for start, end in self.stretches_ms)

    def words(self, name: str) -> str:
        """Return what to tell of it; empty for no damage."""
        told: list[str] = []
        if self.stretches_ms:
            first = self.stretches_ms[0][0] / 1000
            told.append(f"{name} is damaged from {first:.1f} s on: {self.lost_ms / 1000:.1f} s can't be decoded")
        if self.ended:
            told.append(f"{name}: {self.ended}")
        return "; ".join(told)


def _all(_packet: "Packet[VideoStream]") -> bool:
    return False


def frames_from(
    container: av.container.InputContainer,
    stream: VideoStream,
    start_ms: float,
    damage: Damage,
    passes_over: PassesOver = _all,
) -> Iterator[tuple[VideoFrame, int]]:
    """Yield a stream's sound frames from a moment on, in order of presentation.

    Args:
        container: Just opened: nothing was read from it yet.
        stream: Its stream.
        start_ms: The moment, in milliseconds from the film's beginning.
        damage: Filled with what can't be decoded.
        passes_over: Tells of a packet that it need not be decoded.

    Yields:
        A frame and its time in milliseconds from the film's beginning. The first one is at the moment or before
        it, where there is such a one.
    """
    if start_ms > 0 and container.format.name not in ENTERED_ONLY_AT_THE_BEGINNING:
        for lead_ms in LEADS_MS[1:] if container.format.name in TIMED_BY_FEW else LEADS_MS:
            if start_ms <= lead_ms or not _seek(container, stream, start_ms - lead_ms):
                break
            frames = _timed(container, stream, start_ms, damage, passes_over)
            first = next(frames, None)
            if first is not None and first[1] <= start_ms:
                yield first
                yield from frames
                return
            damage.stretches_ms.clear()
            damage.ended = ""
        # Before the beginning, since in MPEG-TS a jump to 0 ends behind the first keyframe; AVI refuses that.
        if not _seek(container, stream, -LEADS_MS[-1]):
            _seek(container, stream, 0)
    yield from _timed(container, stream, start_ms, damage, passes_over)


def usual_rate(stream: VideoStream) -> float:
    """Return a stream's frames a second; 25 where its header says none that can be."""
    rate = float(stream.average_rate) if stream.average_rate else 0.0
    return rate if 0 < rate <= 1000 else 25.0


def _seek(container: av.container.InputContainer, stream: VideoStream, time_ms: float) -> bool:
    """Go to the keyframe at a time or before it; False where the file can't be entered there."""
    if stream.time_base is None:
        return False
    try:
        container.seek(round((time_ms + origin_ms(stream)) / 1000 / float(stream.time_base)), stream=stream)
    except av.error.FFmpegError:
        return False
    return True


def _timed(
    container: av.container.InputContainer,
    stream: VideoStream,
    start_ms: float,
    damage: Damage,
    passes_over: PassesOver,
) -> Iterator[tuple[VideoFrame, int]]:
    """Yield sound frames with their times; one without a timestamp follows by the usual distance."""
    origin = origin_ms(stream)
    step_ms = 1000 / usual_rate(stream)
    ends_ms = before_ms = None
    unrefreshed = steady = 0
    is_broken = False
    tells_gaps = container.format.name in WITHOUT_NUMBERS
    broken_from_ms = math.inf
    for frame in _decoded(container, stream, damage, passes_over):
        if isinstance(frame, float):
            # Frames from before it may still be in the decoder.
            broken_from_ms = min(broken_from_ms, frame - origin)
            continue
        if frame.time is not None:
            time_ms = round(frame.time * 1000) - origin
        else:
            time_ms = 0 if before_ms is None else round(before_ms + step_ms)
        gap_ms = 0 if before_ms is None else time_ms - before_ms
        if frame.is_corrupt or time_ms >= broken_from_ms:
            is_broken, unrefreshed, broken_from_ms = True, 0, math.inf
            if frame.is_corrupt:
                continue
        if tells_gaps and not is_broken:
            is_broken, unrefreshed = steady >= STEADY_FRAMES and gap_ms > GAP_MS, 0
            steady = steady + 1 if gap_ms <= STEADY_MS else 0
        if is_broken and not frame.key_frame and unrefreshed < MOST_UNREFRESHED:
            unrefreshed += 1
            continue
        if before_ms is not None and gap_ms < -BACK_MS:
            damage.ended = (
                f"its times go back from {before_ms / 1000:.1f} s to {time_ms / 1000:.1f} s: what follows was not "
                "used. It is more than one recording; give each as a file of its own"
            )
            return
        time_ms = time_ms if before_ms is None else max(time_ms, before_ms)
        if is_broken and ends_ms is not None and time_ms > max(ends_ms, start_ms):
            damage.stretches_ms.append((ends_ms, time_ms))
        is_broken = False
        before_ms, ends_ms = time_ms, time_ms + (frame_duration_ms(frame) or round(step_ms))
        yield frame, time_ms


def _decoded(
    container: av.container.InputContainer,
    stream: VideoStream,
    damage: Damage,
    passes_over: PassesOver,
) -> Iterator[VideoFrame | float]:
    """Yield decoded frames, and for what can't be read or decoded the time in milliseconds from which it is so."""
    errors = 0
    recent_ms: deque[float] = deque([-math.inf], maxlen=MOST_THREADS + 1)
    while errors < MOST_ERRORS:
        try:
            for packet in container.demux(stream):
                if packet.size and passes_over(packet):
                    continue
                if packet.has_sidedata("encryption_info"):
                    damage.is_encrypted, damage.ended = True, "it is encrypted"
                    return
                recent_ms.append(_packet_ms(packet, recent_ms[-1]))
                if packet.is_corrupt:
                    yield recent_ms[-1]
                frames = _frames_of(packet)
                errors = errors + 1 if frames is None else 0
                if frames is not None:
                    yield from frames
                elif errors < MOST_ERRORS:
                    # Decoders on several threads tell of an error so many packets later.
                    threads = stream.codec_context.thread_count or MOST_THREADS
                    yield min(islice(reversed(recent_ms), threads + 1))
                else:
                    break
            else:
                return
        except av.error.InvalidDataError:
            # The demuxer goes on behind what it could not read.
            errors += 1
            yield recent_ms[-1]
        except (av.error.FFmpegError, OSError) as error:
            damage.ended = f"it can't be read any further ({reason(error)})"
            return
    damage.ended = f"{errors:,} packets one after another can't be decoded"


def _packet_ms(packet: "Packet[VideoStream]", otherwise: float) -> float:
    if packet.pts is None or packet.time_base is None:
        return otherwise
    return float(packet.pts * packet.time_base) * 1000


def _frames_of(packet: "Packet[VideoStream]") -> list[VideoFrame] | None:
    """Return what a packet gives, which may be nothing yet; None where it can't be decoded."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
    except av.error.InvalidDataError:
        return None
