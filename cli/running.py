"""What `storycast run` and `storycast upload` do, step by step."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.claims import StartedRun, find_started
from cli.ending import see_through
from cli.footage_check import FootageFile, check_footage, notes_on
from cli.problems import DONE, INTERRUPTED, InputRefusedError, TargetUnusableError
from cli.project import Overrides, Project, check_name, check_project, project_name
from cli.run_copy import check_out
from cli.screen import Screen
from cli.standins import play
from cli.target import Target, TargetChoice, opened
from cli.uploading import incoming, upload_footage, upload_project, uploads
from local.embedded_aws import EmbeddedAws
from storycast import names
from storycast.errors import BadInputError
from storycast.requests import RunRequest
from storycast.settings import read_settings


@dataclass(frozen=True, slots=True)
class Intake:
    """What a run is to be made of, checked."""

    name: str
    footage: tuple[FootageFile, ...]
    project: Project | None
    overrides: Overrides


def check_input(
    footage: Sequence[Path],
    project_file: Path | None,
    *,
    name: str | None = None,
    overrides: Overrides | None = None,
    out: Path | None = None,
) -> Intake:
    """Look at everything that the user gave, before anything is started or uploaded.

    Raises:
        InputRefusedError: Something can't be used; the message names all of it.
    """
    overrides = overrides or Overrides()
    files, problems = check_footage(footage)
    project, more = _check_project(project_file, overrides)
    problems += more
    if name is not None:
        problems += check_name(name)
    if out is not None:
        problems += check_out(out)
    if problems:
        raise InputRefusedError(problems)
    name = name or project_name(project_file, footage[0])
    return Intake(name, tuple(files), project, overrides)


def check_project_input(project_file: Path | None, overrides: Overrides, out: Path | None) -> Project | None:
    """Look at what the user gave besides footage, before anything is started or uploaded.

    Returns:
        The project; None where they named no file.

    Raises:
        InputRefusedError: Something can't be used; the message names all of it.
    """
    project, problems = _check_project(project_file, overrides)
    if out is not None:
        problems += check_out(out)
    if problems:
        raise InputRefusedError(problems)
    return project


def _check_project(project_file: Path | None, overrides: Overrides) -> tuple[Project | None, list[str]]:
    """Return the project, None where there is no file that can be used, and a message for each problem."""
    project: Project | None = None
    problems: list[str] = []
    if project_file is not None:
        project, problems = check_project(project_file)
    try:
        source = str(project.path) if project else "the options"
        settings = read_settings(overrides.apply(project.content if project else b"", source), source)
        # Without a project file here, the one in the bucket may have a budget.
        if project and settings.training.target != "none" and settings.budget_usd <= 0:
            problems.append(
                f"{source}: training.target: {settings.training.target} needs a budget_usd above 0, which no step "
                "may pass. `storycast estimate` tells what to expect."
            )
    except BadInputError as error:
        problems = [*problems, str(error)]
    return project, problems


def run(intake: Intake, choice: TargetChoice, out: Path | None, screen: Screen) -> int:
    """Upload, start, follow, and copy the results.

    Returns:
        The exit code.
    """
    tell_notes(intake, screen)
    with opened(choice, screen) as target:
        return run_on(target, intake, out, screen)


def tell_notes(intake: Intake, screen: Screen) -> None:
    """Tell what is unusual about the footage before anything is uploaded."""
    for note in notes_on(intake.footage):
        screen.say(note)


def run_on(target: Target, intake: Intake, out: Path | None, screen: Screen) -> int:
    """Do :func:`run` on a target that is there."""
    run_id = names.run_id(intake.footage[0].name, datetime.now(UTC), secrets.token_hex(8))
    settings = upload_project(target, intake.name, intake.project, intake.overrides, screen)
    play(target, settings, screen)
    uploaded = upload_footage(target, incoming(run_id, intake.footage), screen)
    started = start_run(target, intake.name, [one.key for one in uploaded], run_id, screen)
    return see_through(target, started, out, screen)


def start_run(target: Target, project: str, footage: Sequence[str], run_id: str, screen: Screen) -> StartedRun:
    """Start a run over footage that is in the bucket, named by key."""
    request = RunRequest(project=project, footage=tuple(footage), run_id=run_id)
    started = target.stepfunctions.start_execution(
        stateMachineArn=target.machine_arn,
        name=run_id,
        # Not escaped: 32 KB are counted in UTF-8.
        input=json.dumps(request.model_dump(mode="json"), ensure_ascii=False),
    )
    screen.say(f"Run {run_id} began on {target.place}.")
    return StartedRun(run_id, started["executionArn"])


def upload(intake: Intake, choice: TargetChoice, *, follow: bool, out: Path | None, screen: Screen) -> int:
    """Upload footage whose events start runs; follow them if asked to.

    Returns:
        The exit code: the worst of the runs that were followed.

    Raises:
        TargetUnusableError: The embedded AWS would end before any run could.
    """
    if choice.kind == "local" and not (follow or choice.keep_up) and not EmbeddedAws(choice.state_dir).status().up:
        raise TargetUnusableError(
            "The embedded AWS is not up and would end with this command, and the run with it. "
            "Say --follow or --keep-up, or `storycast local up` first."
        )
    tell_notes(intake, screen)
    with opened(choice, screen) as target:
        return upload_on(target, intake, follow=follow, out=out, screen=screen)


def upload_on(target: Target, intake: Intake, *, follow: bool, out: Path | None, screen: Screen) -> int:
    """Do :func:`upload` on a target that is there."""
    settings = upload_project(target, intake.name, intake.project, intake.overrides, screen)
    play(target, settings, screen)
    uploaded = upload_footage(target, uploads(intake.name, intake.footage), screen)
    if not follow:
        screen.say("Each upload starts a run. `storycast status` lists them.")
        return DONE
    codes = []
    for number, one in enumerate(uploaded, 1):
        screen.say(f"Waiting for the run that {one.key} starts ({number} of {len(uploaded)}) ...")
        started = find_started(target, one)
        screen.say(f"Run {started.run_id} began on {target.place}.")
        codes.append(see_through(target, started, out, screen))
        if codes[-1] == INTERRUPTED:
            break
    return max(codes)
