"""How long a SageMaker job may run, so that AWS's own clock keeps the budget; and what is told after that."""

from storycast.billing import Billed
from storycast.errors import BudgetExceededError
from storycast.estimate import most_hours
from storycast.prices import usd
from storycast.settings import Settings

LEAST_HOURS = 0.25
"""What a job needs at least where the project asks for no less: a machine has to start, and load the model."""
OVERDUE = {"MaxRuntimeExceeded", "MaxWaitTimeExceeded"}
"""Secondary statuses of a job that AWS's own clock has ended."""


def run_seconds(settings: Settings, left_usd: float, asked_hours: float, what: str) -> int:
    """Return how many seconds a job may run: as long as the project allows, and the budget buys at list price.

    Args:
        settings: The project's settings, with a session's overrides.
        left_usd: What is left of the budget for it.
        asked_hours: ``training.max_hours``, of a drawing ``hosting.hours``.
        what: The job, in words.

    Raises:
        BudgetExceededError: What is left buys less than a job needs.
    """
    hours = most_hours(settings, left_usd, asked_hours)
    if hours < min(LEAST_HOURS, asked_hours):
        instance = settings.training.lora.instance_type
        raise BudgetExceededError(
            f"{usd(max(left_usd, 0.0))} of budget_usd: {settings.budget_usd:g} is left for {what}, which buys "
            f"{int(hours * 60)} minutes of {instance}; it needs {LEAST_HOURS * 60:g}. It was not begun. Raise "
            "budget_usd, or choose a cheaper training.lora.instance_type, and start again: what was paid is not "
            "paid twice."
        )
    return max(int(hours * 3600), 1)


def wait_seconds(settings: Settings, asked_hours: float, run_s: int) -> int | None:
    """Return how long a job may take in all, waiting for capacity included; None without spot capacity."""
    return max(int(asked_hours * 3600), run_s) if settings.training.lora.spot else None


def overdue_words(secondary: str, row: Billed, setting: str, asked_hours: float) -> str:
    """Return in words why AWS's own clock ended a job, and what to raise.

    Args:
        secondary: The job's secondary status.
        row: Its row.
        setting: Name of the setting that bounds it, such as ``training.max_hours``.
        asked_hours: Its value.
    """
    bound = f"{setting}: {asked_hours:g}"
    if secondary == "MaxWaitTimeExceeded":
        return (
            f"The job {row.name} did not come to its end within {bound}: there was no spot capacity of "
            f"{row.instance_type}, or not for long enough. Set training.lora.spot: false, name another "
            f"training.lora.instance_type, or raise {setting}; and start again."
        )
    ran = f"The job {row.name} ran for {row.max_run_s / 60:,.0f} minutes, the most it might, and was ended by AWS"
    if row.max_run_s < int(asked_hours * 3600):
        return (
            f"{ran}: the rest of budget_usd bought no more. Raise budget_usd, or name a "
            f"cheaper or faster training.lora.instance_type, and start again."
        )
    return f"{ran} ({bound}). Raise {setting}, or name a faster training.lora.instance_type, and start again."
