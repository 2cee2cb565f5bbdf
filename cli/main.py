"""Entry point of `storycast`: the commands, and the one place where errors become exit codes."""

import signal
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import options
from cli.commands import local
from cli.commands.a2i_setup import a2i_setup
from cli.commands.doctor import doctor
from cli.commands.draw import draw
from cli.commands.estimate import estimate
from cli.commands.export import export
from cli.commands.prompt import prompt
from cli.commands.report import report
from cli.commands.rerun import rerun
from cli.commands.review import review
from cli.commands.run import run
from cli.commands.status import status
from cli.commands.teardown import teardown
from cli.commands.train import train
from cli.commands.upload import upload
from cli.version import version


class _Commands(TyperGroup):
    """The command's groups: what a command raises ends here, as a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say_problem("Interrupted.")
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            if type(error).__module__.startswith("typer."):
                raise  # usage errors: typer prints them, with exit code 2
            raise typer.Exit(_tell(error, verbose=options.is_verbose(ctx))) from error


app = typer.Typer(
    cls=_Commands,
    help="Turns footage into a captioned, deduplicated dataset of its cast, a trained model and a storyboard.",
    epilog="Exit codes: 0 done; 1 the run failed; 2 bad input; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(upload)
app.command()(status)
app.command()(review)
app.command()(report)
app.command()(export)
app.command()(rerun)
app.command()(train)
app.command()(draw)
app.command()(teardown)
app.command()(estimate)
app.command()(doctor)
app.command()(prompt)
app.command()(a2i_setup)
app.add_typer(local.app)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"storycast {version()}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    _verbose: options.Verbose = False,
) -> None:
    pass


def _tell(error: Exception, *, verbose: bool) -> int:
    """Print what went wrong, and return the exit code."""
    from cli.problems import FAILED, InputRefusedError, explain  # noqa: PLC0415 -- imports boto3

    if verbose:
        traceback.print_exception(error)
    if isinstance(error, InputRefusedError):
        for problem in error.problems:
            _say_problem(problem)
        return 2
    known = explain(error)
    if known is None:
        hint = "" if verbose else " Run again with --verbose to see where."
        said = " ".join(str(error).split())
        _say_problem(f"{type(error).__name__}{': ' if said else ''}{said}.{hint}")
        return FAILED
    _say_problem(known[0])
    return known[1]


def _say_problem(text: str) -> None:
    from cli.screen import Screen  # noqa: PLC0415 -- imports rich

    Screen().problem(text)


def _end(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command."""
    for stream in (sys.stdout, sys.stderr):
        # A file's name may hold what the terminal's encoding can't show.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _end)
    app()


if __name__ == "__main__":
    main()
