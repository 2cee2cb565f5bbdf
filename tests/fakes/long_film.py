"""A film of hours and gigabytes that takes little of the disk: its packets are padded with zeros, as holes."""

import io
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.fakes.odd_film import OddFilm, frames_of

RATE = 24
KEYFRAME_EVERY = 48
_PAGE_BYTES = 4096


class _Holes(io.RawIOBase):
    """A file to write to, in which pages of zeros are left out."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self._position = self._size = 0

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        part = os.pread(self._file, len(buffer), self._position)
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def write(self, content: Any) -> int:
        view = memoryview(content)
        for start in range(0, len(view), _PAGE_BYTES):
            page = view[start : start + _PAGE_BYTES]
            # What was written before at this place must go, even for zeros: headers are written twice.
            if self._position + start < self._size or any(page):
                os.pwrite(self._file, page, self._position + start)
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def close(self) -> None:
        if not self.closed:
            os.ftruncate(self._file, self._size)
            os.close(self._file)
        super().close()


def write_long_film(
    path: Path,
    *,
    duration_s: int,
    size_bytes: int,
    container: str = "mp4",
    container_options: dict[str, str] | None = None,
) -> None:
    """Write an H.264 film, by default an MP4 with its index at the end, a keyframe each two seconds.

    Args:
        path: Where to.
        duration_s: How long it is.
        size_bytes: How large it is, about: each packet is padded with a unit that decoders pass over.
        container: As ffmpeg calls it.
        container_options: Of ffmpeg's muxer.
    """
    group = OddFilm(rate=RATE, keyframe_every=KEYFRAME_EVERY).of(frames_of(KEYFRAME_EVERY))
    filler_bytes = max(size_bytes // (duration_s * RATE) - 600, 2)
    filler = filler_bytes.to_bytes(4, "big") + b"\x0c" + bytes(filler_bytes - 1)
    step = Fraction(1, RATE)
    with av.open(io.BytesIO(group), "r") as short, _Holes(path) as file:
        source = short.streams.video[0]
        packets = [(bytes(one), one.is_keyframe) for one in short.demux(source) if one.size]
        with av.open(file, "w", format=container, container_options=container_options or {}) as muxer:
            stream = muxer.add_stream_from_template(source)
            for number in range(duration_s * RATE):
                content, is_keyframe = packets[number % len(packets)]
                packet: Any = av.Packet(content + filler)
                packet.stream, packet.time_base = stream, step
                packet.pts = packet.dts = number
                packet.duration = 1
                packet.is_keyframe = is_keyframe
                muxer.mux_one(packet)
