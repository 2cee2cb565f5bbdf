"""ReportRun: write the report of a run, what it paid for and what that cost, and tell people."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from storycast import keys
from storycast.errors import RequestInvalidError
from storycast.ports import BillingBook, Notifier, ObjectStore
from storycast.prices import usd
from storycast.report.accounts import settled
from storycast.report.material import Material, gather
from storycast.report.page import write_page
from storycast.report.words import headline
from storycast.runs import Run, RunStatus, change_run, read_run

REPORT = "report.html"


def report_run(
    run_id: str,
    *,
    store: ObjectStore,
    book: BillingBook,
    notifier: Notifier,
    now: datetime,
    execution_arn: str | None = None,
) -> dict[str, Any]:
    """Write ``report.html`` and close the run's record.

    A run that failed gets its report, too, wherever it did. People are told of the end of a training alone: of a
    failure and of a dataset they have been told already. A session ends its own training and no other; an end that
    was recorded meanwhile stays, and is reported.

    Args:
        run_id: The run.
        store: The bucket.
        book: What the run was billed for.
        notifier: Whom to tell.
        now: The time.
        execution_arn: The session that has come to its end; None where the report is of no session's end.

    Returns:
        Where the report is, and the run's status.

    Raises:
        RequestInvalidError: There is no such run.
    """
    try:
        seen = read_run(store, run_id)
    except KeyError:
        raise RequestInvalidError(f"There is no run '{run_id}'.") from None
    ends_training = _is_in(seen, execution_arn)
    material = gather(store, seen)
    key = keys.run_file(run_id, REPORT)

    def closed(run: Run) -> Run:
        if _is_in(run, execution_arn):
            run = run.model_copy(update={"status": _status(material), "ended_at": now.isoformat()})
        # The rows are read after the record: whoever writes the record later has no older rows.
        return settled(replace(material, run=run), book.rows(run_id), now)

    def write(run: Run) -> None:
        store.put(key, write_page(replace(material, run=run), store, now), "text/html; charset=utf-8")

    expected = closed(seen)
    write(expected)
    if ends_training:
        notifier.tell(*_message(expected, f"s3://{store.bucket}/{key}"))
    # After telling: a repeated attempt finds the run as it was, and tells rather twice than never.
    run = change_run(store, run_id, closed)
    if run != expected:
        write(run)
    return {"report_key": key, "status": run.status}


def _is_in(run: Run, execution_arn: str | None) -> bool:
    """Whether a run is in the training of a session, so that nobody recorded its end or began another."""
    return run.status == "training" and run.training_execution_arn == execution_arn


def _status(material: Material) -> RunStatus:
    drawn = any(drawing.panels.picture_keys for drawing in material.drawings)
    return "storyboard_ready" if drawn else "dataset_ready"


def _message(run: Run, report_uri: str) -> tuple[str, str]:
    """Return the subject and the text that tell people of the end of a training."""
    cost = run.cost or {}
    still_open = [row.name for row in run.billing if row.is_open]
    told = "storyboard ready" if run.status == "storyboard_ready" else "model ready"
    lines = [
        f"Run {run.run_id} of project {run.project}: {headline(run).lower()}."
        if run.status == "storyboard_ready"
        else f"Run {run.run_id} of project {run.project}: the model is trained; there were no prompts to draw.",
        f"Report: {report_uri}",
        f"Cost: {usd(cost.get('total_usd', 0.0))}. {cost.get('statement', '')}",
    ]
    if still_open:
        lines.append(f"Still billed: {', '.join(still_open)}. `storycast teardown {run.run_id}` ends it.")
    else:
        lines.append("Nothing of it is billed any more.")
    return f"Storycast: {told} ({run.run_id})", "\n".join(lines)
