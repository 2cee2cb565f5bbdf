"""`storycast upload`."""

from typing import Annotated

import typer

from cli import options


def upload(
    footage: options.Footage,
    *,
    project: options.ProjectFile = None,
    project_name: Annotated[
        str | None,
        typer.Option("--project-name", metavar="NAME", help="The project, where it needs no file from here."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Find the run that each upload starts, and watch it.")
    ] = False,
    target: options.TargetOption = "local",
    out: options.Out = None,
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """Upload footage; each file starts a run.

    The bucket's own event starts it, as it would for any S3 client. A file of a name that is there already
    becomes its newest version and starts a run, too.

    \b
    Examples:
      storycast upload film.mp4 --project my-film/project.yaml --follow --out out/
      storycast upload film.mp4 --project-name my-film --target aws
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.running import check_input  # noqa: PLC0415 -- see run
    from cli.running import upload as upload_it  # noqa: PLC0415
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    if project is None and project_name is None:
        raise typer.BadParameter("name the project with --project-name NAME or --project FILE")
    if out is not None and not follow:
        raise typer.BadParameter("--out needs --follow: the results are there when the run has ended")
    intake = check_input(footage, project, name=project_name, out=out)
    choice = choose(target, stack, state, keep_up=keep_up)
    raise typer.Exit(upload_it(intake, choice, follow=follow, out=out, screen=Screen()))
