"""What `storycast teardown` does: end all that is billed, of a run or at all, and say what was ended."""

import json
import secrets
import time
from collections.abc import Sequence

from cli.billed import Bill, bill, lines, open_rows, rows
from cli.consent import agreed
from cli.following import RUNNING, SUCCEEDED, Snapshot
from cli.problems import DONE, INTERRUPTED, RunNotFoundError
from cli.screen import Screen
from cli.summary import read_record
from cli.target import Target, TargetChoice, opened
from cli.trainings import trained_models
from cli.watching import follower_of, watch
from storycast.billing import Billed
from storycast.names import is_run_id
from storycast.teardown import TearDownRequest
from storycast.training import TrainedModel


def tear_down(run_id: str | None, choice: TargetChoice, screen: Screen, *, delete_model: bool, yes: bool) -> int:
    """End what is billed of a run, or all of it.

    Args:
        run_id: The run; None for all runs.
        choice: Where.
        screen: Where to tell it.
        delete_model: Whether to delete the run's trained models, too.
        yes: Whether the user agreed to that beforehand.

    Returns:
        The exit code.

    Raises:
        RunNotFoundError: There is no such run.
        InputRefusedError: Models are to be deleted, and nobody can be asked.
    """
    with opened(choice, screen) as target:
        return tear_down_on(target, run_id, screen, delete_model=delete_model, yes=yes)


def tear_down_on(target: Target, run_id: str | None, screen: Screen, *, delete_model: bool, yes: bool) -> int:
    """Do :func:`tear_down` on a target that is there."""
    models = _models(target, run_id) if run_id else []
    if not delete_model:
        models = []
    elif models and not agreed(
        f"Delete {_named(models)}, which cost money to train?",
        f"--delete-model deletes {_named(models)}, which cost money to train.",
        screen,
        yes=yes,
    ):
        screen.say("Nothing was deleted, and nothing was ended. Without --delete-model the models are kept.")
        return DONE
    before = open_rows(target, run_id)
    for line in lines(before):
        screen.say(f"To be ended: {line}")
    arn = start(target, run_id, "somebody said `storycast teardown`", delete_model=delete_model)
    try:
        last = watch(target, follower_of(target, arn), screen)
    except KeyboardInterrupt:
        if target.stays_up:
            screen.say("The teardown goes on. `storycast status` lists what is still billed.")
        else:
            screen.warn("The teardown ends with the embedded AWS; `storycast teardown` again goes on with it.")
        return INTERRUPTED
    _tell_end(target, run_id, before, last, screen)
    for model in models if last.status == SUCCEEDED else ():
        screen.say(f"Deleted: {model.model_name}.")
    if run_id is None:
        tell_unowned(bill(target), screen)
    return last.exit_code


def _models(target: Target, run_id: str) -> list[TrainedModel]:
    """Return the models that a run trained.

    Raises:
        RunNotFoundError: There is no such run.
    """
    record = read_record(target, run_id) if is_run_id(run_id) else None
    if record:
        return [model for model in trained_models(target, record.project) if model.trained_by == run_id]
    # A row may be all that is left of a run that broke off early.
    if is_run_id(run_id) and rows(target, run_id):
        return []
    raise RunNotFoundError(
        f"There is no run '{run_id}' in {target.place}. `storycast status` lists the runs and what is billed."
    )


def _tell_end(
    target: Target, run_id: str | None, before: Sequence[Billed], last: Snapshot, screen: Screen
) -> None:
    still_open = open_rows(target, run_id)
    names = {row.name for row in still_open}
    for row in before:
        if row.name not in names:
            screen.say(f"Ended: {row.name} ({row.kind.replace('_', ' ')} of run {row.run_id}).")
    for line in lines(still_open):
        screen.warn(f"Still billed: {line}")
    if last.status != SUCCEEDED:
        screen.problem(": ".join(filter(None, ["The teardown did not end all", last.error, last.cause])))
    elif not still_open:
        whose = f"of run {run_id}" if run_id else "of any run"
        screen.say(f"Nothing {whose} is billed any more.", style="bold green")


def start(target: Target, run_id: str | None, reason: str, *, delete_model: bool = False) -> str:
    """Start the machine that ends what is billed, and return the execution's ARN."""
    request = TearDownRequest(
        scope="run" if run_id else "all", run_id=run_id, reason=reason, delete_model=delete_model
    )
    started = target.stepfunctions.start_execution(
        stateMachineArn=target.tear_down_arn,
        name=f"{run_id or 'all'}-{secrets.token_hex(4)}",
        input=json.dumps(request.model_dump(mode="json", exclude_none=True)),
    )
    return started["executionArn"]


def wait_for(target: Target, execution_arn: str, wait_seconds: float) -> None:
    """Wait until a teardown has ended, for so long at most."""
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        if target.stepfunctions.describe_execution(executionArn=execution_arn)["status"] != RUNNING:
            return
        time.sleep(0.25)


def tell_unowned(found: Bill, screen: Screen) -> None:
    """Warn of what is alive at AWS and no run's, which is not ours to end."""
    for line in lines(found.unowned):
        screen.warn(f"No run owns this, so it is not ended here. {line}")
    for reason in found.unread:
        screen.warn(reason)


def _named(models: list[TrainedModel]) -> str:
    return ", ".join(model.model_name for model in models)
