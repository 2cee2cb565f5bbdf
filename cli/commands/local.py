"""`storycast local up|down|status`: the embedded AWS."""

import typer

from cli import options

app = typer.Typer(
    name="local",
    help="Start, stop or look at the AWS on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def up(*, state: options.State = None, _verbose: options.Verbose = False) -> None:
    """Start the embedded AWS.

    The template is deployed on it. It stays until `storycast local down`.

    \b
    Example:
      storycast local up
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.embedded import bring_up  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415

    bring_up(state, Screen())


@app.command()
def down(*, state: options.State = None, _verbose: options.Verbose = False) -> None:
    """Stop the embedded AWS.

    What it stored stays, and the next start finds it again.

    \b
    Example:
      storycast local down
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.embedded import take_down  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415

    take_down(state, Screen())


@app.command()
def status(*, state: options.State = None, _verbose: options.Verbose = False) -> None:
    """Say what is up, and where.

    Also what is deployed, and how to point the AWS CLI and other tools at it.

    \b
    Example:
      storycast local status
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.embedded import tell_status  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415

    tell_status(state, Screen())
