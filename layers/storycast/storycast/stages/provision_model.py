"""ProvisionModel: host the trained model by the hour, or find its hosting again."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.budget import refuse_over_budget
from storycast.costs import spent_usd
from storycast.errors import ModelMissingError
from storycast.estimate import hosting_most_usd, storyboard_usd
from storycast.fingerprint import canonical_json
from storycast.ports import BillingBook, ModelHost, ObjectStore
from storycast.runs import read_run
from storycast.stages.billing_copy import copy_rows
from storycast.stages.reading import read_record
from storycast.training import TrainedModel, TrainingPlan


def provision_model(
    plan: TrainingPlan, *, store: ObjectStore, book: BillingBook, host: ModelHost, now: datetime
) -> dict[str, Any]:
    """Begin to host the session's model, without commitment.

    Returns:
        The hosting's name.

    Raises:
        ModelMissingError: There is no trained model.
        BudgetExceededError: Hosting could pass the budget.
        BillingClosedError: The session's teardown has begun.
        HostingFailedError: The service does not host it; so with ``TrainingAccessError``.
    """
    model = read_record(store, keys.trained_model(plan.project, plan.fingerprint), TrainedModel)
    if model is None:
        raise ModelMissingError(
            f"The training {plan.training_id} of {plan.run_id} has no model to host. Train it first."
        )
    hosting = plan.settings.hosting
    run = read_run(store, plan.run_id)
    most_usd = hosting_most_usd(plan.settings) + storyboard_usd(plan.settings).high
    what = f"hosting for the storyboard (hosting.hours: {hosting.hours:g})"
    own = [row for row in book.rows(plan.run_id) if row.name != plan.hosting_name]
    refuse_over_budget(plan.settings.budget_usd, spent_usd(run, own, now), most_usd, what)
    units, hours = hosting.model_units, hosting.hours
    row = book.intend(
        plan.billed("provisioned_throughput", plan.hosting_name, now, hours=hours, model_units=units)
    )
    arn = row.arn
    if arn is None:
        found = host.find(row.name)
        tags = {"storycast:run": plan.run_id, "storycast:training": plan.training_id}
        arn = found.arn if found else host.create(row.name, model.model_arn, hosting.model_units, tags)
        book.created(row.name, arn, found.created_at if found else now)
    content = canonical_json({"arn": arn, "name": row.name}).encode()
    key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, "hosting.json")
    store.put(key, content, "application/json")
    copy_rows(store, book, plan.run_id)
    return {"name": row.name}
