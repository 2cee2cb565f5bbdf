"""`storycast prompt`."""

import typer

from cli import options


def prompt(*, _verbose: options.Verbose = False) -> None:
    """Print the prompt that captions are asked for with, to write an own one from.

    Put it below the project file's folder, change it, and name it there: `captions: {prompt: prompts/mine.txt}`.

    \b
    Examples:
      storycast prompt > my-film/prompts/mine.txt
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from storycast.caption_template import default_template  # noqa: PLC0415 -- see run

    typer.echo(default_template())
