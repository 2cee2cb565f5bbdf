"""`storycast run`."""

from typing import Annotated, Literal

import typer

from cli import options


def run(
    footage: options.Footage,
    *,
    project: options.ProjectFile = None,
    target: options.TargetOption = "local",
    review: Annotated[
        Literal["page", "a2i", "auto"] | None,
        typer.Option(
            "--review",
            help="Who approves the pictures: people on a page, Amazon A2I's workers, or nobody (auto); set in the "
            "bucket's copy of the project file.",
        ),
    ] = None,
    train: Annotated[
        Literal["bedrock", "sagemaker", "none"] | None,
        typer.Option("--train", help="What to train; set in the bucket's copy of the project file."),
    ] = None,
    out: options.Out = None,
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """Turn footage into a dataset of its cast, and watch it happen.

    Everything is checked on this machine first; nothing is uploaded while something is wrong. One project
    name is one project: two people who use it with different files overwrite each other's (S3 keeps the
    versions). Without --project the settings are those in the bucket, or defaults.

    The run waits for people to look at its pictures, unless the project or --review says auto: on a terminal
    their page is served here; elsewhere `storycast review` serves it.

    \b
    Examples:
      storycast run film.mp4
      storycast run film.mp4 stills/*.jpg --project my-film/project.yaml --out out/
      storycast run film.mp4 --target aws --review auto
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    # boto3 and the video libraries take a second to import; --help does without them.
    from cli.project import Overrides  # noqa: PLC0415
    from cli.running import check_input  # noqa: PLC0415
    from cli.running import run as run_it  # noqa: PLC0415
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    intake = check_input(footage, project, overrides=Overrides(review, train), out=out)
    code = run_it(intake, choose(target, stack, state, keep_up=keep_up), out, Screen())
    raise typer.Exit(code)
