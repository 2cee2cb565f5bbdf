"""Decoding: what streams and frames say of their times, and what ffmpeg says of its errors."""

import av.container
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream


def origin_ms(stream: VideoStream) -> int:
    """Return the presentation time of a stream's first frame in milliseconds, as its header says."""
    if stream.start_time is None or stream.time_base is None:
        return 0
    return round(stream.start_time * float(stream.time_base) * 1000)


def frame_duration_ms(frame: VideoFrame) -> int:
    """Return how many milliseconds a frame is shown; 0 where nothing says so."""
    return round(frame.duration * float(frame.time_base) * 1000) if frame.duration and frame.time_base else 0


def duration_ms(container: av.container.InputContainer, stream: VideoStream) -> int:
    """Return a stream's duration in milliseconds, as its header says; 0 where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * float(stream.time_base) * 1000)
    # The duration of a Matroska file counts from 0, also where its pictures begin a little later.
    return max(round(container.duration / 1000) - max(origin_ms(stream), 0), 0) if container.duration else 0


def reason(error: Exception) -> str:
    """Return what an error of ffmpeg or of the file says, in short."""
    if isinstance(error, av.error.FFmpegError):
        return error.strerror or type(error).__name__
    return str(error)
