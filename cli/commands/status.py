"""`storycast status`."""

from typing import Annotated

import typer

from cli import options


def status(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="A run's id; all runs without it.", show_default=False),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Watch the run until it ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    target: options.TargetOption = "local",
    out: options.Out = None,
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """List the runs, or show one.

    Runs are listed newest first, with all that is billed by the hour, also where no run owns it. Of one run its
    stages, counts, training, panels, warnings and what it waits for are shown.

    \b
    Examples:
      storycast status
      storycast status film-20261122-1a2b3c --follow --target aws
      storycast status film-20261122-1a2b3c --json
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.asking import list_runs, tell_run  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    choice = choose(target, stack, state, keep_up=keep_up)
    screen = Screen.for_data() if as_json else Screen()
    if run is None:
        if follow or out is not None:
            raise typer.BadParameter("--follow and --out need the id of a RUN")
        raise typer.Exit(list_runs(choice, screen, as_json=as_json))
    if follow and as_json:
        raise typer.BadParameter("--follow and --json exclude each other")
    raise typer.Exit(tell_run(run, choice, screen, follow=follow, out=out, as_json=as_json))
