"""`storycast report`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import options


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id.", show_default=False)],
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make it anew from the run's files, as they are now.")
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Write it to DIR/<run id>/report.html.")
    ] = Path("out"),
    target: options.TargetOption = "local",
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """Bring a run's report home: one page that tells what it did, found, made and cost.

    The workflow writes it when a run ends. A run that has none yet gets one from what it has left so far; the
    bucket stays as it is.

    \b
    Examples:
      storycast report film-20261122-1a2b3c --open
      storycast report film-20261122-1a2b3c --fresh --target aws
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.reporting import bring_report  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    choice = choose(target, stack, state, keep_up=keep_up)
    raise typer.Exit(bring_report(run, choice, out, Screen(), fresh=fresh, open_it=open_it))
