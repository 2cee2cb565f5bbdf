"""Decoding: the picture stream of a file, its frames and their times."""

from collections.abc import Iterator

import av
import av.container
import av.error
import av.stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from storycast.errors import FootageUnreadableError


def picture_stream(container: av.container.InputContainer, name: str) -> VideoStream:
    """Return the first stream of pictures that is no cover art.

    Raises:
        FootageUnreadableError: There is none.
    """
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise FootageUnreadableError(
            f"{name} has no picture stream, only {held}. Upload the film itself, not its sound."
        )
    return streams[0]


def frames(container: av.container.InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield a stream's decoded frames in order of presentation."""
    for frame in container.decode(stream):
        if isinstance(frame, VideoFrame):
            yield frame


def origin_ms(stream: VideoStream) -> int:
    """Return the presentation time of a stream's first frame in milliseconds, as its header says."""
    if stream.start_time is None or stream.time_base is None:
        return 0
    return round(stream.start_time * float(stream.time_base) * 1000)


def frame_time_ms(frame: VideoFrame, index: int, stream: VideoStream) -> int:
    """Return a frame's presentation time in milliseconds; without a timestamp, from its number and the rate."""
    if frame.time is not None:
        return round(frame.time * 1000)
    rate = float(stream.average_rate) if stream.average_rate else 25.0
    return round(index / rate * 1000)


def frame_duration_ms(frame: VideoFrame) -> int:
    """Return how many milliseconds a frame is shown; 0 where nothing says so."""
    return round(frame.duration * float(frame.time_base) * 1000) if frame.duration and frame.time_base else 0


def duration_ms(container: av.container.InputContainer, stream: VideoStream) -> int:
    """Return a stream's duration in milliseconds, as its header says; 0 where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * float(stream.time_base) * 1000)
    return round(container.duration / 1000) if container.duration else 0


def reason(error: Exception) -> str:
    """Return what an error of ffmpeg or of the file says, in short."""
    if isinstance(error, av.error.FFmpegError):
        return error.strerror or type(error).__name__
    return str(error)
