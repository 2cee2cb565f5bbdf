"""`storycast review`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import options


def review(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="A run's id; the one that waits for people without it.", show_default=False
        ),
    ] = None,
    *,
    who: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NAME", help="Who decides. [default: who you are to AWS, or on this machine]"
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", min=1, max=65535, help="Its port. [default: the first free one from 8765]"
        ),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in the browser.")] = False,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Write the review as a zip that opens in any browser, offline.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write the bundle. [default: review-<run id>.zip]"),
    ] = None,
    import_file: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", help="Take in the decisions that were made in a bundle."),
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Finish the review without the page; asks once.")
    ] = False,
    yes: options.Yes = False,
    target: options.TargetOption = "local",
    stack: options.Stack = "storycast",
    state: options.State = None,
    _verbose: options.Verbose = False,
) -> None:
    """Look at a run's pictures and captions, and decide what is trained on.

    The run waits until somebody finishes its review. The page is served on this machine alone, with your
    credentials; several people may review at once, and each decision is kept as it is made.

    \b
    Examples:
      storycast review
      storycast review film-20261122-1a2b3c --as anna --target aws
      storycast review film-20261122-1a2b3c --bundle
      storycast review film-20261122-1a2b3c --import decisions-film-20261122-1a2b3c-anna.json --finish
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.finishing import finish as finish_it  # noqa: PLC0415 -- see run
    from cli.review_files import pack, read_file, take  # noqa: PLC0415
    from cli.reviewing import serve  # noqa: PLC0415
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    if bundle and (import_file or finish):
        raise typer.BadParameter("--bundle excludes --import and --finish")
    if out is not None and not bundle:
        raise typer.BadParameter("--out needs --bundle")
    choice, screen = choose(target, stack, state, keep_up=False), Screen()
    if bundle:
        raise typer.Exit(pack(run, choice, screen, out))
    if not (import_file or finish):
        raise typer.Exit(serve(run, choice, screen, who=who, port=port, open_it=not no_open))
    code = 0
    if import_file:
        file = read_file(import_file, run)
        run, code = file.run_id, take(import_file, file, choice, screen)
    # What could not be taken in is looked at before the review is closed.
    if finish and code == 0:
        code = finish_it(run, choice, screen, who=who, yes=yes)
    raise typer.Exit(code)
