"""Headers: what a video or picture says of itself before it is decoded, and what will be done with it."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import IO

import av
import av.container
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from storycast.errors import FootageUnreadableError
from storycast.video.decoding import duration_ms, origin_ms, reason
from storycast.video.display import is_see_through, pixel_aspect_of, shown_size, turn_of
from storycast.video.opening import encrypted, film_streams, opened
from storycast.video.reading import ENTERED_ONLY_AT_THE_BEGINNING, Damage, frames_from, usual_rate
from storycast.video.recognition import is_fragmented
from storycast.video.tone_mapping import grading_of

KEYFRAME_DISTANCE_MS = 2000
"""Of keyframes that are nearer to each other, one is told of: a film in which every frame is one has thousands."""
INDEXED_FORMATS = frozenset({"matroska,webm", "avi", "flv"})
"""Formats that usually have an index; where it is missing they can't be searched for a moment."""
SHORT_MS = 60_000
"""A shorter film is one segment, which needs no index."""
MAX_DURATION_MS = 24 * 60 * 60 * 1000
"""A damaged header may tell of centuries, which would be planned minute by minute."""
CUT_OFF_MS = 1500
"""Data that end so much before the header's end are told of; streams rarely end at the same instant."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a video's header says; times in milliseconds, sizes in pixels as shown (upright, square pixels)."""

    container: str
    codec: str
    width_px: int
    height_px: int
    duration_ms: int
    frames_per_second: float | None
    is_seekable: bool = True
    """Whether decoding can begin elsewhere than at the beginning."""
    is_indexed: bool = True
    """Whether the file tells where to find a moment; else whoever wants one reads all that lies before it."""
    keyframes_ms: tuple[int, ...] = ()
    """Of the file's own index; empty where it has none, or none that reaches to its end."""
    notes: tuple[str, ...] = ()
    """What is unusual about it, and what will be done with that; a phrase each."""


def read_header(file: IO[bytes], name: str) -> Header:
    """Read the header of a video or picture and decode its first frame.

    Only a file whose header gives no duration is read to its end, without being decoded.

    Args:
        file: A seekable binary file.
        name: What to call it in messages.

    Raises:
        FootageUnreadableError: It is no video or picture, has no picture stream, is encrypted, or nothing decodes.
    """
    try:
        with opened(file, name) as (container, stream):
            damage = Damage()
            first = next(frames_from(container, stream, 0, damage), None)
            if damage.is_encrypted:
                raise encrypted(name)
            if first is None:
                why = f" ({damage.ended})" if damage.ended else ""
                raise FootageUnreadableError(
                    f"{name} ends before its first frame{why}. Upload the whole file again."
                )
            header = _header(container, stream, first[0], file)
        header = header if header.duration_ms else _measured(file, name, header)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FootageUnreadableError(
            f"{name} can't be read as a video or picture ({reason(error)}). "
            "Use a file that a video player opens, such as MP4, MOV, MKV or WebM."
        ) from None
    if header.duration_ms > MAX_DURATION_MS:
        raise FootageUnreadableError(
            f"{name} lasts {header.duration_ms / 3_600_000:,.1f} hours, as it says; at most "
            f"{MAX_DURATION_MS // 3_600_000} can be used. Cut it into parts. If it is shorter, its times are "
            "damaged: export it again."
        )
    return header


def _header(
    container: av.container.InputContainer, stream: VideoStream, frame: VideoFrame, file: IO[bytes]
) -> Header:
    pixel_aspect = pixel_aspect_of(stream)
    width, height = shown_size(frame, pixel_aspect)
    said_ms = duration_ms(container, stream)
    rate = float(stream.average_rate) if stream.average_rate else None
    keyframes = _keyframes_ms(container, stream, said_ms)
    is_indexed = _is_indexed(container.format.name, bool(keyframes), file)
    return Header(
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        width_px=width,
        height_px=height,
        duration_ms=said_ms,
        frames_per_second=rate if rate == usual_rate(stream) else None,
        is_seekable=container.format.name not in ENTERED_ONLY_AT_THE_BEGINNING,
        notes=(
            *_notes_of_streams(container, stream),
            *_notes_of_frame(frame, pixel_aspect),
            *_notes_of_data(stream, said_ms, file),
            *_notes_of_index(said_ms, is_indexed=is_indexed),
        ),
        is_indexed=is_indexed,
        keyframes_ms=keyframes,
    )


