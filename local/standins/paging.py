"""Lists: which items a request asks for, in which order, and in pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from local.standins.errors import ModelledError
from local.standins.service import Params

#: Where nobody says how many. AWS shows more; a small page shows who does not turn it.
DEFAULT_PAGE = 10


class _Listed(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def created_at(self) -> dt.datetime: ...


def page[T: _Listed](items: Sequence[T], params: Params) -> tuple[Sequence[T], Params]:
    """The page that a request asks for, and the token of the next one where there is one.

    Args:
        items: What there is, the oldest first.
        params: Of a request: ``nameContains`` (a part of the name), ``creationTimeAfter``,
            ``creationTimeBefore``, ``sortOrder`` (the newest first unless ``Ascending``), ``maxResults`` and
            ``nextToken``.

    Returns:
        The items, and ``nextToken`` as a member of the answer if there are more.

    Raises:
        ModelledError: ValidationException; the token is none of ours.
    """
    token = params.get("nextToken", "0")
    if not token.isdecimal():
        raise ModelledError("ValidationException", "The provided nextToken is invalid.")
    found = [item for item in items if _is_wanted(item, params)]
    if params.get("sortOrder") != "Ascending":
        found.reverse()
    start = int(token)
    end = start + params.get("maxResults", DEFAULT_PAGE)
    return found[start:end], {"nextToken": str(end)} if end < len(found) else {}


def token_page[T](items: Sequence[T], params: Params) -> tuple[Sequence[T], Params]:
    """The page that a request to Rekognition asks for, by ``MaxResults`` and ``NextToken``; see ``page``.

    Raises:
        ModelledError: InvalidPaginationTokenException; the token is none of ours.
    """
    token = params.get("NextToken", "0")
    if not token.isdecimal():
        raise ModelledError("InvalidPaginationTokenException", "The provided NextToken is invalid.")
    start = int(token)
    end = start + (params.get("MaxResults") or DEFAULT_PAGE)
    return items[start:end], {"NextToken": str(end)} if end < len(items) else {}


def _is_wanted(item: _Listed, params: Params) -> bool:
    after, before = params.get("creationTimeAfter"), params.get("creationTimeBefore")
    return (
        params.get("nameContains", "") in item.name
        and (after is None or item.created_at > after)
        and (before is None or item.created_at < before)
    )
