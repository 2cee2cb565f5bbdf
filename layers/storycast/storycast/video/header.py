"""Headers: what a video or picture says of itself before it is decoded."""

from dataclasses import dataclass
from typing import IO

import av
import av.error

from storycast.errors import FootageUnreadableError
from storycast.video.decoding import duration_ms, frames, picture_stream, reason
from storycast.video.picture import shown_size


@dataclass(frozen=True, slots=True)
class Header:
    """What a video's header says; times in milliseconds, sizes in pixels as shown (rotated)."""

    container: str
    codec: str
    width_px: int
    height_px: int
    duration_ms: int
    frames_per_second: float | None


def read_header(file: IO[bytes], name: str) -> Header:
    """Read the header of a video or picture and decode its first frame.

    Args:
        file: A seekable binary file.
        name: What to call it in messages.

    Raises:
        FootageUnreadableError: It is no video or picture, has no picture stream, or no frame decodes.
    """
    try:
        with av.open(file, "r") as container:
            stream = picture_stream(container, name)
            first = next(frames(container, stream), None)
            if first is None:
                raise FootageUnreadableError(f"{name} ends before its first frame. Upload the whole file again.")
            width, height = shown_size(first)
            return Header(
                container=container.format.name,
                codec=stream.codec_context.codec.canonical_name,
                width_px=width,
                height_px=height,
                duration_ms=duration_ms(container, stream),
                frames_per_second=float(stream.average_rate) if stream.average_rate else None,
            )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FootageUnreadableError(
            f"{name} can't be read as a video or picture ({reason(error)}). "
            "Use a file that a video player opens, such as MP4, MOV, MKV or WebM."
        ) from None