def _notes_of_streams(container: av.container.InputContainer, stream: VideoStream) -> list[str]:
    streams = film_streams(container)
    if len(streams) == 1:
        return []
    number = [one.index for one in streams].index(stream.index) + 1
    size = f"{stream.codec_context.width} x {stream.codec_context.height} px"
    return [f"holds {len(streams)} films; number {number}, {size}, is used"]


def _notes_of_frame(frame: VideoFrame, pixel_aspect: Fraction) -> list[str]:
    notes = []
    if frame.interlaced_frame:
        notes.append("interlaced; kept frames are deinterlaced")
    grading = grading_of(frame)
    if grading is not None and grading.transfer != "gamma":
        peak = f", {grading.peak_nits:,.0f} cd/m2" if grading.transfer == "pq" else ""
        notes.append(f"HDR ({grading.transfer.upper()}{peak}); kept frames are tone-mapped to SDR")
    elif grading is not None:
        notes.append("wide gamut; kept frames get BT.709's colours")
    if pixel_aspect != 1:
        shape = f"{pixel_aspect.numerator}:{pixel_aspect.denominator}"
        notes.append(f"pixels of {shape}; kept frames are resampled to square ones")
    turned = turn_of(frame).words
    if turned:
        notes.append(f"shown {turned}, as its metadata say")
    if is_see_through(frame):
        notes.append("has transparent parts; they become black")
    return notes


def _notes_of_data(stream: VideoStream, said_ms: int, file: IO[bytes]) -> list[str]:
    """Tell of an index that points behind the file's end."""
    size = file.seek(0, 2)
    base = float(stream.time_base or 0)
    missing = next((one for one in stream.index_entries if one.pos + one.size > size), None)
    if missing is None:
        return []
    there_ms = max(round(missing.timestamp * base * 1000) - origin_ms(stream), 0)
    if there_ms + CUT_OFF_MS >= said_ms:
        return []
    return [f"cut off; of {said_ms / 1000:.1f} s the file holds {there_ms / 1000:.1f} s, which are used"]


def _is_indexed(container: str, has_keyframes: bool, file: IO[bytes]) -> bool:
    """Tell whether a file has an index, or, as MPEG-TS, can be searched without one."""
    if container.startswith("mov"):
        return not is_fragmented(file)
    return has_keyframes or container not in INDEXED_FORMATS


def _notes_of_index(said_ms: int, *, is_indexed: bool) -> list[str]:
    if is_indexed or said_ms < SHORT_MS:
        return []
    return ["has no index; each segment reads it from its beginning, which takes longer"]


def _keyframes_ms(container: av.container.InputContainer, stream: VideoStream, said_ms: int) -> tuple[int, ...]:
    if not said_ms or stream.time_base is None:
        return ()
    try:
        # Matroska's index is not read before the first seek.
        container.seek(stream.start_time or 0, stream=stream)
    except av.error.FFmpegError:
        return ()
    base = float(stream.time_base)
    times = [round(one.timestamp * base * 1000) for one in stream.index_entries if one.is_keyframe]
    found = _apart([time_ms - origin_ms(stream) for time_ms in times])
    return found if found and found[-1] >= said_ms / 2 else ()


def _apart(times_ms: list[int]) -> tuple[int, ...]:
    kept: list[int] = []
    for time_ms in sorted(times_ms):
        if not kept or time_ms - kept[-1] >= KEYFRAME_DISTANCE_MS:
            kept.append(max(time_ms, 0))
    return tuple(kept)


def _measured(file: IO[bytes], name: str, header: Header) -> Header:
    """Return a header with the duration and the keyframes that reading the packets shows; a still has none."""
    keyframes: list[int] = []
    ends_ms = 0.0
    count = 0
    with opened(file, name) as (container, stream):
        origin, step_ms = origin_ms(stream), 1000 / usual_rate(stream)
        base = float(stream.time_base or 0) * 1000
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                time_ms = count * step_ms if packet.pts is None else packet.pts * base - origin
                ends_ms = max(ends_ms, time_ms + (packet.duration * base if packet.duration else step_ms))
                keyframes += [round(time_ms)] if packet.is_keyframe else []
                count += 1
        except av.error.FFmpegError:
            pass  # What was read until then has been measured.
    if count < 2:
        return header
    note = f"its header gives no duration; {ends_ms / 1000:.1f} s by its data"
    return replace(
        header,
        duration_ms=round(ends_ms),
        keyframes_ms=_apart(keyframes) if header.is_seekable else (),
        notes=(*header.notes, note, *_notes_of_index(round(ends_ms), is_indexed=header.is_indexed)),
    )
