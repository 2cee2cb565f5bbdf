"""Options that several commands share: one name, one help text, one meaning."""

import math
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

LOCAL, STACK, FOOTAGE = "On this machine", "On AWS", "What to run"


def _remember_verbose(context: typer.Context, verbose: bool) -> bool:
    if verbose:
        context.meta["storycast.verbose"] = True
    return verbose


def _refuse_endless(budget: float | None) -> float | None:
    if budget is not None and not math.isfinite(budget):
        raise typer.BadParameter(f"{budget} is no amount of money")
    return budget


Verbose = Annotated[
    bool,
    typer.Option("--verbose", callback=_remember_verbose, is_eager=True, help="Show where an error came from."),
]
Footage = Annotated[
    list[Path],
    typer.Argument(
        metavar="FOOTAGE", help="Videos and pictures, each under a name of its own.", show_default=False
    ),
]
ProjectFile = Annotated[
    Path | None,
    typer.Option(
        "--project", metavar="FILE", help="The project file (YAML). References are sought below its folder."
    ),
]
TargetOption = Annotated[
    Literal["local", "aws"],
    typer.Option("--target", envvar="STORYCAST_TARGET", help="Where to run: on this machine or on AWS."),
]
Stack = Annotated[str, typer.Option("--stack", metavar="NAME", envvar="STORYCAST_STACK", help="The stack on AWS.")]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="The embedded AWS's folder. [default: .storycast/aws here]"),
]
KeepUp = Annotated[
    bool,
    typer.Option("--keep-up", help="Leave the embedded AWS up afterwards (`storycast local down` ends it)."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Copy the run's folder to DIR/<run id>, also when it failed."),
]

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's id; `storycast status` lists them.")]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="USD",
        callback=_refuse_endless,
        help="What the run may cost at most; else the project's budget_usd.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Agree beforehand to what is asked otherwise.")]


def is_verbose(context: typer.Context | None) -> bool:
    """Return whether the user asked for details of errors."""
    asked = os.environ.get("STORYCAST_VERBOSE", "") not in ("", "0")
    return asked or bool(context and context.meta.get("storycast.verbose"))
