"""FindUnowned: tell people of what is billed in this account and that no run owns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storycast.ports import BillingBook, Claims, Notifier
from storycast.renderers import Renderer

MOST_TOLD = 20


def find_unowned(
    *, book: BillingBook, claims: Claims, renderers: Sequence[Renderer], notifier: Notifier, now: datetime
) -> dict[str, Any]:
    """Look for what no open row of the book names, and tell people once a day. It is not ours to end.

    Args:
        book: What is billed.
        claims: Who has been told today.
        renderers: Where to look: at hosting, and at SageMaker's jobs where the stack has them.
        notifier: Whom to tell.
        now: The time.

    Returns:
        How much there is, and the first names.
    """

    # Asked for one by one: what is there has had its row before, and so it is seen.
    def is_owned(name: str) -> bool:
        row = book.row(name)
        return row is not None and row.is_open

    unowned = [found for renderer in renderers for found in renderer.unowned(is_owned)]
    today = f"{now:%Y-%m-%d}"
    for one in unowned:
        item, owner = f"unowned#{one.arn}#{today}", now.isoformat()
        if claims.claim(item, owner, {"name": one.name}) != owner:
            continue
        notifier.tell(
            f"Storycast: {one.what} that no run owns",
            f"{one.name} ({one.arn}) is {one.status} since {one.created_at:%Y-%m-%d %H:%M} UTC, {one.terms}. "
            "Storycast did not make it, or has ended its own record of it, and leaves it alone. "
            f"{one.what_to_do}",
        )
    return {"unowned_count": len(unowned), "unowned": [one.name for one in unowned[:MOST_TOLD]]}
