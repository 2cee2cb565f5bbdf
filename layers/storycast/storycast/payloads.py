"""Payloads: what a state passes on. Keys and counts, never data; and words that are cut where they would grow."""

from collections.abc import Sequence

MAX_PAYLOAD_BYTES = 32 * 1024
"""That any state passes on, as UTF-8; Step Functions ends an execution at eight times as many."""
MOST_LISTED = 5
"""Of many things of a kind, that a message names."""


def clipped(text: str, most_bytes: int) -> str:
    r"""Return the beginning of a text that has so many bytes of UTF-8 at most; cut, it ends with an ellipsis.

    Half a character, which no record could hold, is told by its number, as ``\udcff``.
    """
    content = text.encode(errors="backslashreplace")
    if len(content) <= most_bytes:
        return content.decode()
    return content[: most_bytes - len("…".encode())].decode(errors="ignore") + "…"


def listed(things: Sequence[str], separator: str = ", ") -> str:
    """Return the first :data:`MOST_LISTED` things in words, and how many more there are."""
    told = separator.join(things[:MOST_LISTED])
    more = len(things) - MOST_LISTED
    return f"{told} and {more} more" if more > 0 else told
