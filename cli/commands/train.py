"""`storycast train`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli import options


def train(
    run: options.Run,
    *,
    on: Annotated[
        Literal["bedrock", "sagemaker"] | None,
        typer.Option(
            "--train",
            help="What to train: a model on Bedrock, or an adapter (LoRA) on SageMaker. [default: the run's own]",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Steps of the training, 10 to 20,000.")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", metavar="N", help="Pictures of a step, 1 to 192; on Bedrock from 8."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", metavar="X", help="1e-7 to 1e-2; on Bedrock to 1e-4.")
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option(
            "--base-model",
            metavar="ID",
            help="The model to train on: of Bedrock, or with sagemaker an id of the model hub or s3://bucket/prefix/.",
        ),
    ] = None,
    rank: Annotated[
        int | None, typer.Option("--rank", metavar="N", help="Of the adapter, 1 to 256: more learns finer detail.")
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option("--resolution", metavar="PX", help="Side of a square picture as the adapter sees it."),
    ] = None,
    instance_type: Annotated[
        str | None, typer.Option("--instance-type", metavar="TYPE", help="On SageMaker, such as ml.g5.xlarge.")
    ] = None,
    on_demand: Annotated[
        bool, typer.Option("--on-demand", help="On SageMaker: take no spot capacity, which may be interrupted.")
    ] = False,
    budget: options.Budget = None,
    no_storyboard: Annotated[
        bool, typer.Option("--no-storyboard", help="Train only: host and draw nothing.")
    ] = False,
    manifest: Annotated[
        str | None,
        typer.Option(
            "--manifest",
            metavar="KEY",
            help="A manifest below runs/ or datasets/ of the bucket; RUN may then be a new name.",
        ),
    ] = None,
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="Train an open model on this machine's GPU instead; RUN may be a folder that --out left.",
        ),
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="DIR",
            help="With --local: the base model's folder (diffusers); else the model hub's.",
        ),
    ] = None,
    python: Annotated[
        Path | None,
        typer.Option(
            "--python",
            metavar="PATH",
            envvar="STORYCAST_TRAINING_PYTHON",
            help="With --local: the Python that trains. [default: of `make setup-training`]",
        ),
    ] = None,
    acknowledge: Annotated[
        list[str] | None,
        typer.Option(
            "--acknowledge",
            metavar="RULE",
            help="Train although this rule of the caption lint speaks against it; may be said several times.",
        ),
    ] = None,
    yes: options.Yes = False,
    target: options.TargetOption = "local",
    out: options.Out = None,
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """Train a model on a run's dataset, and draw the storyboard.

    The dataset stays as it is, so that other steps or another rate cost the training alone. What it costs is
    said first. A training that was paid before, by whichever run of the project, is not paid again. Without
    options everything is as in the run's settings; what is meant for another target is left out. Captions
    that would spoil the training are told first, and nothing is started; docs/dataset.md has the lint's rules.

    \b
    Examples:
      storycast train film-20261122-1a2b3c --steps 2000 --out out/
      storycast train film-20261122-1a2b3c --train sagemaker --budget 10 --target aws
      storycast train out/film-20261122-1a2b3c --local --weights sdxl/
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.screen import Screen  # noqa: PLC0415 -- see run
    from cli.target import choose  # noqa: PLC0415
    from cli.training import Session, do_session, lint_rules  # noqa: PLC0415

    given: dict[str, Any] = {
        "step_count": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "base_model": base_model,
    }
    spot = False if on_demand else None
    lora = {"rank": rank, "resolution": resolution, "instance_type": instance_type, "spot": spot}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if lora_chosen := {name: value for name, value in lora.items() if value is not None}:
        chosen["lora"] = lora_chosen
    storyboard: dict[str, Any] = {"prompts": []} if no_storyboard else {}
    choice = choose(target, stack, state, keep_up=keep_up)
    allowed = lint_rules(acknowledge or ())
    if weights and not local:
        from cli.problems import InputRefusedError  # noqa: PLC0415

        raise InputRefusedError(["--weights goes with --local; on AWS training.base_model names the weights."])
    if local:
        from cli.local_plan import LocalSession  # noqa: PLC0415
        from cli.local_training import do_local_session, refuse_options  # noqa: PLC0415

        is_for_aws = bool(on or instance_type or on_demand)
        refuse_options(is_for_aws=is_for_aws, budget_usd=budget, manifest_key=manifest)
        asked = LocalSession(run, chosen, storyboard, weights=weights, python=python, acknowledge=allowed)
        raise typer.Exit(do_local_session(asked, choice, out, Screen(), yes=yes))
    session = Session(
        run_id=run,
        training={"target": on, **chosen} if on else chosen,
        storyboard=storyboard,
        budget_usd=budget,
        manifest_key=manifest,
        acknowledge=allowed,
    )
    raise typer.Exit(do_session(session, choice, out, Screen(), yes=yes))
