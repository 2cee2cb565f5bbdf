"""Odd films made for a test: other codecs, containers, formats of pixels, colours, turns and faults."""

import io
import struct
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from tests.fakes.film import Picture, numbered

ENCODERS = {
    "libx264": {"preset": "ultrafast", "crf": "12"},
    "libx265": {"preset": "ultrafast", "crf": "12", "x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "12"},
    "libsvtav1": {"preset": "12", "crf": "12", "svtav1-params": "lookahead=0"},
    "mpeg2video": {"b": "4M"},
    "mpeg4": {"b": "4M"},
    "prores_ks": {"profile": "0"},
    "mjpeg": {"q": "2"},
}


@dataclass(frozen=True)
class Colours:
    """What a film says of its colours."""

    matrix: int = Colorspace.ITU709
    full_range: bool = False
    transfer: int = ColorTrc.BT709
    primaries: int = ColorPrimaries.BT709


@dataclass(frozen=True)
class OddFilm:
    """How a film is encoded."""

    codec: str = "libx264"
    container: str = "mp4"
    pixels: str = "yuv420p"
    rate: int = 12
    keyframe_every: int = 12
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    pixel_aspect: Fraction | None = None
    colours: Colours | None = None
    times_ms: Sequence[int] | None = None
    bits: Callable[[Any], None] | None = None
    """Sets what else there is to set on the stream."""

    def of(self, pictures: Iterable[Picture | av.VideoFrame]) -> bytes:
        """Return it encoded."""
        out = io.BytesIO()
        with av.open(out, "w", format=self.container, container_options=self.container_options) as muxer:
            stream = self.stream(muxer)
            for number, picture in enumerate(pictures):
                muxer.mux(stream.encode(self.frame(stream, picture, number)))
            muxer.mux(stream.encode())
        return out.getvalue()

    def stream(self, muxer: Any) -> Any:
        """Add its stream to a muxer."""
        stream = muxer.add_stream(self.codec, rate=self.rate)
        stream.pix_fmt = self.pixels
        stream.gop_size = self.keyframe_every
        stream.options = ENCODERS.get(self.codec, {}) | self.options
        if self.times_ms is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if self.pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = self.pixel_aspect
        if self.bits is not None:
            self.bits(stream)
        if self.colours is not None:
            context = stream.codec_context
            context.colorspace, context.color_trc = self.colours.matrix, self.colours.transfer
            context.color_primaries = self.colours.primaries
            context.color_range = ColorRange.JPEG if self.colours.full_range else ColorRange.MPEG
        return stream

    def frame(self, stream: Any, picture: Picture | av.VideoFrame, number: int) -> av.VideoFrame:
        """Return a picture as a frame of its stream."""
        if isinstance(picture, av.VideoFrame):
            frame = picture
        else:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24" if picture.shape[2] == 3 else "rgba")
            frame = self._recoloured(frame)
        if number == 0:
            stream.width, stream.height = frame.width, frame.height
        frame.pts = number if self.times_ms is None else self.times_ms[number]
        frame.time_base = Fraction(1, self.rate) if self.times_ms is None else Fraction(1, 1000)
        return frame

    def _recoloured(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self.colours is None:
            return frame
        made = frame.reformat(
            format=self.pixels,
            dst_colorspace=self.colours.matrix,
            dst_color_range=ColorRange.JPEG if self.colours.full_range else ColorRange.MPEG,
        )
        made.colorspace, made.color_trc = self.colours.matrix, self.colours.transfer
        made.color_primaries = self.colours.primaries
        made.color_range = ColorRange.JPEG if self.colours.full_range else ColorRange.MPEG
        return made


def frames_of(count: int, *, width: int = 160, height: int = 96) -> list[Picture]:
    """Return numbered pictures."""
    return [numbered(number, width=width, height=height) for number in range(count)]


def combed(count: int, *, step_px: int = 4) -> list[Picture]:
    """Return frames whose even rows are a moment older than the odd ones: a bright box moves to the right."""
    pictures = []
    for number in range(count):
        picture = np.full((96, 160, 3), 60, np.uint8)
        for field_number in range(2):
            left = 10 + (2 * number + field_number) * step_px
            picture[16 + field_number : 80 : 2, left : left + 30] = 220
        pictures.append(picture)
    return pictures


def combing(grey: NDArray[Any]) -> float:
    """Return how much rows differ from the mean of those above and below, as a comb does."""
    rows = grey.astype(int)
    return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())


def with_matrix(mp4: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """Return an MP4 whose track header shows its pictures by this matrix."""
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 0x40000000)
    start = mp4.index(b"tkhd") + 4 + 40
    return mp4[:start] + matrix + mp4[start + 36 :]


def boxes(mp4: bytes) -> list[tuple[bytes, int, int]]:
    """Return an MP4's outermost boxes: kind, first byte, and the first byte after it."""
    found, position = [], 0
    while position + 8 <= len(mp4):
        size, kind = struct.unpack(">I4s", mp4[position : position + 8])
        found.append((kind, position, position + size))
        position += size
    return found


def with_index_first(mp4: bytes) -> bytes:
    """Return a film with its index before its data; FFmpeg moves it in files alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with (
            av.open(io.BytesIO(mp4), "r") as source,
            av.open(str(path), "w", container_options={"movflags": "faststart"}) as muxer,
        ):
            stream = muxer.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    muxer.mux(packet)
        return path.read_bytes()


def without_box(content: bytes, kind: bytes) -> bytes:
    """Return an MP4 without one of its outermost boxes."""
    return b"".join(content[first:end] for found, first, end in boxes(content) if found != kind)


def hdr(transfer: int) -> bytes:
    """Return a film of BT.2020's colours with a transfer such as PQ's."""
    colours = Colours(Colorspace.BT2020, False, transfer, ColorPrimaries.BT2020)
    return OddFilm("libx265", pixels="yuv420p10le", colours=colours).of(frames_of(14))


def transparent() -> bytes:
    """Return a film that is half transparent."""
    pictures = [np.dstack([one, np.full(one.shape[:2], 128, np.uint8)]) for one in frames_of(14)]
    return OddFilm("prores_ks", "mov", "yuva444p10le", options={"profile": "4"}).of(pictures)


def two_streams() -> bytes:
    """Return a film of two streams, the second one larger."""
    out = io.BytesIO()
    recipe = OddFilm()
    with av.open(out, "w", format="matroska") as muxer:
        small, large = recipe.stream(muxer), recipe.stream(muxer)
        for number, picture in enumerate(frames_of(14)):
            muxer.mux(small.encode(recipe.frame(small, picture[:48, :80].copy(), number)))
            muxer.mux(large.encode(recipe.frame(large, picture, number)))
        muxer.mux(small.encode())
        muxer.mux(large.encode())
    return out.getvalue()


def encrypted() -> bytes:
    """Return a film that wants a key."""
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb"}
    return OddFilm(container_options=key | {"encryption_kid": "a7e61c373e219033c21091fa607bf3b8"}).of(
        frames_of(24)
    )
