"""What `storycast status` does: list runs, show one, follow one."""

import json
from pathlib import Path

from botocore.exceptions import ClientError

from cli.claims import StartedRun
from cli.ending import bring_home, see_through
from cli.following import Follower, Snapshot
from cli.problems import DONE
from cli.progress import clock, counted, waits_for
from cli.screen import Screen
from cli.summary import find_run, newest_runs, reconciled, show_run, show_runs
from cli.target import Target, TargetChoice, opened

LIMIT = 20


def list_runs(choice: TargetChoice, screen: Screen, *, as_json: bool) -> int:
    """Print the newest runs."""
    with opened(choice, screen) as target:
        states = newest_runs(target, LIMIT)
        if as_json:
            listed = [{**state.run.model_dump(mode="json"), "status": state.status} for state in states]
            screen.json(json.dumps(listed, indent=1))
        elif states:
            show_runs(states, screen)
        else:
            screen.say(f"No runs in {target.place} yet. `storycast run FOOTAGE` starts one.")
    return DONE


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
        snapshot = _snapshot(target, run.execution_arn)
        if as_json:
            data = {**run.model_dump(mode="json"), "status": state.status, "stages": _stages(snapshot)}
            screen.json(json.dumps(data, indent=1))
            return DONE
        show_run(target, state, screen)
        for one in snapshot.stages if snapshot else ():
            if one.state in ("done", "running", "stopped"):
                details = ", ".join(filter(None, [one.state, counted(one.counts), clock(one.seconds)]))
                screen.say(f"  {one.stage.label}: {details}")
        for one in snapshot.running if snapshot else ():
            screen.say(f"  Now: {waits_for(one)}")
        if run.cause or (snapshot and snapshot.cause):
            screen.say(f"  {run.error or ''}: {run.cause or (snapshot.cause if snapshot else '')}", style="red")
    return DONE


def _snapshot(target: Target, execution_arn: str) -> Snapshot | None:
    try:
        return Follower(target.stepfunctions, execution_arn).snapshot()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            return None  # Step Functions forgets executions after 90 days
        raise


def _stages(snapshot: Snapshot | None) -> list[dict[str, object]]:
    return [
        {
            "name": one.stage.name,
            "state": one.state,
            "seconds": round(one.seconds, 3),
            "done": one.counts.done if one.counts else None,
            "failed": one.counts.failed if one.counts else None,
            "total": one.counts.total if one.counts else None,
        }
        for one in (snapshot.stages if snapshot else ())
    ]
