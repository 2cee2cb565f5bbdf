"""Thumbnails: small pictures inside the page, as many as it may hold."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from storycast.images import PictureUnreadableError, thumbnail
from storycast.report.material import Files

BUDGET_BYTES = 4_000_000
"""Of all pictures of a page together, so that the page stays below 5 MB whatever a run has left."""
WORKERS = 6
"""Pictures read and decoded at once; a frame of 4,096 x 4,096 px takes 50 MB."""
BATCH = 24
"""Pictures after which the budget is looked at."""


@dataclass(slots=True)
class Thumbnail:
    """A picture of the page; ``uri`` is empty where it is not there or the page was full.

    ``key`` is empty where nobody knows of a picture.
    """

    key: str
    side_px: int
    uri: str = ""


class Thumbnails:
    """Collects which pictures a page would show, the most important ones first, and then makes them."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], Thumbnail] = {}

    def ask(self, key: str, side_px: int) -> Thumbnail:
        """Return a picture that :meth:`make` fills in.

        Args:
            key: The picture's key.
            side_px: Its longer side on the page, in pixels.
        """
        return self._asked.setdefault((key, side_px), Thumbnail(key, side_px))

    def make(self, files: Files) -> int:
        """Make the pictures in the order in which they were asked for, until the page is full.

        Returns:
            How many were left out because it was.
        """
        asked, left = list(self._asked.values()), BUDGET_BYTES
        with ThreadPoolExecutor(WORKERS) as pool:
            for start in range(0, len(asked), BATCH):
                batch = asked[start : start + BATCH]
                for one, uri in zip(batch, pool.map(lambda one: _uri(files, one), batch), strict=True):
                    if len(uri) > left:
                        return len(asked) - asked.index(one)
                    one.uri, left = uri, left - len(uri)
        return 0


def _uri(files: Files, one: Thumbnail) -> str:
    if not one.key:
        return ""
    try:
        small = thumbnail(files.get(one.key), one.side_px)
    except (KeyError, PictureUnreadableError):
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
