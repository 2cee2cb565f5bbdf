"""Recognition: what a file is that can't be opened as a video or picture, so that a message can name it."""

import struct
from typing import IO

HEAD_BYTES = 4096
FRAGMENTED_INDEX_BYTES = 64 * 1024
"""The index of a fragmented MP4 lists no samples, so it is small."""
MAX_BOXES = 64
"""Of an MP4, looked at from the front; each costs a short read."""
_SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive. Unpack it and give the films or pictures in it"),
    (b"PK\x05\x06", "an empty ZIP archive. Give the films or pictures themselves"),
    (b"Rar!", "a RAR archive. Unpack it and give the films in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive. Unpack it and give the films in it"),
    (b"\x1f\x8b", "a gzip archive. Unpack it and give the film in it"),
    (b"%PDF", "a PDF document. Give the film itself"),
    (b"#EXTM3U", "a playlist, which only names films. Give the film itself"),
    (b"ffconcat", "a playlist, which only names films. Give the film itself"),
    (b"v=0", "a description of a broadcast, not the film. Give the film itself"),
    (b"<?xml", "an XML document. Give the film itself"),
    (b"<!DOCTYPE", "a web page: the download went wrong. Download the film again"),
    (b"<!doctype", "a web page: the download went wrong. Download the film again"),
    (b"<html", "a web page: the download went wrong. Download the film again"),
)
_USE = "Use a file that a video player opens, such as MP4, MOV, MKV or WebM."


def refusal(file: IO[bytes], name: str, reason: str) -> str:
    """Return what to tell of a file that ffmpeg did not open.

    Args:
        file: A seekable binary file.
        name: What to call it.
        reason: What ffmpeg said.

    Returns:
        What the file is, or else ffmpeg's reason, and what to do next.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if not head:
        return f"{name} is empty (0 bytes). Copy or export it again."
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = next((kind for signature, kind in _SIGNATURES if text.startswith(signature)), None)
    if kind is None and not head.strip(b"\0"):
        kind = "nothing but zeros at its beginning: it was not copied to its end. Copy or upload it again"
        return f"{name} holds {kind}."
    if kind is None and head[4:8] in (b"ftyp", b"mdat", b"moov", b"free", b"wide", b"skip"):
        return _told_of_boxes(file, name, reason)
    if kind is None and _is_text(head):
        kind = "a text file. Give the film itself"
    if kind is not None:
        return f"{name} can't be read as a video or picture: it is {kind}."
    return f"{name} can't be read as a video or picture ({reason}). {_USE}"


def is_fragmented(file: IO[bytes]) -> bool:
    """Tell whether an MP4's samples are listed in fragments throughout the file, and not in one index."""
    return any(
        kind == b"moov" and size <= FRAGMENTED_INDEX_BYTES and b"mvex" in _content(file, position, size)
        for kind, position, size in _boxes(file)
    )


def _content(file: IO[bytes], position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


def _told_of_boxes(file: IO[bytes], name: str, reason: str) -> str:
    if b"moov" not in [kind for kind, _, _ in _boxes(file)]:
        return (
            f"{name} has no index (its moov box is missing): the recording or the copy ended early. Copy it "
            "again, or repair it with a tool for MP4 files without moov."
        )
    return f"{name} is a damaged MP4 or MOV file ({reason}). Copy or export it again."


def _boxes(file: IO[bytes]) -> list[tuple[bytes, int, int]]:
    """Return kind, position and size of an MP4's outermost boxes up to its index, as far as they are whole."""
    boxes: list[tuple[bytes, int, int]] = []
    end = file.seek(0, 2)
    position = 0
    while position + 8 <= end and len(boxes) < MAX_BOXES:
        file.seek(position)
        size, kind = struct.unpack(">I4s", file.read(8))
        least = 8
        if size == 1:
            extended = file.read(8)
            size, least = int.from_bytes(extended, "big"), 16
        if size == 0:
            size = end - position
        if size < least or not kind.isalnum():
            break
        if position + size <= end:
            boxes.append((kind, position, size))
        if kind == b"moov":
            break
        position += size
    return boxes


def _is_text(head: bytes) -> bool:
    printable = sum(byte in b"\t\r\n" or 32 <= byte < 127 or byte >= 128 for byte in head)
    try:
        head[:-4].decode()
    except UnicodeDecodeError:
        return False
    return printable == len(head)
