"""CheckProvisioning: look whether what draws is ready: the hosted model, or the pictures of a job."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.billing import Billed
from storycast.job_time import overdue_words
from storycast.ports import BillingBook, ObjectStore
from storycast.renderers import Renderer, RendererFacts
from storycast.stages.billing_copy import copy_rows
from storycast.stages.reading import read_record
from storycast.storyboard import panels_are_paid
from storycast.training import TrainedModel, TrainingPlan


def check_provisioning(
    plan: TrainingPlan, *, store: ObjectStore, book: BillingBook, renderer: Renderer, now: datetime
) -> dict[str, Any]:
    """Look at what the session draws with; of a job that has ended, keep what it has drawn.

    Returns:
        ``status``: the service's; or ``Overdue``, by our clock or AWS's own; and ``Failed`` where it is gone; and
        ``message``, for people.
    """
    row = book.row(plan.hosting_name)
    found = renderer.find(row) if row else None
    # Also where an attempt meant to make it, and another session has drawn all before the next one.
    was_made = found is not None or (row is not None and row.arn is not None)
    if not was_made and panels_are_paid(store, plan):
        return {"status": "InService", "message": "all panels are drawn already"}
    if row is not None and found is not None and found.ended_at is not None:
        return _ended(plan, row, found, store, book, renderer)
    if row is None or row.state in {"ending", "ended"} or found is None:
        why = row.reason if row and row.reason else "nobody knows why"
        what = "hosting" if plan.target == "bedrock" else "job"
        return {"status": "Failed", "message": f"The {what} {plan.hosting_name} was ended meanwhile: {why}."}
    if found.status == "Failed":
        return {"status": "Failed", "message": found.message}
    if found.status != "InService" and now >= _deadline(row, renderer):
        since = f"since {row.intended_at:%H:%M} UTC"
        message = f"{found.name} is still {found.status} {since} ({found.message}). It is ended."
        return {"status": "Overdue", "message": message}
    return {"status": found.status, "message": f"{found.name}: {found.message}"}


def _deadline(row: Billed, renderer: Renderer) -> datetime:
    patience = renderer.patience
    return row.expires_at if patience is None else min(row.intended_at + patience, row.expires_at)


def _ended(
    plan: TrainingPlan,
    row: Billed,
    found: RendererFacts,
    store: ObjectStore,
    book: BillingBook,
    renderer: Renderer,
) -> dict[str, Any]:
    """Close what has ended by itself; what is drawn is kept, also of a job that failed in the middle."""
    model = read_record(store, keys.trained_model(plan.project, plan.fingerprint), TrainedModel)
    kept = renderer.keep(plan, model.model_arn if model else "")
    # Last: a row that has ended says that nothing of its job is left to be done.
    book.ended(row.name, found.ended_at or row.expires_at, found.secondary or found.status, found.billable_s)
    copy_rows(store, book, plan.run_id)
    message = found.message
    if found.status == "Overdue":
        message = overdue_words(found.secondary, row, "hosting.hours", plan.settings.hosting.hours)
    if kept and found.status != "InService":
        message = f"{message} {kept[:1].upper()}{kept[1:]}; start again for the rest."
    return {
        "status": found.status,
        "message": message if found.status != "InService" else f"{found.name}: {message}",
    }
