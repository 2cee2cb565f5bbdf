"""Answers that no caption can be made of, as captioners give them now and then."""

from __future__ import annotations

import hashlib

from local.standins.outcomes import CaptionOutcome

#: Answers with Converse's word for why they ended; the last one is a caption, and a bad one.
NONSENSE: tuple[tuple[str, str], ...] = (
    ("I'm sorry, but I can't help with identifying characters in this picture.", "end_turn"),
    ('{"caption": "Somebody stands in the middle of', "max_tokens"),
    ('Here is your caption:\n\n{"caption": "A figure in the middle of the picture."}', "end_turn"),
    ('["A figure in the middle of the picture."]', "end_turn"),
    ("", "end_turn"),
    ("The model cannot answer this request.", "content_filtered"),
    ("<p>A figure</p>", "end_turn"),
    ('{"caption": "A thing."}', "end_turn"),
)


def nonsense(asked: CaptionOutcome, picture: bytes, turns: int) -> tuple[str, str] | None:
    """Return what is answered instead of a caption, with why it ended; None where a caption is.

    Args:
        asked: What a test asks for.
        picture: The picture's bytes; they decide who gets nonsense, and which.
        turns: Turns of the conversation: a second answer is decided on anew.
    """
    if asked.text is not None:
        return asked.text, asked.stop_reason
    digest = hashlib.sha256(picture + bytes([turns])).digest()
    if int.from_bytes(digest[:4]) >= asked.nonsense_share * 2**32:
        return None
    return NONSENSE[digest[4] % len(NONSENSE)]
