"""Films that are none, or are damaged, or want more than there is."""

import functools
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.bad_input.corpus import Case
from tests.bad_input.doors import FILM
from tests.cli.media import write_sound
from tests.fakes.film import film
from tests.fakes.odd_film import OddFilm, boxes, encrypted, frames_of, with_index_first, with_matrix, without_box


@functools.cache
def sound_film() -> bytes:
    """Return three seconds of H.264 in MP4, its index at the end."""
    return OddFilm().of(frames_of(36))


def a(content: Callable[[], bytes], name: str = "film.mp4") -> Callable[[], str]:
    """Return what writes a file and names it."""

    def make() -> str:
        Path(name).write_bytes(content())
        return name

    return make


def patched(kind: bytes, offset: int, value: int, size: int = 4, mp4: bytes | None = None) -> bytes:
    """Return the film with another number in one of its boxes."""
    content: bytes = mp4 or sound_film()
    at = content.index(kind) + 4 + offset
    changed: bytes = content[:at] + (value % 256**size).to_bytes(size, "big") + content[at + size :]
    return changed


def box(kind: bytes, *content: bytes) -> bytes:
    """Return an MP4 box."""
    inside = b"".join(content)
    return struct.pack(">I4s", len(inside) + 8, kind) + inside


def sparse(size: int, head: bytes = b"", name: str = "film.mp4") -> Callable[[], str]:
    """Return what writes a file that is large and takes no place."""

    def make() -> str:
        with Path(name).open("wb") as file:
            file.write(head)
            file.truncate(size)
        return name

    return make


def folder() -> str:
    """Make a folder."""
    Path("film.mp4").mkdir()
    return "film.mp4"


def device() -> str:
    """Make a link to zeros without end."""
    Path("film.mp4").symlink_to("/dev/zero")
    return "film.mp4"


def with_zeros_behind() -> str:
    """Write a film and 20 GB of nothing behind it."""
    return sparse(20 * 1024**3, sound_film())()


def cut(kind: bytes, more: int) -> bytes:
    """Return the film up to so many bytes into a box; its index comes first."""
    content = fast_start()
    start = next(first for found, first, _ in boxes(content) if found == kind)
    return content[: start + more]


@functools.cache
def fast_start() -> bytes:
    """Return the film with its index before its data."""
    return with_index_first(sound_film())


def element(number: int, content: bytes) -> bytes:
    """Return an element of EBML, of which Matroska is made."""
    size = max((number.bit_length() + 7) // 8, 1)
    return number.to_bytes(size, "big") + b"\x01" + len(content).to_bytes(7, "big") + content


def matroska_of_packed_zeros() -> bytes:
    """Return a Matroska file whose blocks unpack to a thousand times their size."""
    header = element(0x1A45DFA3, element(0x4282, b"matroska"))
    packing = element(0x6D80, element(0x6240, element(0x5034, element(0x4254, b"\x00"))))
    size = element(0xE0, element(0xB0, b"\x10\x00") + element(0xBA, b"\x10\x00"))
    track = element(0xD7, b"\x01") + element(0x73C5, b"\x01") + element(0x83, b"\x01")
    track += element(0x86, b"V_MJPEG") + size + packing
    block = element(0xA3, b"\x81\x00\x00\x80" + zlib.compress(bytes(400 * 1024**2), 9))
    cluster = element(0x1F43B675, element(0xE7, b"\x00") + block)
    return header + element(0x18538067, element(0x1654AE6B, element(0xAE, track)) + cluster)


def gif(width_px: int, height_px: int, count: int, delay_cs: int = 4) -> bytes:
    """Return an animation of single pixels on a large screen: every frame is a whole picture in memory."""
    frame = b"!\xf9\4\0" + struct.pack("<H", delay_cs) + b"\0\0,\0\0\0\0\1\0\1\0\x80\0\0\0\xff\xff\xff\2\2D\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", width_px, height_px, 0, 0, 0) + frame * count + b";"


def with_sound_only() -> bytes:
    """Return a second of silence."""
    return write_sound(Path("sound.wav")).read_bytes()


def subtitles_only() -> bytes:
    """Return a Matroska file with one line of text."""
    header = element(0x1A45DFA3, element(0x4282, b"matroska"))
    track = (
        element(0xD7, b"\x01") + element(0x73C5, b"\x01") + element(0x83, b"\x11") + element(0x86, b"S_TEXT/UTF8")
    )
    cluster = element(0x1F43B675, element(0xE7, b"\x00") + element(0xA3, b"\x81\x00\x00\x80hello"))
    return header + element(0x18538067, element(0x1654AE6B, element(0xAE, track)) + cluster)


