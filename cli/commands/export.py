"""`storycast export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli import options


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's id, or a folder of a run that --out left.", show_default=False
        ),
    ],
    *,
    kind: Annotated[
        Literal["bedrock", "walkthrough", "diffusers", "kohya"],
        typer.Option(
            "--format",
            help="Whose folder: a manifest for Bedrock, with either style of keys; an image "
            "folder for diffusers and datasets; folders with repeats for kohya-ss/sd-scripts.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="The folder to write, new or of an earlier export.", show_default=False
        ),
    ],
    bucket_prefix: Annotated[
        str | None,
        typer.Option(
            "--bucket-prefix",
            metavar="S3_URI",
            help="Of manifests: where you will upload the folder to. [default: the run's own pictures]",
        ),
    ] = None,
    hold_out: Annotated[
        float | None,
        typer.Option(
            "--hold-out",
            metavar="SHARE",
            min=0.0,
            max=0.5,
            help="Share that is not trained on, by whole shots. [default: as the run's trainings]",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an export in which somebody changed files.")
    ] = False,
    target: options.TargetOption = "local",
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """Write a run's dataset as the folder that a trainer reads.

    The folder appears whole or not at all. Exporting again replaces it, where nobody changed anything in it, and
    writes nothing where nothing has changed. What trainings hold out is kept apart.

    \b
    Examples:
      storycast export film-20261122-1a2b3c --format diffusers --out film-diffusers
      storycast export out/film-20261122-1a2b3c --format kohya --out film-kohya
      storycast export film-20261122-1a2b3c --format bedrock --bucket-prefix s3://mine/film/ --out film-bedrock
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.exporting import ExportOrder, do_export  # noqa: PLC0415 -- see run
    from cli.screen import Screen  # noqa: PLC0415
    from cli.target import choose  # noqa: PLC0415

    order = ExportOrder(run, kind, out, bucket_prefix=bucket_prefix, hold_out_share=hold_out, force=force)
    raise typer.Exit(do_export(order, choose(target, stack, state, keep_up=keep_up), Screen()))
