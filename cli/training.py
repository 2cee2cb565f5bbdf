"""What `storycast train` and `storycast draw` do: a training session of a run whose dataset is there."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cli.claims import StartedRun
from cli.consent import agreed
from cli.ending import see_through
from cli.estimating import amounts
from cli.objects import read
from cli.problems import DONE, InputRefusedError, TargetUnusableError
from cli.run_copy import check_out
from cli.screen import Screen
from cli.standins import play
from cli.summary import find_run, read_record
from cli.target import Target, TargetChoice, opened
from cli.trainings import session_plan, stored_panels, trained_models
from storycast import keys, names
from storycast.caption_lint.findings import RULES, Rule
from storycast.estimate import (
    NOTHING,
    Range,
    hosting_most_usd,
    hosting_usd,
    storyboard_usd,
    training_most_usd,
    training_usd,
)
from storycast.licences import licence_of
from storycast.plan import RunPlan
from storycast.prices import price_table, usd
from storycast.settings import Settings
from storycast.training import TrainingRequest


@dataclass(frozen=True, slots=True)
class Session:
    """What the user asked for: parts of a project file that hold for this session instead of the run's own.

    Attributes:
        run_id: The run.
        training: Such as ``step_count``.
        storyboard: Such as ``prompts``.
        budget_usd: The most that the run may cost; the run's own where None.
        manifest_key: A manifest in the bucket; the run's approved one where None.
        draw_only: Whether to draw with a model that is there.
        training_id: Which model, where nothing is trained; the newest where None.
        acknowledge: Rules of the caption lint whose findings may stay.
    """

    run_id: str
    training: Mapping[str, Any] = field(default_factory=dict)
    storyboard: Mapping[str, Any] = field(default_factory=dict)
    budget_usd: float | None = None
    manifest_key: str | None = None
    draw_only: bool = False
    training_id: str | None = None
    acknowledge: Sequence[Rule] = ()


def do_session(session: Session, choice: TargetChoice, out: Path | None, screen: Screen, *, yes: bool) -> int:
    """Say what a session costs, ask, start it, follow it, and copy the run.

    Args:
        session: What to do.
        choice: Where.
        out: Where to copy the run's folder.
        screen: Where to tell it.
        yes: Whether the user agreed to the cost beforehand.

    Returns:
        The exit code.

    Raises:
        RunNotFoundError: There is no such run.
        InputRefusedError: A value can't be used, or it costs money and nobody can be asked.
    """
    if not names.is_run_id(session.run_id) and Path(session.run_id).is_dir():
        here = "" if session.draw_only else f" `storycast train {session.run_id} --local` trains on this machine."
        raise InputRefusedError([f"{session.run_id} is a folder, and a run's id is wanted.{here}"])
    if out is not None and (problems := check_out(out)):
        raise InputRefusedError(problems)
    with opened(choice, screen) as target:
        return do_session_on(target, session, out, screen, yes=yes)


def do_session_on(target: Target, session: Session, out: Path | None, screen: Screen, *, yes: bool) -> int:
    """Do :func:`do_session` on a target that is there."""
    request = _request(session)
    run_id = request.run_id
    settings = merged(_own_settings(target, session), request)
    if session.training.get("lora") and settings.training.target == "bedrock":
        raise InputRefusedError(
            [
                "--rank, --resolution, --instance-type and --on-demand are for an adapter, and this trains on "
                "Bedrock. Say --train sagemaker, or leave them out."
            ]
        )
    if session.draw_only:
        settings = _as_trained(target, settings, session)
    if settings.budget_usd <= 0:
        raise InputRefusedError(
            [f"Run {run_id} has no budget_usd, and nothing is trained or drawn without. Say --budget USD."]
        )
    cost = _tell_cost(target, settings, session, screen)
    if target.kind == "aws" and cost.high > 0 and not _agreed(cost, session, screen, yes=yes):
        screen.say("Nothing was started.")
        return DONE
    play(target, settings, screen)
    started = target.stepfunctions.start_execution(
        stateMachineArn=target.train_arn,
        name=f"{run_id}-{secrets.token_hex(4)}",
        input=json.dumps(request.model_dump(mode="json", exclude_defaults=True)),
    )
    arn = started["executionArn"]
    what = "Drawing with a model of" if session.draw_only else "Training on"
    screen.say(f"{what} run {run_id} began on {target.place}.")
    code = see_through(target, StartedRun(run_id, arn), out, screen)
    if code == DONE:
        _tell_panels(target, run_id, arn, screen)
    return code


def _own_settings(target: Target, session: Session) -> Settings:
    """Return the run's settings; the defaults for a manifest under the id of a run that is made for it."""
    if session.manifest_key and read_record(target, session.run_id) is None:
        return Settings()
    return settings_of(target, find_run(target, session.run_id).run_id)


def settings_of(target: Target, run_id: str) -> Settings:
    """Return the settings that a run has.

    Raises:
        TargetUnusableError: They are missing, or of another release.
    """
    key = keys.run_file(run_id, "settings.json")
    content = read(target, key)
    if content is None:
        raise TargetUnusableError(
            f"{target.uri(key)} is missing, so the run's settings are not known. Run it again."
        )
    try:
        return RunPlan.model_validate_json(content).settings
    except ValidationError as error:
        raise TargetUnusableError(
            f"{target.uri(key)} can't be read by this release of the command ({error.error_count()} problems, "
            f"first: {error.errors()[0]['msg']}). Use the command of the release that the stack was deployed from."
        ) from None


