"""`storycast draw`."""

from typing import Annotated

import typer

from cli import options


def draw(
    run: options.Run,
    *,
    prompt: Annotated[
        list[str], typer.Option("--prompt", metavar="TEXT", help="What to draw; again for further prompts.")
    ],
    negative_prompt: Annotated[
        str | None, typer.Option("--negative-prompt", metavar="TEXT", help="What not to draw.")
    ] = None,
    images: Annotated[
        int | None, typer.Option("--images", metavar="N", help="Pictures of each prompt, 1 to 5.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="1 to 858993459; made from the prompt without it.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Pixels, such as 1280x720: multiples of 16.")
    ] = None,
    training: Annotated[
        str | None, typer.Option("--training", metavar="ID", help="Which of the run's models; else the newest.")
    ] = None,
    budget: options.Budget = None,
    yes: options.Yes = False,
    target: options.TargetOption = "local",
    out: options.Out = None,
    stack: options.Stack = "storycast",
    state: options.State = None,
    keep_up: options.KeepUp = False,
    _verbose: options.Verbose = False,
) -> None:
    """Draw with a run's trained model.

    A model of Bedrock is hosted, which is billed by the hour, draws, and its hosting is ended; an adapter draws
    in a job on SageMaker, which ends by itself. Nothing is trained. The same prompt, seed and size by the same
    model were paid before and are not drawn again.

    \b
    Examples:
      storycast draw film-20261122-1a2b3c --prompt "The hero on a bridge at night" --out out/
      storycast draw film-20261122-1a2b3c --prompt "A duel" --prompt "The duel's end" --size 1280x720
    """  # noqa: D301 -- \b is typer's mark for lines to leave as they are
    from cli.screen import Screen  # noqa: PLC0415 -- see run
    from cli.target import choose  # noqa: PLC0415
    from cli.training import Session, do_session, prompts_of  # noqa: PLC0415

    session = Session(
        run_id=run,
        storyboard=prompts_of(prompt, size=size, negative=negative_prompt, images=images, seed=seed),
        budget_usd=budget,
        draw_only=True,
        training_id=training,
    )
    choice = choose(target, stack, state, keep_up=keep_up)
    raise typer.Exit(do_session(session, choice, out, Screen(), yes=yes))
