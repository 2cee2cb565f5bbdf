"""What is said of a run when it has ended, and of all runs in a list."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from cli.billed import lines, rows
from cli.following import SUCCEEDED
from cli.lint_told import told_of_captions
from cli.objects import listed, read
from cli.problems import RunNotFoundError
from cli.reviews import ReviewProgress
from cli.screen import Screen
from cli.standins import workers_place
from cli.target import Target
from cli.trainings import panel_counts, refusals, said_of_models, stored_panels
from storycast import keys
from storycast.names import is_run_id
from storycast.prices import usd
from storycast.runs import Run

_STATUS_OF_EXECUTION = {
    "FAILED": "failed",
    "TIMED_OUT": "timed out",
    "ABORTED": "stopped",
}
_UNFINISHED = ("running", "in_review", "training")


REPORT = "report.html"
"""Name of the report within a run."""
PAID = "paid_"
"""Begins the names of counts that cost money."""


@dataclass(frozen=True, slots=True)
class RunState:
    """A run's record, and its status as Step Functions sees it now."""

    run: Run
    status: str


def read_record(target: Target, run_id: str) -> Run | None:
    """Return a run's record, None where the run has none (yet)."""
    content = read(target, keys.run_file(run_id, "run.json"))
    if content is None:
        return None
    try:
        data = json.loads(content)
        # A stack that is newer than this command may have written more.
        return Run.model_validate({name: data[name] for name in Run.model_fields if name in data})
    except (ValueError, ValidationError, TypeError):
        return None


def _pictures(target: Target, run_id: str) -> dict[str, int]:
    """Return how many pictures were chosen of each character; empty before that."""
    content = read(target, keys.run_file(run_id, "curation.json"))
    try:
        return {str(name): int(count) for name, count in json.loads(content or "{}").get("pictures", {}).items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def find_run(target: Target, run_id: str) -> Run:
    """Return a run's record.

    Raises:
        RunNotFoundError: There is none; the message says where was looked.
    """
    run = read_record(target, run_id) if is_run_id(run_id) else None
    if run is None:
        raise RunNotFoundError(
            f"There is no run '{run_id}' in {target.place}. `storycast status` lists the runs that there are."
        )
    return run


def reconciled(target: Target, run: Run) -> RunState:
    """Return a run with its status as it is: a record may say ``running`` of an execution that has ended."""
    if run.status not in _UNFINISHED:
        return RunState(run, run.status)
    arn, done = run.execution_arn, "dataset_ready"
    if run.status == "training":
        arn, done = run.training_execution_arn or arn, "storyboard_ready"
    try:
        execution = target.stepfunctions.describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            return RunState(run, "lost")
        raise
    if execution["status"] == SUCCEEDED:
        return RunState(run, done)
    return RunState(run, _STATUS_OF_EXECUTION.get(execution["status"], run.status))


def newest_runs(target: Target, limit: int) -> list[RunState]:
    """Return the newest runs, newest first."""
    runs = newest_records(target, limit)
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda run: reconciled(target, run), runs))


def newest_records(target: Target, limit: int) -> list[Run]:
    """Return the records of the newest runs, newest first."""
    pages = target.s3.get_paginator("list_objects_v2").paginate(
        Bucket=target.bucket, Prefix=keys.RUNS, Delimiter="/"
    )
    run_ids = [
        prefix["Prefix"].removeprefix(keys.RUNS).rstrip("/")
        for page in pages
        for prefix in page.get("CommonPrefixes", ())
    ]
    with ThreadPoolExecutor(8) as pool:
        records = pool.map(lambda run_id: read_record(target, run_id), _candidates(run_ids, limit))
        return sorted((run for run in records if run), key=lambda run: run.started_at, reverse=True)[:limit]


def _candidates(run_ids: list[str], limit: int) -> list[str]:
    """Return the ids of the newest days that hold ``limit`` runs; an id names its day."""
    by_day = sorted((run_id for run_id in run_ids if is_run_id(run_id)), key=_day, reverse=True)
    if len(by_day) <= limit:
        return by_day
    oldest = _day(by_day[limit - 1])
    return [run_id for run_id in by_day if _day(run_id) >= oldest]


def _day(run_id: str) -> str:
    parts = run_id.split("-")
    return parts[-2] if len(parts) > 2 and parts[-2].isdigit() else ""


