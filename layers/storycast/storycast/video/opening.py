"""Opening: which containers ffmpeg may take a file for, which of its streams is the film, and what is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import av
import av.container
import av.error
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from storycast.errors import FootageUnreadableError
from storycast.video.decoding import reason
from storycast.video.recognition import refusal

FILM_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mxf,asf,asf_o,flv,ogg,nut,dv,gxf,ivf,rm,wtv,yuv4mpegpipe,"
    "h264,hevc,vvc,av1,obu,mpegvideo,m4v,h263,vc1,dirac,mjpeg"
)
PICTURE_FORMATS = (
    "gif,apng,webp_anim,webp_pipe,jpegxl_anim,jpegxl_pipe,jpeg_pipe,png_pipe,bmp_pipe,tiff_pipe,j2k_pipe,"
    "gif_pipe,ppm_pipe,pgm_pipe,pbm_pipe,pam_pipe,pnm_pipe,qoi_pipe,exr_pipe,dpx_pipe,psd_pipe,sgi_pipe,image2"
)
STILL_FORMATS = frozenset(one for one in PICTURE_FORMATS.split(",") if one.endswith("_pipe") or one == "image2")
SOUND_FORMATS = "mp3,wav,flac,aac,ac3,aiff,caf"
"""So that a file of sound is told to be one."""
MAX_PIXELS = 8192 * 8192
"""An 8K film has half as many; a larger header is damaged, or wants more memory than a function has."""
MAX_STILL_BYTES = 256 * 1024 * 1024
MAX_FRAME_BYTES = 128 * 1024 * 1024
"""Of one decoded picture, as 8K with 10 bits in 4:2:2 has: of a film some twenty are held at once."""
THREADED_PIXELS = 4096 * 2304
"""Above this size no frame is decoded beside another: each would hold one more in memory."""
ENCRYPTED_TAGS = frozenset({"encv", "drmi", "drms"})


@contextmanager
def opened(file: IO[bytes], name: str) -> Iterator[tuple[av.container.InputContainer, VideoStream]]:
    """Open a video or picture from its beginning; only the stream of its film is read.

    ffmpeg takes the file for nothing but a film, a picture or sound: playlists, session descriptions and the
    like, which name other files or open ports, are refused.

    Args:
        file: A seekable binary file.
        name: What to call it in messages.

    Yields:
        The container and the stream.

    Raises:
        FootageUnreadableError: It is no video or picture, is encrypted, or is larger than can be decoded.
    """
    file.seek(0)
    options = {
        "format_whitelist": f"{FILM_FORMATS},{PICTURE_FORMATS},{SOUND_FORMATS}",
        "protocol_whitelist": "",
        "max_pixels": str(MAX_PIXELS),
    }
    try:
        container = av.open(file, "r", options=options)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise FootageUnreadableError(refusal(file, name, reason(error))) from None
    with container:
        stream = picture_stream(container, name)
        _refuse(stream, name, container.format.name)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        stream.thread_type = "AUTO" if _pixels(stream) <= THREADED_PIXELS else "SLICE"
        yield container, stream


def film_streams(container: av.container.InputContainer) -> list[VideoStream]:
    """Return the streams of pictures that are no cover art."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def picture_stream(container: av.container.InputContainer, name: str) -> VideoStream:
    """Return the stream of the film: of those that are marked as default, or else of all, the largest.

    Raises:
        FootageUnreadableError: There is none.
    """
    streams = film_streams(container)
    if not streams:
        if not container.streams:
            raise FootageUnreadableError(
                f"{name} holds no stream of pictures, nor any other. Give the film itself."
            )
        held = ", ".join(sorted({stream.type for stream in container.streams}))
        has = "only a cover picture and " if container.streams.video else "only "
        held = held.replace("video, ", "").replace(", video", "") if container.streams.video else held
        raise FootageUnreadableError(
            f"{name} has no picture stream, {has}{held}. Upload the film itself, not its sound."
        )
    return max(
        streams,
        key=lambda one: (bool(one.disposition & Disposition.default), _pixels(one), -one.index),
    )


def encrypted(name: str) -> FootageUnreadableError:
    """Return what to tell of an encrypted film."""
    return FootageUnreadableError(
        f"{name} is encrypted (DRM), so its pictures can't be decoded. Use a file without copy protection."
    )


def _pixels(stream: VideoStream) -> int:
    # No decoder, no context: PyAV's types don't say so.
    if stream.codec_context is None:
        return 0
    return stream.codec_context.width * stream.codec_context.height


def _frame_bytes(stream: VideoStream) -> int:
    layout = stream.codec_context.format
    return _pixels(stream) * layout.padded_bits_per_pixel // 8 if layout is not None else 0


def _refuse(stream: VideoStream, name: str, container_name: str) -> None:
    if stream.codec_context is None:
        raise FootageUnreadableError(
            f"{name} is coded in a way for which there is no decoder here, or encrypted. Convert it to H.264."
        )
    if stream.codec_tag in ENCRYPTED_TAGS:
        raise encrypted(name)
    if _pixels(stream) > MAX_PIXELS:
        raise FootageUnreadableError(
            f"{name} has frames of {stream.codec_context.width:,} x {stream.codec_context.height:,} px; at most "
            f"{MAX_PIXELS:,} px can be decoded. Scale it down first."
        )
    most_bytes = MAX_STILL_BYTES if container_name in STILL_FORMATS else MAX_FRAME_BYTES
    if _frame_bytes(stream) > most_bytes:
        raise FootageUnreadableError(
            f"{name} has frames of {stream.codec_context.width:,} x {stream.codec_context.height:,} px, each "
            f"{_frame_bytes(stream):,} bytes when it is decoded; at most {most_bytes:,} fit into memory. Scale it "
            "down first, or give it fewer bits a pixel."
        )
