"""FindUnowned: tell people of hosting in this account that no run owns."""

from datetime import datetime
from typing import Any

from storycast.ports import BillingBook, Claims, ModelHost, Notifier

MOST_TOLD = 20


def find_unowned(
    *, book: BillingBook, claims: Claims, host: ModelHost, notifier: Notifier, now: datetime
) -> dict[str, Any]:
    """Look for hosting that no open row of the book names, and tell people once a day. It is not ours to end.

    Returns:
        How much there is, and the first names.
    """
    # Asked for hosting by hosting: what is there has had its row before, and so it is seen.
    unowned = [one for one in host.all() if not ((row := book.row(one.name)) and row.is_open)]
    today = f"{now:%Y-%m-%d}"
    for one in unowned:
        item = f"unowned#{one.arn}#{today}"
        owner = now.isoformat()
        if claims.claim(item, owner, {"name": one.name}) != owner:
            continue
        terms = f"commitment {one.commitment}" if one.commitment else "billed by the hour"
        notifier.tell(
            "Storycast: hosting that no run owns",
            f"{one.name} ({one.arn}) is {one.status} since {one.created_at:%Y-%m-%d %H:%M} UTC, "
            f"{one.model_units} model units, {terms}. Storycast did not make it, or has ended its own record of "
            "it, and leaves it alone. Delete it in the console of Amazon Bedrock if nobody needs it.",
        )
    return {"unowned_count": len(unowned), "unowned": [one.name for one in unowned[:MOST_TOLD]]}
