"""ProvisionModel: host the trained model by the hour or have a job draw with it; or find that again."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.budget import refuse_over_budget
from storycast.costs import spent_usd
from storycast.errors import ModelMissingError
from storycast.estimate import hosting_most_usd, storyboard_usd
from storycast.fingerprint import canonical_json
from storycast.ports import BillingBook, ObjectStore
from storycast.renderers import Renderer
from storycast.runs import read_run
from storycast.stages.billing_copy import copy_rows
from storycast.stages.reading import read_record
from storycast.storyboard import panels_are_paid
from storycast.training import TrainedModel, TrainingPlan


def provision_model(
    plan: TrainingPlan, *, store: ObjectStore, book: BillingBook, renderer: Renderer, now: datetime
) -> dict[str, Any]:
    """Make what draws with the session's model, unless everything was drawn meanwhile.

    Returns:
        Its name.

    Raises:
        ModelMissingError: There is no trained model.
        BudgetExceededError: It could pass the budget.
        BillingClosedError: The session's teardown has begun.
        HostingFailedError: The service does not host it; so with ``TrainingAccessError``.
    """
    model = read_record(store, keys.trained_model(plan.project, plan.fingerprint), TrainedModel)
    if model is None:
        raise ModelMissingError(
            f"The training {plan.training_id} of {plan.run_id} has no model to draw with. Train it first."
        )
    planned = book.row(plan.hosting_name)
    is_made = planned is not None and (planned.arn is not None or renderer.find(planned) is not None)
    if not is_made and panels_are_paid(store, plan):
        return {"name": plan.hosting_name}
    left_usd = _left_usd(plan, store, book, now)
    row = book.intend(renderer.row(plan, now, lambda: left_usd))
    arn = row.arn
    if arn is None:
        found = renderer.find(row)
        arn = found.arn if found else renderer.start(plan, model, row)
        book.created(row.name, arn, found.created_at if found else now)
    content = canonical_json({"arn": arn, "name": row.name}).encode()
    key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, "hosting.json")
    store.put(key, content, "application/json")
    copy_rows(store, book, plan.run_id)
    return {"name": row.name}


def _left_usd(plan: TrainingPlan, store: ObjectStore, book: BillingBook, now: datetime) -> float:
    """Return what is left of the budget for what draws; all that it could cost must be."""
    settings, run = plan.settings, read_run(store, plan.run_id)
    others = [row for row in book.rows(plan.run_id) if row.name != plan.hosting_name]
    spent, later = spent_usd(run, others, now), storyboard_usd(settings).high
    if plan.target == "bedrock":
        what = f"hosting for the storyboard (hosting.hours: {settings.hosting.hours:g})"
        refuse_over_budget(settings.budget_usd, spent, hosting_most_usd(settings) + later, what)
    return settings.budget_usd - spent - later