def show_runs(target: Target, states: list[RunState], screen: Screen) -> None:
    """Print a list of runs, a line each, and those that wait for people once more."""
    width = max((len(state.run.run_id) for state in states), default=0)
    for state in states:
        run = state.run
        screen.say(f"{run.run_id:<{width}}  {state.status:<13}  {_when(run.started_at)}  {run.project}")
    for state in states:
        if line := said_of_review(target, state):
            screen.say(f"{state.run.run_id} {line}", style="bold")


def said_of_review(target: Target, state: RunState) -> str:
    """Return what a run that waits for people waits for, and what to type; empty where it waits for nobody."""
    if state.status != "in_review":
        return ""
    seen = ReviewProgress(target, state.run.run_id).look()
    waits = str(seen) if seen else "waits for review"
    if seen and seen.by_workers:
        return f"{waits}. Amazon A2I's workers look at it {workers_place(target)}"
    return f"{waits}: `storycast review {state.run.run_id} {target.options}`"


def show_run(target: Target, state: RunState, screen: Screen) -> None:
    """Print what a run is, counted and chose."""
    run = state.run
    screen.say(f"Run {run.run_id} of project {run.project}: {state.status}", style="bold")
    if line := said_of_review(target, state):
        screen.say(f"  It {line}", style="bold")
    pictures = _pictures(target, run.run_id)
    if pictures:
        said = ", ".join(f"{character} {count}" for character, count in pictures.items())
        screen.say(f"  Pictures chosen: {said}")
    for line in lines_of(run, bills=target.kind == "aws"):
        screen.say(f"  {line}")
    if money := said_of_money(run):
        screen.say(f"  {money}")
    for line in said_of_models(target, run):
        screen.say(f"  {line}")
    drawn = stored_panels(target, run.run_id)
    if drawn:
        screen.say(f"  Storyboard: {panel_counts(drawn)}")
    for line in refusals(drawn):
        screen.warn(line)
    for warning in (*run.warnings, *told_of_captions(target, run)):
        screen.warn(warning)
    report = keys.run_file(run.run_id, REPORT)
    if report in listed(target, report):
        screen.say(f"  Report: {target.uri(report)}")
    screen.say(f"  Results: {target.uri(keys.run_folder(run.run_id))}")
    tell_bill(target, run.run_id, screen)


def tell_bill(target: Target, run_id: str, screen: Screen) -> None:
    """Say what of a run is billed as long as it lives; nothing of a run that never had such a thing."""
    try:
        known = rows(target, run_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        screen.warn("The billing book may not be read, so whether anything of the run is billed can't be told.")
        return
    still_open = [row for row in known if row.is_open]
    for line in lines(still_open):
        screen.warn(f"Still billed: {line}")
    if still_open:
        screen.say(f"`storycast teardown {run_id} {target.options}` ends it.")
    elif known:
        screen.say("Nothing of this run is billed any more.", style="green")


def said_of_money(run: Run) -> str:
    """Return what a run was expected to cost and what it did cost; empty where nobody wrote it down."""
    expected, cost = run.estimate or {}, run.cost or {}
    said = []
    try:
        if "total_usd" in expected:
            low, high = expected["total_usd"]
            said.append(f"expected {usd(low)} to {usd(high)}")
        if "total_usd" in cost:
            said.append(f"did cost {usd(cost['total_usd'])}")
    except (TypeError, ValueError):
        return ""  # written by another release
    if not said:
        return ""
    return f"Money: {', '.join(said)}. {cost.get('statement', '')}".strip()


def lines_of(run: Run, *, bills: bool) -> Iterator[str]:
    """Yield what a run's record says, a line for each kind of thing; ``bills`` where its calls cost money."""
    names = ", ".join(source.name for source in run.footage)
    if names:
        yield f"Footage: {names}"
    counts = {name: count for name, count in run.counts.items() if count and not name.startswith(PAID)}
    if counts:
        yield "Counts: " + _counted(counts)
    paid = {name.removeprefix(PAID): count for name, count in run.counts.items() if name.startswith(PAID)}
    if paid:
        bought = {name: count for name, count in paid.items() if count}
        yield ("Paid for: " if bills else "AWS would bill: ") + (_counted(bought) or "nothing new")
    for name, value in run.chosen.items():
        yield f"{_words(name).capitalize()}: {_value(value)}"
    for model in run.models:
        yield f"Model: {model.name} ({model.model_id}), answered by {model.provider}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_words(name)} {count:,}" for name, count in counts.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _when(moment: str) -> str:
    try:
        return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return moment