def still_of(width_px: int, height_px: int) -> bytes:
    """Return a 16-bit PNG with an alpha channel, all of it transparent: a small file, and 8 bytes a pixel."""
    packed = zlib.compressobj(1)
    row = bytes(1 + width_px * 8)
    rows = b"".join(packed.compress(row) for _ in range(height_px)) + packed.flush()
    header = struct.pack(">IIBBBBB", width_px, height_px, 16, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def narrow(width_px: int, height_px: int) -> bytes:
    """Return a film of a few columns or rows."""
    pictures = [np.random.default_rng(0).integers(0, 255, (height_px, width_px, 3), dtype=np.uint8)] * 5
    return OddFilm("png", "mov", "rgb24").of(pictures)


HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
DASH = (
    b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>'
)
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
SMIL = b'<smil><body><video src="file:///etc/passwd"/></body></smil>'
HLS_IN_AVI = b"RIFF\x00\x00\x00\x00AVI GAB2" + HLS
IMF = b'<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"/>'
VOBSUB = b"# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n"
"""All of them name other files, or ports, that a demuxer would open."""

CASES = [
    # ---- files that are no film
    Case(
        "a film of no bytes",
        FILM,
        a(lambda: b""),
        code=2,
        told="Error: film.mp4 is empty (0 bytes). Copy or export it again.",
    ),
    Case(
        "20 GB of zeros called .mp4",
        FILM,
        sparse(20 * 1024**3),
        code=2,
        told=(
            "Error: film.mp4 holds nothing but zeros at its beginning: it was not copied to its end. "
            "Copy or upload it again."
        ),
    ),
    Case(
        "a film, and behind it zeros up to 20 GB",
        FILM,
        with_zeros_behind,
        code=0,
        told="taken",
    ),
    Case(
        "text called .mp4",
        FILM,
        a(lambda: b"Dear all,\nthe film is attached.\n" * 50),
        code=2,
        told=("Error: film.mp4 can't be read as a video or picture: it is a text file. Give the film itself."),
    ),
    Case(
        "random bytes",
        FILM,
        a(lambda: np.random.default_rng(0).bytes(50_000)),
        code=2,
        told=(
            "Error: film.mp4 can't be read as a video or picture (Invalid data found when processing "
            "input). Use a file that a video player opens, such as MP4, MOV, MKV or WebM."
        ),
    ),
    Case(
        "a ZIP archive called .mp4",
        FILM,
        a(lambda: b"PK\x03\x04" + bytes(range(200)) * 20),
        code=2,
        told=(
            "Error: film.mp4 can't be read as a video or picture: it is a ZIP archive. Unpack it and "
            "give the films or pictures in it."
        ),
    ),
    Case(
        "a web page called .mp4",
        FILM,
        a(lambda: b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
        code=2,
        told=(
            "Error: film.mp4 can't be read as a video or picture: it is a web page: the download "
            "went wrong. Download the film again."
        ),
    ),
    Case(
        "a folder called .mp4",
        FILM,
        folder,
        code=2,
        told="Error: film.mp4 is a folder. Name its files, such as film.mp4/*.mp4.",
    ),
    Case(
        "a link to /dev/zero called .mp4",
        FILM,
        device,
        code=2,
        told="Error: film.mp4 is no regular file. Give a video or picture file.",
    ),
    # ---- files that name other files
    Case(
        "an HLS playlist of /etc/passwd",
        FILM,
        a(lambda: HLS),
        code=2,
        told=(
            "Error: film.mp4 can't be read as a video or picture: it is a playlist, which only names "
            "films. Give the film itself."
        ),
    ),
    Case(
        "an HLS playlist called .m3u8",
        FILM,
        a(lambda: HLS, "film.m3u8"),
        code=2,
        told=(
            "Error: film.m3u8 can't be read as a video or picture: it is a playlist, which only "
            "names films. Give the film itself."
        ),
    ),
    Case(
        "an HLS playlist in an AVI's subtitles",
        FILM,
        a(lambda: HLS_IN_AVI, "film.avi"),
        code=2,
        told="Error: film.avi holds no stream of pictures, nor any other. Give the film itself.",
    ),
    Case(
        "a list for FFmpeg's concat",
        FILM,
        a(lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
        code=2,
        told=(
            "Error: film.mp4 can't be read as a video or picture: it is a playlist, which only names "
            "films. Give the film itself."
        ),
    ),
    Case(
        "a DASH manifest",
        FILM,
        a(lambda: DASH, "film.mpd"),
        code=2,
        told=("Error: film.mpd can't be read as a video or picture: it is an XML document. Give the film itself."),
    ),
    Case(
        "an SDP file, which would open a port",
        FILM,
        a(lambda: SDP, "film.sdp"),
        code=2,
        told=(
            "Error: film.sdp can't be read as a video or picture: it is a description of a "
            "broadcast, not the film. Give the film itself."
        ),
    ),
    Case(
        "a SMIL file",
        FILM,
        a(lambda: SMIL),
        code=2,
        told=("Error: film.mp4 can't be read as a video or picture: it is a text file. Give the film itself."),
    ),
    Case(
        "an IMF package's asset map",
        FILM,
        a(lambda: IMF),
        code=2,
        told=("Error: film.mp4 can't be read as a video or picture: it is an XML document. Give the film itself."),
    ),
    Case(
        "a VobSub index",
        FILM,
        a(lambda: VOBSUB, "film.idx"),
        code=2,
        told=("Error: film.idx can't be read as a video or picture: it is a text file. Give the film itself."),
    ),
    Case(
        "a name that is a pattern of image2: frame%03d.png",
        FILM,
        a(lambda: b"text", "frame%03d.png"),
        code=2,
        told="Error: frame%03d.png ends before its first frame. Upload the whole file again.",
    ),
    Case(
        "a name that looks like a protocol: concat:a|b.mp4",
        FILM,
        a(sound_film, "concat:a|b.mp4"),
        code=0,
        told="taken\nframes kept: 3",
    ),
    # ---- MP4 files cut off
    Case(
        "an MP4 without moov",
        FILM,
        a(lambda: without_box(film(frames_of(12)), b"moov")),
        code=2,
        told=(
            "Error: film.mp4 has no index (its moov box is missing): the recording or the copy ended "
            "early. Copy it again, or repair it with a tool for MP4 files without moov."
        ),
    ),
    Case(
        "an MP4 without mdat",
        FILM,
        a(lambda: without_box(fast_start(), b"mdat")),
        code=2,
        told="Error: film.mp4 ends before its first frame. Upload the whole file again.",
    ),
    Case(
        "an MP4 that ends in its ftyp",
        FILM,
        a(lambda: cut(b"ftyp", 10)),
        code=2,
        told=(
            "Error: film.mp4 has no index (its moov box is missing): the recording or the copy ended "
            "early. Copy it again, or repair it with a tool for MP4 files without moov."
        ),
    ),
    Case(
        "an MP4 that ends behind its ftyp",
        FILM,
        a(lambda: cut(b"moov", 0)),
        code=2,
        told=(
            "Error: film.mp4 has no index (its moov box is missing): the recording or the copy ended "
            "early. Copy it again, or repair it with a tool for MP4 files without moov."
        ),
    ),
    Case(
        "an MP4 that ends in its moov",
        FILM,
        a(lambda: cut(b"moov", 300)),
        code=2,
        told="Error: film.mp4 has no picture stream, only data. Upload the film itself, not its sound.",
    ),
    Case(
        "an MP4 that ends behind its moov",
        FILM,
        a(lambda: cut(b"mdat", 8)),
        code=2,
        told="Error: film.mp4 ends before its first frame. Upload the whole file again.",
    ),
    Case(
        "an MP4 that ends in its first frame",
        FILM,
        a(lambda: cut(b"mdat", 200)),
        code=2,
        told="Error: film.mp4 ends before its first frame. Upload the whole file again.",
    ),
    # ---- MP4 files that lie
    Case(
        "a moov within a moov, 10,000 deep",
        FILM,
        a(
            lambda: (
                box(b"ftyp", b"isom", bytes(4))
                + functools.reduce(lambda inner, _: box(b"moov", inner), range(10_000), b"")
            )
        ),
        code=2,
        told=(
            "Error: film.mp4 is a damaged MP4 or MOV file (Invalid data found when processing "
            "input). Copy or export it again."
        ),
    ),
    Case(
        "1,000,000 tracks",
        FILM,
        a(lambda: box(b"ftyp", b"isom", bytes(4)) + box(b"moov", box(b"trak") * 1_000_000)),
        code=2,
        told=("Error: film.mp4 is a damaged MP4 or MOV file (Cannot allocate memory). Copy or export it again."),
    ),
    Case(
        "a box of 2^63 bytes",
        FILM,
        a(lambda: box(b"ftyp", b"isom", bytes(4)) + struct.pack(">I4sQ", 1, b"moov", 2**63)),
        code=2,
        told="Error: film.mp4 holds no stream of pictures, nor any other. Give the film itself.",
    ),
    Case(
        "an index of 2^32 samples",
        FILM,
        a(lambda: patched(b"stsz", 8, 2**32 - 1)),
        code=2,
        told=(
            "Error: film.mp4 is a damaged MP4 or MOV file (Invalid data found when processing "
            "input). Copy or export it again."
        ),
    ),
    Case(
        "2^32 times in its index",
        FILM,
        a(lambda: patched(b"stts", 8, 2**32 - 1)),
        code=0,
        told="taken\nframes kept: 3",
    ),
    Case(
        "each frame lasts 2^31 units",
        FILM,
        a(lambda: patched(b"stts", 12, 2**31 - 1)),
        code=0,
        told="taken\nframes kept: 1",
    ),
    Case(
        "each frame lasts -5 units",
        FILM,
        a(lambda: patched(b"stts", 12, -5)),
        code=0,
        told="taken\nframes kept: 1",
    ),
    Case("0 units a second", FILM, a(lambda: patched(b"mdhd", 12, 0)), code=0, told="taken\nframes kept: 1"),
    Case(
        "2^32 - 1 units a second",
        FILM,
        a(lambda: patched(b"mdhd", 12, 2**32 - 1)),
        code=0,
        told="taken\nframes kept: 1",
    ),
    Case(
        "its data lie 4 GB behind its end",
        FILM,
        a(lambda: patched(b"stco", 8, 2**32 - 1)),
        code=2,
        told="Error: film.mp4 ends before its first frame. Upload the whole file again.",
    ),
    Case(
        "a matrix of nonsense",
        FILM,
        a(lambda: with_matrix(sound_film(), 12345, -999, 7, 30_000)),
        code=0,
        told="taken\nframes kept: 3",
    ),
    Case(
        "a matrix of zeros",
        FILM,
        a(lambda: with_matrix(sound_film(), 0, 0, 0, 0)),
        code=0,
        told="taken\nframes kept: 3",
    ),
    Case(
        "encrypted",
        FILM,
        a(encrypted),
        code=2,
        told=(
            "Error: film.mp4 is encrypted (DRM), so its pictures can't be decoded. Use a file "
            "without copy protection."
        ),
    ),
    # ---- sizes
    Case(
        "a GIF of 65,535 x 65,535 px",
        FILM,
        a(lambda: gif(65_535, 65_535, 1), "film.gif"),
        code=2,
        told=(
            "Error: film.gif ends before its first frame (it can't be read any further (Invalid "
            "argument)). Upload the whole file again."
        ),
    ),
    Case(
        "a GIF of 8,192 x 8,192 px",
        FILM,
        a(lambda: gif(8192, 8192, 20), "film.gif"),
        code=2,
        told=(
            "Error: film.gif has frames of 8,192 x 8,192 px, each 268,435,456 bytes when it is "
            "decoded; at most 134,217,728 fit into memory. Scale it down first, or give it fewer "
            "bits a pixel."
        ),
    ),
    Case(
        "70 frames of 4,096 x 2,304 px in a second, 2 KB",
        FILM,
        a(lambda: gif(4096, 2304, 70, 1), "film.gif"),
        code=0,
        told="film.gif: has transparent parts; they become black.\ntaken\nframes kept: 0",
    ),
    Case(
        "a GIF of 0 x 0 px",
        FILM,
        a(lambda: gif(0, 0, 1), "film.gif"),
        code=2,
        told=(
            "Error: film.gif can't be read as a video or picture (Invalid data found when processing "
            "input). Use a file that a video player opens, such as MP4, MOV, MKV or WebM."
        ),
    ),
    Case(
        "a still of 8,192 x 8,192 px with 64 bits each, 3 MB",
        FILM,
        a(lambda: still_of(8192, 8192), "film.png"),
        code=2,
        told=(
            "Error: film.png has frames of 8,192 x 8,192 px, each 536,870,912 bytes when it is "
            "decoded; at most 268,435,456 fit into memory. Scale it down first, or give it fewer "
            "bits a pixel."
        ),
    ),
    Case("a film 1 px wide", FILM, a(lambda: narrow(1, 90), "film.mov"), code=0, told="taken\nframes kept: 1"),
    Case("a film 1 px high", FILM, a(lambda: narrow(90, 1), "film.mov"), code=0, told="taken\nframes kept: 1"),
    Case(
        "a still of 1 x 20,000 px",
        FILM,
        a(lambda: still_of(1, 20_000), "film.png"),
        code=0,
        told="film.png: has transparent parts; they become black.\ntaken\nframes kept: 0",
    ),
    # ---- times
    Case(
        "four frames over 3 years",
        FILM,
        a(lambda: OddFilm(container="matroska", times_ms=[0, 40, 80, 10**11]).of(frames_of(4)), "film.mkv"),
        code=2,
        told=(
            "Error: film.mkv lasts 27,777.8 hours, as it says; at most 24 can be used. Cut it into "
            "parts. If it is shorter, its times are damaged: export it again."
        ),
    ),
    Case(
        "a film that begins after 25 hours",
        FILM,
        a(lambda: OddFilm(times_ms=[90_000_000 + 80 * n for n in range(12)]).of(frames_of(12))),
        code=0,
        told="taken\nframes kept: 1",
    ),
    Case(
        "2,000 frames in two milliseconds",
        FILM,
        a(
            lambda: OddFilm("ffv1", "matroska", rate=1000, times_ms=[n // 1000 for n in range(2000)]).of(
                frames_of(2000, width=32, height=32)
            ),
            "film.mkv",
        ),
        code=0,
        told="taken\nframes kept: 1",
    ),
    Case(
        "times that go back",
        FILM,
        a(lambda: 2 * OddFilm(container="mpegts").of(frames_of(36)), "film.ts"),
        code=0,
        told="taken\nframes kept: 3",
    ),
    Case("one frame", FILM, a(lambda: OddFilm().of(frames_of(1))), code=0, told="taken\nframes kept: 1"),
    # ---- streams
    Case(
        "sound alone",
        FILM,
        a(with_sound_only, "film.wav"),
        code=2,
        told=("Error: film.wav has no picture stream, only audio. Upload the film itself, not its sound."),
    ),
    Case(
        "subtitles alone",
        FILM,
        a(subtitles_only, "film.mkv"),
        code=2,
        told=("Error: film.mkv has no picture stream, only subtitle. Upload the film itself, not its sound."),
    ),
    Case(
        "blocks that unpack to 400 MB",
        FILM,
        a(matroska_of_packed_zeros, "film.mkv"),
        code=2,
        told="Error: film.mkv ends before its first frame. Upload the whole file again.",
    ),
    Case(
        "an AVI without its index",
        FILM,
        a(lambda: OddFilm("mpeg4", "avi").of(frames_of(36)).replace(b"idx1", b"JUNK"), "film.avi"),
        code=0,
        told="taken\nframes kept: 3",
    ),
    Case(
        "an AVI whose index points at itself",
        FILM,
        a(
            lambda: re.sub(
                rb"(00dc\x10\x00\x00\x00)....",
                rb"\1" + bytes((4, 0, 0, 0)).replace(b"\x00", rb"\000").replace(b"\x04", rb"\004"),
                OddFilm("mpeg4", "avi").of(frames_of(36)),
                flags=re.DOTALL,
            ),
            "film.avi",
        ),
        code=0,
        told="taken\nframes kept: 3",
    ),
    Case(
        "an animated GIF",
        FILM,
        a(lambda: OddFilm("gif", "gif", "rgb8", 10).of(frames_of(20)), "film.gif"),
        code=0,
        told="taken\nframes kept: 2",
    ),
    Case(
        "an animated PNG",
        FILM,
        a(lambda: OddFilm("apng", "apng", "rgb24", 10).of(frames_of(20)), "film.png"),
        code=0,
        told="film.png: its header gives no duration; 2.0 s by its data.\ntaken\nframes kept: 2",
    ),
    Case(
        "an animated WebP",
        FILM,
        a(lambda: OddFilm("libwebp_anim", "webp", rate=10).of(frames_of(20)), "film.webp"),
        code=0,
        told="film.webp: its header gives no duration; 2.0 s by its data.\ntaken\nframes kept: 2",
    ),
]
