"""The budget: no step begins that could cost more than is left of it."""

from storycast.errors import BudgetExceededError
from storycast.prices import usd


def refuse_over_budget(budget_usd: float, spent_usd: float, next_usd: float, what: str) -> None:
    """Refuse a step that could cost more than is left.

    Args:
        budget_usd: The project's ``budget_usd``; 0 means that it set none, and nothing is refused.
        spent_usd: What the run has cost so far.
        next_usd: What the step costs at most.
        what: The step, and what makes it cheaper, such as ``captions for 120 pictures (fewer:
            selection.images_per_character)``.

    Raises:
        BudgetExceededError: With the numbers.
    """
    if budget_usd <= 0 or spent_usd + next_usd <= budget_usd:
        return
    left_usd = max(budget_usd - spent_usd, 0.0)
    raise BudgetExceededError(
        f"The next step could cost up to {usd(next_usd)}: {what}. {usd(spent_usd)} of budget_usd: {budget_usd:g} "
        f"is spent, so {usd(left_usd)} is left, and the step was not begun. Make it smaller, or set budget_usd "
        f"to at least {usd(spent_usd + next_usd)}, and start again: what was paid is not paid twice."
    )


def refuse_too_dear(budget_usd: float, low_usd: float, high_usd: float) -> None:
    """Refuse a whole run that costs more than the budget, however it goes.

    Args:
        budget_usd: The project's ``budget_usd``; 0 means that it set none, and nothing is refused.
        low_usd: What the run is expected to cost at least.
        high_usd: What it is expected to cost at most.

    Raises:
        BudgetExceededError: With the numbers, and what makes a run cheaper.
    """
    if budget_usd <= 0 or low_usd <= budget_usd:
        return
    raise BudgetExceededError(
        f"The run is expected to cost {usd(low_usd)} to {usd(high_usd)}, more than budget_usd: {budget_usd:g}; "
        "nothing was paid. Lower sampling.frames_per_second, selection.images_per_character, training.step_count "
        "or hosting, or raise budget_usd. `storycast estimate` shows what costs how much; what earlier runs paid "
        "for is not taken off."
    )