def _as_trained(target: Target, settings: Settings, session: Session) -> Settings:
    """Return the settings of a drawing: where it draws is where its model was trained."""
    run = find_run(target, session.run_id)
    wanted = [session.training_id] if session.training_id else list(reversed(run.training_ids))
    models = {model.training_id: model for model in trained_models(target, run.project)}
    model = next((models[training_id] for training_id in wanted if training_id in models), None)
    if model is None:
        return settings  # the workflow says that there is none
    trained = {"target": model.target, "base_model": model.base_model}
    return settings.model_copy(update={"training": settings.training.model_copy(update=trained)})


def merged(settings: Settings, request: TrainingRequest) -> Settings:
    """Return a run's settings with those of a session in their place.

    Raises:
        InputRefusedError: What results are no valid settings.
    """
    try:
        return Settings.model_validate(request.over(settings))
    except ValidationError as error:
        raise InputRefusedError([_problem(detail) for detail in error.errors()]) from None


def _request(session: Session) -> TrainingRequest:
    try:
        return TrainingRequest.model_validate(
            {
                "run_id": session.run_id,
                "manifest_key": session.manifest_key,
                "draw_only": session.draw_only,
                "training_id": session.training_id,
                "training": dict(session.training),
                "storyboard": dict(session.storyboard),
                "budget_usd": session.budget_usd,
                "acknowledge": tuple(session.acknowledge),
            }
        )
    except ValidationError as error:
        raise InputRefusedError([_problem(detail) for detail in error.errors()]) from None


def _problem(detail: Mapping[str, Any]) -> str:
    where = ".".join(map(str, detail["loc"]))
    said = str(detail["msg"]).removeprefix("Value error, ")
    given = "" if isinstance(detail["input"], dict) else f" Given: {detail['input']!r}."
    return f"{where}: {said}.{given}"


def _tell_cost(target: Target, settings: Settings, session: Session, screen: Screen) -> Range:
    """Say what a session is expected to cost at most on AWS, and return it."""
    prompts, by_job = len(settings.storyboard.prompts), settings.training.target == "sagemaker"
    parts: dict[str, Range] = {}
    if not session.draw_only:
        on = f" on {settings.training.lora.instance_type}" if by_job else ""
        seen = settings.training.values.pictures_seen
        parts[f"training{on}, {seen:,} pictures seen"] = training_usd(settings, None)
    if prompts:
        most = f"{usd(hosting_most_usd(settings))} at the very most"
        parts[f"a job that draws, {most}" if by_job else f"hosting, {most}"] = hosting_usd(settings)
        graded = "grading the panels" if by_job else "the base model's panels"
        parts[f"{graded} of {prompts} {'prompt' if prompts == 1 else 'prompts'}"] = storyboard_usd(settings)
    cost = sum(parts.values(), NOTHING)
    said = "; ".join(f"{part}: {amounts(amount)}" for part, amount in parts.items() if amount.high)
    would = "It costs" if target.kind == "aws" else "AWS would charge"
    screen.say(
        f"{would} {amounts(cost)} at list prices of {price_table().as_of}"
        + (f" ({said})." if said else ".")
        + (" What was paid before is not paid again." if cost.high else "")
        + ("" if target.kind == "aws" else " On this machine it costs nothing.")
    )
    if by_job and not session.draw_only:
        _tell_job(settings, screen)
    return cost


def _tell_job(settings: Settings, screen: Screen) -> None:
    """Say what ends a training job on SageMaker, and what its base model's licence is."""
    training = settings.training
    cheaper = "Spot capacity may make it cheaper, and longer; " if training.lora.spot else ""
    most = usd(training_most_usd(settings))
    hours = f"training.max_hours: {training.max_hours:g}"
    said = f"{cheaper}AWS's own clock ends the training at {most} at the latest ({hours}, and the budget)."
    screen.say(said[0].upper() + said[1:])
    screen.say(f"Base model {licence_of(training.model_id).words}")


def _agreed(cost: Range, session: Session, screen: Screen, *, yes: bool) -> bool:
    what = "Drawing" if session.draw_only else "Training"
    why = f"{what} costs up to {usd(cost.high)} on AWS."
    return agreed(f"Start it for up to {usd(cost.high)}?", why, screen, yes=yes)


def _tell_panels(target: Target, run_id: str, execution_arn: str, screen: Screen) -> None:
    """Say where the pictures of a session's prompts are."""
    plan = session_plan(target, run_id, names.session_id(execution_arn))
    if plan is None:
        return
    for one in stored_panels(target, run_id, plan.training_id):
        if one.panels.request.prompt in plan.settings.storyboard.prompts:
            screen.say(f"{one.panels.request.prompt} ({one.panels.drawn_by} model):")
            for key in one.panels.picture_keys:
                screen.say(f"  {target.uri(key)}")


def prompts_of(
    texts: Sequence[str], *, size: str | None, negative: str | None, images: int | None, seed: int | None
) -> dict[str, Any]:
    """Return the part of a project file that a drawing asks for; what is left out is as the run has it.

    Raises:
        InputRefusedError: The size is none.
    """
    asked: dict[str, Any] = {"prompts": list(texts)}
    if size is not None:
        width, by, height = size.lower().partition("x")
        if not (by and width.isdecimal() and height.isdecimal()):
            raise InputRefusedError([f"--size {size!a} is no size. Write width x height in pixels: 1280x720."])
        asked |= {"width": int(width), "height": int(height)}
    given = {"negative_prompt": negative, "images_per_prompt": images, "seed": seed}
    return asked | {name: value for name, value in given.items() if value is not None}


def lint_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Return rules of the caption lint by what the user typed.

    Raises:
        InputRefusedError: There is no such rule.
    """
    wrong = [text for text in texts if text not in RULES]
    if wrong:
        known = f"The caption lint has the rules {', '.join(RULES)}."
        raise InputRefusedError([f"--acknowledge {text}: there is no such rule. {known}" for text in wrong])
    return tuple(rule for rule in RULES if rule in texts)
