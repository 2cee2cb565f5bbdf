"""`storycast rerun`."""

from typing import Annotated, Literal

import typer

from cli import options


def rerun(
    run: options.Run,
    *,
    project: options.ProjectFile = None,
    review: Annotated[
        Literal["page", "a2i", "auto"] | None,
        typer.Option("--review", help="Who approves the pictures; set in the bucket's copy of the project file."),
    ] = None,
    train: Annotated[
        Literal["bedrock", "sagemaker", "none"] | None,
        typer.Option("--train", help="What to train; set in the bucket's copy of the project file."),
    ] = None,
    target: options.TargetOption = "local",
    out: options.Out = None,
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """Make a run's dataset again, with other settings, and pay only for what they change.

    The footage is the earlier run's, as it lies in the bucket; nothing of it is uploaded again. Without --project
    the project file in the bucket holds. The earlier run stays as it is. What people decided in its review holds
    for the same pictures, until they change it.

    \b
    Examples:
      storycast rerun film-20261122-1a2b3c --project my-film/project.yaml --out out/
      storycast rerun film-20261122-1a2b3c --review page --target aws
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.project import Overrides  # noqa: PLC0415 -- see run
    from cli.rerunning import RerunOrder  # noqa: PLC0415
    from cli.rerunning import rerun as rerun_it  # noqa: PLC0415
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    order = RerunOrder(run, project, Overrides(review, train), out)
    raise typer.Exit(rerun_it(order, choose(target, stack, state, keep_up=keep_up), Screen()))
