"""`storycast doctor`."""

from typing import Annotated

import typer

from cli import options


def doctor(
    *,
    project: options.ProjectFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    target: options.TargetOption = "local",
    stack: options.Stack = "storycast",
    _verbose: options.Verbose = False,
) -> None:
    """Look whether a run could go through, and say what to do where it could not. Nothing is billed or changed.

    On this machine: the programs that `make setup` installs. On AWS: credentials, region, stack, bucket and
    table. With --project also the project file, its models, and all that its training needs.

    \b
    Examples:
      storycast doctor
      storycast doctor --project my-film/project.yaml --target aws
      storycast doctor --json
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.doctor import examine, tell  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    found = examine(choose(target, stack, None, keep_up=False), project)
    raise typer.Exit(tell(found, Screen.for_data() if as_json else Screen(), target=target, as_json=as_json))
