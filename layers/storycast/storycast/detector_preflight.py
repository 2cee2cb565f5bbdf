"""Preflight of a Custom Labels model: what would keep it from running is found where asking is free."""

from collections.abc import Iterator

from storycast.custom_labels import CustomLabelModels, why_unusable
from storycast.errors import BudgetExceededError, ModelNotAvailableError
from storycast.findings import Finding
from storycast.prices import price_table, usd
from storycast.settings import Settings


def detector_findings(settings: Settings, models: CustomLabelModels | None) -> Iterator[Finding]:
    """Yield what is found about the Custom Labels model of a project; nothing where it asks for none.

    Args:
        settings: The project's settings.
        models: Tells how the model is; None where nobody does.
    """
    detection = settings.detection
    arn = detection.custom_labels_model
    if "custom_labels" not in detection.methods or arn is None:
        return
    most = detection_most_usd(settings)
    told = (
        f"A Custom Labels model is billed by the hour while it runs: up to {usd(most)} for "
        f"detection.custom_labels_hours: {detection.custom_labels_hours:g} and "
        f"detection.custom_labels_units: {detection.custom_labels_units}"
    )
    if settings.budget_usd <= 0:
        message = f"{told}. Set budget_usd to at least that, or take custom_labels out of detection.methods."
        yield Finding("problem", "custom labels", message, BudgetExceededError)
    elif settings.budget_usd < most:
        message = (
            f"{told}, and budget_usd is {settings.budget_usd:g}. Raise it, or lower detection.custom_labels_hours."
        )
        yield Finding("problem", "custom labels", message, BudgetExceededError)
    if models is None:
        yield Finding("unknown", "custom labels", f"Whether {arn} can run could not be looked at.")
        return
    facts = models.get(arn)
    if message := why_unusable(arn, facts):
        yield Finding("problem", "custom labels", message, ModelNotAvailableError)
    elif facts is not None:
        yield Finding("ok", "custom labels", f"{arn} is {facts.status}.")


def detection_most_usd(settings: Settings) -> float:
    """Return what a project's Custom Labels model costs at most in a run; 0 where it asks for none."""
    detection = settings.detection
    if "custom_labels" not in detection.methods:
        return 0.0
    hours = detection.custom_labels_hours * detection.custom_labels_units
    return hours * price_table().price("custom_labels_hour").usd
