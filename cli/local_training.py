"""What `storycast train RUN --local` does: train and draw on this machine, where nothing is billed."""

from pathlib import Path

from cli.base_licence import Licence
from cli.consent import agreed
from cli.local_dataset import NEEDED, LocalDataset, dataset_folder, read_dataset
from cli.local_lint import check_local_captions
from cli.local_plan import LocalPlan, LocalSession, plan_session
from cli.lora_folder import LoraFolder
from cli.problems import DONE, INTERRUPTED, InputRefusedError
from cli.run_copy import check_out, copy_run
from cli.screen import Screen
from cli.storyboard_page import Note, ShownPicture, ShownPrompt, write_page
from cli.summary import find_run
from cli.target import TargetChoice, opened
from cli.trainer_process import TrainerFailedError, TrainerStoppedError, find_python, run_trainer
from storycast.storyboard import PanelOrder

OUT = Path("out")
"""Where a run is copied to unless the user says where."""


def refuse_options(*, is_for_aws: bool, budget_usd: float | None, manifest_key: str | None) -> None:
    """Refuse options of a training on AWS that would have no effect here.

    Args:
        is_for_aws: Whether options were given that say where and on which machine AWS trains.
        budget_usd: As given.
        manifest_key: As given.

    Raises:
        InputRefusedError: One was given.
    """
    problems = []
    if is_for_aws:
        problems.append("--train, --instance-type and --on-demand are for AWS. Leave them out with --local.")
    if budget_usd is not None:
        problems.append("--budget: nothing is billed with --local. Leave it out.")
    if manifest_key is not None:
        problems.append("--manifest: with --local name the dataset's folder as RUN; its manifest is used.")
    if problems:
        raise InputRefusedError(problems)


def do_local_session(
    session: LocalSession, choice: TargetChoice, out: Path | None, screen: Screen, *, yes: bool
) -> int:
    """Train on this machine, draw the storyboard's prompts, and say where everything is.

    The results are in ``<out>/<run>/lora/<training>/``; for a folder without ``--out`` in its own ``lora/``. What
    was interrupted goes on where the same is asked again, and what is done is not done again.

    Args:
        session: What to do.
        choice: Where the run is, unless it is a folder.
        out: The folder that the run is copied to.
        screen: Where to tell it.
        yes: Whether the user agreed to the base model's licence beforehand.

    Returns:
        The exit code.

    Raises:
        InputRefusedError: Something can't be used; nothing was begun.
        CaptionLintError: The captions would spoil the training; nothing was begun.
        RunNotFoundError: There is no such run.
        FolderInUseError: Another command trains the same.
    """
    _refuse_weights(session.weights)
    if out is not None and (problems := check_out(out)):
        raise InputRefusedError(problems)
    python = find_python(session.python)
    dataset, home = _dataset(session.run, choice, out, screen)
    plan = plan_session(session, dataset, home, python)
    _tell_plan(plan, screen)
    if not plan.folder.is_trained:
        for line in check_local_captions(dataset, plan.settings, session.run):
            screen.warn(line)
    if not plan.folder.is_trained and not _agreed(plan.licence, screen, yes=yes):
        screen.say("Nothing was trained.")
        return DONE
    try:
        with plan.folder.held():
            _train(plan, screen)
            drawn = _draw(plan, screen)
    except KeyboardInterrupt:
        screen.say("Interrupted. What is done is kept: the same command goes on from there.")
        return INTERRUPTED
    except TrainerStoppedError as error:
        screen.say(f"{error} The same command goes on from there.")
        return INTERRUPTED
    except TrainerFailedError as error:
        screen.problem(str(error))
        return error.exit_code
    _tell_results(plan, drawn, screen)
    return DONE


def _refuse_weights(weights: Path | None) -> None:
    if weights is not None and not (weights / "model_index.json").is_file():
        raise InputRefusedError(
            [
                f"--weights {weights}: it is no model in diffusers' folder layout, which has a model_index.json. "
                "Name the folder that `save_pretrained` or a download of the whole model made."
            ]
        )


def _dataset(run: str, choice: TargetChoice, out: Path | None, screen: Screen) -> tuple[LocalDataset, Path]:
    """Return the dataset, and the folder that ``lora/`` shall be in."""
    folder = dataset_folder(run)
    if folder is not None:
        dataset = read_dataset(folder)
        return dataset, (out / dataset.run_id if out else folder)
    with opened(choice, screen) as target:
        run_id = find_run(target, run).run_id
        copy = copy_run(target.s3, target.bucket, run_id, out or OUT, screen, only=NEEDED)
    for reason in copy.left_out:
        screen.warn(f"Not copied: {reason}.")
    return read_dataset(copy.folder), copy.folder


