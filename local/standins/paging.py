"""Pages of lists, as Bedrock's ``maxResults`` and ``nextToken`` make them."""

from __future__ import annotations

from collections.abc import Sequence

from local.standins.errors import ModelledError
from local.standins.service import Params

#: Where nobody says how many. AWS shows more; a small page shows who does not turn it.
DEFAULT_PAGE = 10


def page[T](items: Sequence[T], params: Params) -> tuple[Sequence[T], Params]:
    """The page that a request asks for, and the token of the next one where there is one.

    Raises:
        ModelledError: The token is none of ours.
    """
    token = params.get("nextToken", "0")
    if not token.isdecimal():
        raise ModelledError("ValidationException", "The provided nextToken is invalid.")
    start, size = int(token), params.get("maxResults", DEFAULT_PAGE)
    end = start + size
    return items[start:end], {"nextToken": str(end)} if end < len(items) else {}
