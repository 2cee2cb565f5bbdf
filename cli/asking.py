"""What `storycast status` does: list runs, show one, follow one."""

import json
from dataclasses import asdict
from pathlib import Path

from botocore.exceptions import ClientError

from cli.billed import Bill, bill, hourly_usd, lines, open_rows
from cli.claims import StartedRun
from cli.ending import bring_home, see_through
from cli.following import Snapshot, StageProgress, flattened
from cli.problems import DONE, read_on, unwrapped
from cli.progress import clock, told, waits_for
from cli.reviews import ReviewProgress
from cli.screen import Screen
from cli.summary import RunState, find_run, newest_runs, reconciled, show_run, show_runs
from cli.target import Target, TargetChoice, opened
from cli.teardown import tell_unowned
from cli.trainings import stored_panels, trained_models
from cli.watching import follower_of
from storycast.billing import Billed
from storycast.runs import Run

LIMIT = 20


def list_runs(choice: TargetChoice, screen: Screen, *, as_json: bool) -> int:
    """Print the newest runs, and all that is billed by the hour."""
    with opened(choice, screen) as target:
        states = newest_runs(target, LIMIT)
        billed = bill(target)
        if as_json:
            listed = [{**state.run.model_dump(mode="json"), "status": state.status} for state in states]
            screen.json(json.dumps({"runs": listed, "billed": _bill_json(billed)}, indent=1))
            return DONE
        if states:
            show_runs(target, states, screen)
        else:
            screen.say(f"No runs in {target.place} yet. `storycast run FOOTAGE` starts one.")
        tell_billed(billed, target, screen)
    return DONE


def tell_billed(billed: Bill, target: Target, screen: Screen) -> None:
    """Print all that is billed as long as it lives."""
    if not billed.rows and not billed.unowned and not billed.unread:
        screen.say("Nothing is billed by the hour.")
        return
    if billed.rows:
        screen.say("Billed now:", style="bold")
    for line in lines(billed.rows):
        screen.say(f"  {line}")
    if billed.rows:
        screen.say(f"`storycast teardown RUN {target.options}` ends it, `--all` ends all of it.")
    tell_unowned(billed, screen)


def _bill_json(billed: Bill) -> dict[str, object]:
    return {
        "rows": [_row_json(row) for row in billed.rows],
        "unowned": [{**asdict(one), "since": one.since.isoformat()} for one in billed.unowned],
        "unread": list(billed.unread),
    }


def _row_json(row: Billed) -> dict[str, object]:
    return {**row.model_dump(mode="json"), "usd_an_hour": hourly_usd(row)}


def tell_run(
    run_id: str, choice: TargetChoice, screen: Screen, *, follow: bool, out: Path | None, as_json: bool
) -> int:
    """Print one run, or follow it to its end.

    Returns:
        The exit code: the run's own where it is followed.

    Raises:
        RunNotFoundError: There is no such run.
    """
    with opened(choice, screen) as target:
        run = find_run(target, run_id)
        if follow:
            return see_through(target, StartedRun(run.run_id, run.execution_arn), out, screen, is_ours=False)
        if out is not None:
            bring_home(target, run.run_id, out, screen)
        state = reconciled(target, run)
        snapshot = _snapshot(target, run.run_id, run.execution_arn)
        # A training that was started by itself is no part of the execution that made the dataset.
        session = _session(target, run, snapshot)
        if as_json:
            data = {
                **run.model_dump(mode="json"),
                "status": state.status,
                "review": _review_json(target, state),
                "stages": _stages(snapshot),
                "training": _training_json(target, run, session),
                "billed": [_row_json(row) for row in open_rows(target, run.run_id)],
            }
            screen.json(json.dumps(data, indent=1))
            return DONE
        show_run(target, state, screen)
        _tell_stages(snapshot, screen)
        if session:
            screen.say(f"  Training session: {session.status.lower()}, {clock(session.seconds)}")
            _tell_stages(session, screen)
        error, cause = unwrapped(run.error or "", run.cause or "")
        cause = cause or (snapshot.cause if snapshot else "")
        if cause:
            screen.say(f"  {error}: {cause}", style="red")
            if more := read_on(error):
                screen.say(f"  {more}")
    return DONE


def _review_json(target: Target, state: RunState) -> dict[str, object] | None:
    """Return how far the review is that a run waits for; None where it waits for none."""
    seen = ReviewProgress(target, state.run.run_id).look() if state.status == "in_review" else None
    if seen is None:
        return None
    deadline = seen.deadline.isoformat() if seen.deadline else None
    return {"decided": seen.decided, "pictures": seen.total, "deadline": deadline}


def _tell_stages(snapshot: Snapshot | None, screen: Screen) -> None:
    for depth, _, one in flattened(snapshot.stages) if snapshot else ():
        if one.state in ("done", "running", "stopped"):
            details = ", ".join(filter(None, [one.state, told(one), clock(one.seconds)]))
            screen.say(f"  {'  ' * depth}{one.stage.label}: {details}")
    for one in snapshot.running if snapshot else ():
        screen.say(f"  Now: {waits_for(one)}")


def _session(target: Target, run: Run, snapshot: Snapshot | None) -> Snapshot | None:
    """Return the newest training session, where the run's own execution did not wait for it."""
    arn = run.training_execution_arn
    if arn is None or arn == run.execution_arn or (snapshot and any(one.inside for one in snapshot.stages)):
        return None
    return _snapshot(target, run.run_id, arn)


def _training_json(target: Target, run: Run, session: Snapshot | None) -> dict[str, object]:
    models = trained_models(target, run.project) if run.training_ids else []
    return {
        "session": _stages(session) if session else None,
        "models": [model.model_dump(mode="json") for model in models if model.training_id in run.training_ids],
        "panels": [one.panels.model_dump(mode="json") for one in stored_panels(target, run.run_id)],
    }


def _snapshot(target: Target, run_id: str, execution_arn: str) -> Snapshot | None:
    try:
        return follower_of(target, execution_arn, run_id).snapshot()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            return None  # Step Functions forgets executions after 90 days
        raise


def _stages(snapshot: Snapshot | None) -> list[dict[str, object]]:
    return [_stage(one) for one in (snapshot.stages if snapshot else ())]


def _stage(one: StageProgress) -> dict[str, object]:
    return {
        "name": one.stage.name,
        "state": one.state,
        "seconds": round(one.seconds, 3),
        "done": one.counts.done if one.counts else None,
        "failed": one.counts.failed if one.counts else None,
        "total": one.counts.total if one.counts else None,
        "note": one.note or None,
        "figures": one.figures or None,
        "stages": [_stage(inner) for inner in one.inside],
    }