def _tell_plan(plan: LocalPlan, screen: Screen) -> None:
    for warning in plan.dataset.warnings:
        screen.warn(warning)
    shown = ", ".join(plan.dataset.characters) or "nobody by name"
    held = ""
    if plan.held_out:
        held = f"; {len(plan.held_out)} of them, whole shots, are held out to tell learning from copying"
    values, lora = plan.settings.training.values, plan.settings.training.lora
    screen.say(f"{len(plan.dataset.pictures)} pictures of {shown}{held}.")
    screen.say(
        f"{values.step_count:,} steps of {values.batch_size} at {values.learning_rate:g}, rank {lora.rank}, "
        f"{lora.resolution} px, on {plan.base_model.id}."
    )
    screen.say(plan.licence.words)


def _agreed(licence: Licence, screen: Screen, *, yes: bool) -> bool:
    return agreed(
        "Train on it under this licence?",
        f"What is trained is bound by the base model's licence ({licence.name}).",
        screen,
        yes=yes,
    )


def _train(plan: LocalPlan, screen: Screen) -> None:
    folder = plan.folder
    if folder.is_trained:
        folder.drop_training_work()
        screen.say(f"It is trained already. Remove {folder.folder} to train it anew.")
        if folder.stand_in:
            screen.warn(folder.stand_in)
        return
    job = plan.training_job()
    folder.lay_out_training(job, {one.path.name: one.path for one in plan.dataset.pictures}, plan.weights)
    last = run_trainer(plan.python, folder.train_root, screen, what="Training", is_offline=plan.is_offline)
    folder.keep_training()
    screen.say(f"Trained: {last.figures}." if last and last.figures else "Trained.", style="bold green")


def _draw(plan: LocalPlan, screen: Screen) -> tuple[ShownPrompt, ...]:
    """Draw what is not drawn yet, and return all that is."""
    if not plan.orders:
        return ()
    folder = plan.folder
    if any(folder.panel(order.fingerprint) is None for orders in plan.orders for order in orders):
        job = plan.drawing_job()
        folder.lay_out_drawing(job, plan.weights)
        run_trainer(plan.python, folder.draw_root, screen, what="Drawing", is_offline=plan.is_offline)
    return tuple(_kept(folder, number, orders) for number, orders in enumerate(plan.orders, 1))


def _kept(folder: LoraFolder, number: int, orders: tuple[PanelOrder, ...]) -> ShownPrompt:
    pictures = [
        ShownPicture(str(path.relative_to(folder.folder)), order.drawn_by)
        for order in orders
        for path in folder.keep_panel(order.fingerprint, f"{number:02d}-{order.drawn_by}")
    ]
    refused = [
        f"{order.drawn_by} model: {record.refused}"
        for order in orders
        if (record := folder.panel(order.fingerprint)) and record.refused
    ]
    return ShownPrompt(orders[0].request.prompt, tuple(pictures), tuple(refused))


def _tell_results(plan: LocalPlan, drawn: tuple[ShownPrompt, ...], screen: Screen) -> None:
    folder = plan.folder
    screen.say(f"The adapter: {folder.adapter / 'pytorch_lora_weights.safetensors'}")
    screen.say(f"Its card, with how to use it: {folder.adapter / 'README.md'}")
    for name, what in (("metrics.csv", "Losses by step"), ("held_out.json", "Held-out loss by shot")):
        if (folder.folder / name).exists():
            screen.say(f"{what}: {folder.folder / name}")
    for prompt in drawn:
        for refused in prompt.refused:
            screen.warn(f"{prompt.text!r}, {refused}")
    if not drawn:
        return
    page = folder.folder / "storyboard.html"
    notes = [Note(folder.stand_in, is_warning=True)] if folder.stand_in else []
    texts = ", ".join(f"adapter/{path.name}" for path in sorted(folder.adapter.glob("LICENSE*")))
    notes += [
        Note(f"Drawn by {plan.base_model.id}, with the adapter and without."),
        Note(f"The base model's licence: {plan.licence.name}." + (f" Its text: {texts}." if texts else "")),
    ]
    write_page(page, f"Storyboard of {plan.dataset.run_id}, {plan.training_id}", notes, drawn)
    count = sum(len(prompt.pictures) for prompt in drawn)
    prompts = "prompt" if len(drawn) == 1 else "prompts"
    screen.say(
        f"The storyboard, {count} pictures of {len(drawn)} {prompts}, trained and base side by side: {page}"
    )
