"""`storycast a2i-setup`."""

from typing import Annotated, Literal

import typer

from cli import options


def a2i_setup(
    *,
    workteam: Annotated[
        str,
        typer.Option(
            "--workteam", metavar="ARN", help="The team that looks at the pictures, made in SageMaker's console."
        ),
    ],
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=3, metavar="N", help="How many of them look at each picture.")
    ] = 1,
    target: Annotated[
        Literal["local", "aws"],
        typer.Option("--target", envvar="STORYCAST_TARGET", help="Where: on AWS, or to try it on this machine."),
    ] = "aws",
    stack: options.Stack = "storycast",
    state: options.State = None,
    _verbose: options.Verbose = False,
) -> None:
    """Make what a review by Amazon A2I's workers needs: their page and the flow definition.

    Only for accounts that have used Amazon A2I before: it takes no new customers. Everybody else reviews on
    Storycast's own page (review.mode: page), which is the default. Nothing is made twice: the same team, number
    of workers and page give the same flow definition. Workers are paid only when a run asks them.

    \b
    Example:
      storycast a2i-setup --workteam arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/film
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.a2i_setup import set_up  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    choice = choose(target, stack, state, keep_up=False)
    raise typer.Exit(set_up(choice, workteam, workers, Screen()))
