"""`storycast teardown`."""

from typing import Annotated

import typer

from cli import options


def teardown(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="A run's id.", show_default=False)] = None,
    *,
    all_runs: Annotated[bool, typer.Option("--all", help="Whatever run it belongs to.")] = False,
    delete_model: Annotated[
        bool, typer.Option("--delete-model", help="Delete the run's trained models, too; they cost money.")
    ] = False,
    yes: options.Yes = False,
    target: options.TargetOption = "local",
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """End all that is billed by the hour, and wait until it has ended.

    Stops the run where it goes on, its jobs and its hosting. The dataset, the pictures and the trained
    models are kept; a model that is only kept costs a little storage.

    \b
    Examples:
      storycast teardown film-20261122-1a2b3c --target aws
      storycast teardown --all
      storycast teardown film-20261122-1a2b3c --delete-model --yes
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.screen import Screen  # noqa: PLC0415 -- see run
    from cli.target import choose  # noqa: PLC0415
    from cli.teardown import tear_down  # noqa: PLC0415

    if (run is None) != all_runs:
        raise typer.BadParameter("name a RUN, or say --all")
    if all_runs and delete_model:
        raise typer.BadParameter("--delete-model needs the id of a RUN: models are deleted run by run")
    choice = choose(target, stack, state, keep_up=keep_up)
    raise typer.Exit(tear_down(run, choice, Screen(), delete_model=delete_model, yes=yes))
