"""CheckProvisioning: look whether the hosted model answers."""

from datetime import datetime, timedelta
from typing import Any

from storycast.ports import BillingBook, ModelHost
from storycast.training import TrainingPlan

PATIENCE = timedelta(hours=2)
"""Hosting comes into service within minutes; after this long it is given up."""


def check_provisioning(plan: TrainingPlan, *, book: BillingBook, host: ModelHost, now: datetime) -> dict[str, Any]:
    """Look at the session's hosting.

    Returns:
        ``status``: the service's, or ``Overdue``, and ``Failed`` where it is gone; and ``message``, for people.
    """
    row = book.row(plan.hosting_name)
    found = host.get(row.arn) if row and row.arn else host.find(plan.hosting_name)
    if row is None or row.state in {"ending", "ended"} or found is None:
        why = row.reason if row and row.reason else "nobody knows why"
        return {"status": "Failed", "message": f"The hosting {plan.hosting_name} was ended meanwhile: {why}."}
    if found.status == "Failed":
        reason = found.failure or "the service gives no reason"
        return {"status": "Failed", "message": f"The hosting {found.name} failed: {reason}"}
    if found.status != "InService" and now >= min(row.intended_at + PATIENCE, row.expires_at):
        message = (
            f"The hosting {found.name} is still {found.status} since {row.intended_at:%H:%M} UTC. It is ended."
        )
        return {"status": "Overdue", "message": message}
    return {"status": found.status, "message": f"{found.name} is {found.status}"}
