"""What `storycast estimate` does: read headers, count, and show what it would cost."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from cli.footage_check import check_footage, notes_on
from cli.problems import InputRefusedError
from cli.project import check_project
from cli.screen import Screen, printable
from storycast.estimate import Estimate, Range, estimate, hosting_most_usd
from storycast.licences import licence_of
from storycast.prices import usd
from storycast.settings import Settings


@dataclass(frozen=True, slots=True)
class Expected:
    """An estimate, and the settings that it is of."""

    settings: Settings
    footage_count: int
    estimate: Estimate
    footage_notes: tuple[str, ...] = ()
    """What is unusual about the footage, a line each."""


def gather(footage: Sequence[Path], project_file: Path | None) -> Expected:
    """Read the footage's headers and the project file, and estimate.

    Raises:
        InputRefusedError: Something can't be used; the message names all of it.
    """
    files, problems = check_footage(footage)
    settings, reference_count, caption_prompt = Settings(), 0, None
    if project_file is not None:
        project, more = check_project(project_file)
        problems += more
        if project is not None:
            settings, reference_count = project.settings, len(project.references)
            caption_prompt = project.caption_prompt
    if problems:
        raise InputRefusedError(problems)
    durations_ms = [file.header.duration_ms for file in files]
    expected = estimate(settings, durations_ms, reference_count=reference_count, caption_prompt=caption_prompt)
    return Expected(settings, len(files), expected, tuple(notes_on(files)))


def tell(expected: Expected, screen: Screen, *, as_json: bool) -> None:
    """Print an estimate: line by line, in all, what it rests on, and whether the budget holds."""
    verdict = said_of_budget(expected.settings, expected.estimate.total)
    if as_json:
        made = {**expected.estimate.to_json(), "budget_usd": expected.settings.budget_usd, "verdict": verdict}
        screen.json(json.dumps(made, indent=1))
        return
    screen.console.print(_table(expected.estimate))
    screen.say(f"At AWS's list prices of {expected.estimate.as_of}. On this machine nothing is charged.")
    screen.say(verdict, style="bold")
    training = expected.settings.training
    if training.target == "sagemaker":
        screen.say(f"Base model {licence_of(training.model_id).words}")
        screen.say("Whether the stack can train, `storycast doctor --target aws --project FILE` tells.")
    elif training.target == "bedrock":
        screen.say("Whether the base model still lives, `storycast doctor --target aws --project FILE` tells.")
    screen.say("It assumes:")
    for assumption in expected.estimate.to_json()["assumptions"]:
        screen.say(f"  {assumption}")
    for note in (*expected.estimate.notes, *expected.footage_notes):
        screen.say(note)


def said_of_budget(settings: Settings, total: Range) -> str:
    """Return in a sentence whether the budget holds."""
    budget = settings.budget_usd
    trains = settings.training.target != "none"
    if budget <= 0:
        return (
            "No budget_usd is set. A training needs one; nothing is trained without."
            if trains
            else "No budget_usd is set, so nothing stops the run but its end."
        )
    if total.low > budget:
        return f"budget_usd: {budget:g} does not suffice: the run would be refused before anything is paid."
    hosting = hosting_most_usd(settings)
    if trains and settings.storyboard.prompts and hosting > budget:
        what = "drawing" if settings.training.target == "sagemaker" else "hosting"
        return (
            f"budget_usd: {budget:g} does not cover the {usd(hosting)} that {what} costs before it is ended by "
            "force: the run would be refused before anything is paid. Lower hosting.hours or raise the budget."
        )
    if total.high > budget:
        return f"budget_usd: {budget:g} may not suffice: the run stops before the step that could pass it."
    return f"Within budget_usd: {budget:g}."


def _table(made: Estimate) -> Table:
    table = Table(box=box.SIMPLE, show_footer=True, pad_edge=False)
    table.add_column("Stage", footer="in all", no_wrap=True)
    table.add_column("What")
    table.add_column("Count", justify="right")
    table.add_column("Price each", justify="right")
    table.add_column("Cost", justify="right", footer=amounts(made.total), no_wrap=True)
    for line in made.lines:
        each = "by formula" if line.unit_usd is None else _price(line.unit_usd)
        if not line.price_known:
            each = f"no price known: {each}"
        elif not line.price_confirmed:
            each += " unconfirmed"
        counted = "" if line.unit_usd is None else _counts(line.count)
        cells = (line.stage.replace("_", " "), line.what, counted, each, amounts(line.usd))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _price(unit_usd: float) -> str:
    if unit_usd < 0.00001:
        return f"${unit_usd * 1_000_000:.2f} a million"
    return f"${unit_usd:.2f}" if unit_usd >= 0.01 else f"${unit_usd:.5f}".rstrip("0")


def _counts(count: Range) -> str:
    low, high = _count(count.low), _count(count.high)
    return high if low == high else f"{low} to {high}"


def _count(number: float) -> str:
    """Return a count; one of some hours or less has digits after its point."""
    return f"{number:,.0f}" if number >= 10 or number == round(number) else f"{number:.2f}"


def amounts(amount: Range) -> str:
    """Return a range of dollars, or one amount where both ends read the same."""
    low, high = usd(amount.low), usd(amount.high)
    return high if low == high else f"{low} to {high}"
