"""`storycast estimate`."""

from typing import Annotated

import typer

from cli import options


def estimate(
    footage: options.Footage,
    *,
    project: options.ProjectFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    _verbose: options.Verbose = False,
) -> None:
    """Tell what a run is expected to cost on AWS, as a range. Nothing is uploaded, and AWS is not asked.

    Rests on the footage's headers, the project file and a dated table of list prices. What an earlier run paid
    for is not taken off.

    \b
    Examples:
      storycast estimate film.mp4
      storycast estimate film.mp4 stills/*.jpg --project my-film/project.yaml
      storycast estimate film.mp4 --json
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.estimating import gather, tell  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415

    tell(gather(footage, project), Screen.for_data() if as_json else Screen(), as_json=as_json)
