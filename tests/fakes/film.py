"""Small films made for a test: pictures that carry their number, encoded with PyAV."""

import io
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]

STRIP_PX = 16
BITS = 8


def numbered(number: int, *, texture: int = 40, shade: int = 120, width: int = 160, height: int = 96) -> Picture:
    """Return a picture with its number in a strip of grey bits, over a checkerboard of contrast ``texture``.

    The number is in Gray code, so that neighbours differ in one bit and no step looks like a cut.
    """
    rows, columns = np.mgrid[0:height, 0:width]
    checks = ((rows // 8 + columns // 8) % 2) * texture + shade - texture // 2
    gray = number ^ (number >> 1)
    side = width // BITS
    for bit in range(BITS):
        checks[:STRIP_PX, bit * side : (bit + 1) * side] = 192 if gray >> bit & 1 else 64
    return np.repeat(checks.astype(np.uint8)[..., None], 3, axis=2)


def number_of(jpeg: bytes) -> int:
    """Return the number in a picture that :func:`numbered` made."""
    grey = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L")).astype(int)
    side = grey.shape[1] // BITS
    middle = [grey[STRIP_PX // 2, bit * side + side // 2] for bit in range(BITS)]
    gray = sum((value > 128) << bit for bit, value in enumerate(middle))
    number = 0
    while gray:
        number ^= gray
        gray >>= 1
    return int(number)


def film(
    pictures: Iterable[Picture],
    *,
    rate: int | Fraction = 12,
    times_ms: Sequence[int] | None = None,
    codec: str = "libx264",
    container: str = "mp4",
    keyframe_every: int = 12,
) -> bytes:
    """Return an encoded film; with ``times_ms`` its frames have these times instead of a constant rate."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as muxer:
        stream = muxer.add_stream(codec, rate=Fraction(rate))
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        stream.gop_size = keyframe_every
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "12"}
        if times_ms is not None:
            stream.time_base = Fraction(1, 1000)
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if times_ms is None else times_ms[number]
            frame.time_base = 1 / Fraction(rate) if times_ms is None else Fraction(1, 1000)
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode())
    return out.getvalue()


def sound() -> bytes:
    """Return a second of silence."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as muxer:
        stream = muxer.add_stream("aac", rate=8000)
        stream.layout = "mono"
        for number in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, number * 1024
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode())
    return out.getvalue()


def turned(mp4: bytes, degrees: int) -> bytes:
    """Return an MP4 whose track header says that it is shown turned clockwise by 90, 180 or 270 degrees."""
    one, minus = 0x00010000, 0xFFFF0000
    a, b, c, d = {90: (0, one, minus, 0), 180: (minus, 0, 0, minus), 270: (0, minus, one, 0)}[degrees]
    matrix = struct.pack(">9I", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    start = mp4.index(b"tkhd") + 4 + 40
    return mp4[:start] + matrix + mp4[start + 36 :]


def encoded(picture: Picture, kind: str) -> bytes:
    """Return a still picture as ``PNG`` or ``JPEG``."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return out.getvalue()
