"""CheckTrainingPlan: find what would make a training fail or cost too much, and plan the session."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from storycast import keys, names
from storycast.advice import advice
from storycast.approval import FinalNames, renamed
from storycast.budget import refuse_over_budget
from storycast.costs import spent_usd
from storycast.errors import ModelMissingError, RequestInvalidError
from storycast.estimate import NOTHING, hosting_most_usd, storyboard_usd, training_usd
from storycast.frames import to_json_lines
from storycast.job_preflight import JobSite
from storycast.manifest import write_manifest
from storycast.plan import RunPlan, read_plan, write_plan
from storycast.ports import (
    BillingBook,
    Claims,
    ModelCatalogue,
    ObjectStore,
    RoleInspector,
)
from storycast.preflight import refuse_problems, training_findings
from storycast.runs import Run, change_run, create_run, read_run
from storycast.settings import MAX_PROMPT, Settings, read_settings
from storycast.stages.caption_linting import check_captions
from storycast.stages.reading import read_record
from storycast.stages.trained import trained_models
from storycast.stages.training_claims import is_trained_by_another
from storycast.stages.training_dataset import DatasetPicture, Split, dataset_pictures, job_pictures, split
from storycast.storyboard import next_prompt, panels_are_paid
from storycast.trainers import PICTURES, Trainer
from storycast.training import (
    SeenPicture,
    Target,
    TrainedModel,
    TrainingPlan,
    TrainingRequest,
    lora_fingerprint,
    read_training_plan,
    training_fingerprint,
    write_training_plan,
)


def check_training_plan(
    request: TrainingRequest,
    *,
    execution_arn: str,
    started_at: datetime,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    catalogue: ModelCatalogue,
    trainer_of: Callable[[Target], Trainer],
    roles: RoleInspector,
    role_arn: str,
    site: JobSite,
    region: str,
    now: datetime,
) -> dict[str, Any]:
    """Plan a session: what is trained on, what is paid already, and where to begin.

    Args:
        request: What was asked for.
        execution_arn: The session's execution.
        started_at: When it began.
        store: The bucket.
        claims: Learns which run the execution is.
        book: What the run has been billed for.
        catalogue: Tells whether the base model lives.
        trainer_of: Returns what trains for a target, which tells whether a trained model is there.
        roles: Looks at the role.
        role_arn: The role of a training job on Bedrock.
        site: Where a job on SageMaker would run.
        region: Where this runs.
        now: The time.

    Returns:
        The session's names, ``start_with``, whether it ``draws``, and its prompts by number.

    Raises:
        RequestInvalidError: There is no such run, and no manifest that would make one.
        SettingsInvalidError: An override is not valid.
        TrainingPlanInvalidError: The dataset can't be trained on.
        CaptionLintError: Its captions would spoil a training, and nobody has acknowledged it.
        ModelMissingError: Nothing is to be trained, and there is no model to draw with.
        BudgetExceededError: The session could pass the budget.
        StorycastError: The preflight found a problem; see :mod:`storycast.preflight`.
    """
    run, run_plan = _run(request, execution_arn, started_at, store, now)
    claims.register(execution_arn, run.run_id)
    change_run(store, run.run_id, lambda run: run.model_copy(update={"training_execution_arn": execution_arn}))
    asked = read_settings(json.dumps(request.over(run_plan.settings)), f"the request for {run.run_id}")
    settings = _as_reviewed(asked, run.run_id, store)
    session_id = names.session_id(execution_arn)
    dataset, pictures = Split((), ()), list[DatasetPicture]()
    if request.draw_only:
        plan = _drawing(request, run, settings, execution_arn, session_id, started_at, store)
    else:
        pictures = dataset_pictures(
            store, request.manifest_key or keys.run_file(run.run_id, keys.APPROVED_MANIFEST)
        )
        dataset = split(store, run.run_id, pictures, settings.training.hold_out_share)
        plan = _training(run, settings, execution_arn, session_id, started_at, dataset)
    findings = training_findings(
        plan.settings,
        catalogue=catalogue,
        roles=roles,
        role_arn=role_arn,
        region=region,
        site=site,
        record_count=None if request.draw_only else plan.record_count,
        now=now,
    )
    warnings = refuse_problems(findings)
    model = _model(plan, store, trainer_of(plan.target))
    if request.draw_only and model is None:
        raise _no_model(run, request)
    start_with = _start(plan, model, store)
    if start_with == "train":
        warnings += check_captions(settings, run.run_id, request.manifest_key, pictures, store)
    # What another session's job leaves of the budget is looked at when it has ended: before anything is drawn.
    if start_with in {"train", "host"} and not is_trained_by_another(plan, book):
        _refuse_over_budget(plan, run, book, start_with, now)
    if not request.draw_only:
        if start_with == "train":
            warnings += advice(settings.training, plan.record_count)
        _write_dataset(plan, dataset, store)
    write_training_plan(store, plan)
    change_run(store, run.run_id, partial(_planned, plan=plan, warnings=warnings))
    prompts = settings.storyboard.prompts
    return {
        "run_id": run.run_id,
        "training_id": plan.training_id,
        "session_id": session_id,
        "start_with": start_with,
        "draws": bool(prompts),
        "prompts": list(range(len(prompts))),
    }


def _run(
    request: TrainingRequest, execution_arn: str, started_at: datetime, store: ObjectStore, now: datetime
) -> tuple[Run, RunPlan]:
    """Return the run; for a manifest of its own, one that is made for it."""
    try:
        return read_run(store, request.run_id), read_plan(store, request.run_id)
    except KeyError:
        pass
    if request.manifest_key is None:
        raise RequestInvalidError(
            f"There is no run '{request.run_id}'. Name one that `storycast status` lists, or a manifest_key below "
            "datasets/ to train on a dataset of your own."
        )
    run_plan = RunPlan(
        run_id=request.run_id, project=request.project or request.run_id, settings=Settings(), footage=()
    )
    run = Run(
        run_id=request.run_id,
        project=run_plan.project,
        status="dataset_ready",
        execution_arn=execution_arn,
        started_at=started_at.isoformat(),
        ended_at=now.isoformat(),
    )
    write_plan(store, run_plan)
    return create_run(store, run), run_plan


def _as_reviewed(settings: Settings, run_id: str, store: ObjectStore) -> Settings:
    """Return the settings with prompts that call the characters as the review does: the model knows no other."""
    final = read_record(store, keys.run_file(run_id, keys.FINAL_NAMES), FinalNames)
    if final is None or not final.names:
        return settings
    told = [renamed(prompt, final.names) for prompt in settings.storyboard.prompts]
    prompts = tuple(
        new if len(new) <= MAX_PROMPT else old for old, new in zip(settings.storyboard.prompts, told, strict=True)
    )
    return settings.model_copy(update={"storyboard": settings.storyboard.model_copy(update={"prompts": prompts})})


def _training(
    run: Run, settings: Settings, execution_arn: str, session_id: str, started_at: datetime, dataset: Split
) -> TrainingPlan:
    """Return the plan of a session that trains."""
    seen = dataset.trained_on
    if settings.training.target == "sagemaker":
        mark = lora_fingerprint(
            settings.training, [SeenPicture(one.etag, one.caption, one.characters) for one in seen]
        )
    else:
        mark = training_fingerprint(settings.training, [(one.etag, one.caption) for one in seen])
    return _plan(
        run, settings, execution_arn, session_id, started_at, mark, dataset.held_out_ids, len(dataset.trained_on)
    )


def _planned(run: Run, *, plan: TrainingPlan, warnings: Sequence[str]) -> Run:
    """Return the run with the session's training under way.

    Its status is the newest session's to set, and not any more once that one's end is recorded.
    """
    training_ids = dict.fromkeys((*run.training_ids, plan.training_id))
    run = run.with_warnings(*warnings).model_copy(update={"training_ids": tuple(training_ids)})
    is_newest = run.training_execution_arn == plan.execution_arn
    if not is_newest or run.failed_execution_arn == plan.execution_arn:
        return run
    nothing_failed = {"error": None, "cause": None, "failed_execution_arn": None}
    return run.model_copy(update={"status": "training", **nothing_failed})


def _drawing(
    request: TrainingRequest,
    run: Run,
    settings: Settings,
    execution_arn: str,
    session_id: str,
    started_at: datetime,
    store: ObjectStore,
) -> TrainingPlan:
    """Return the plan of a session that draws with a model which is there."""
    if not settings.storyboard.prompts:
        raise RequestInvalidError("There is nothing to draw: name prompts in storyboard.prompts.")
    wanted = [request.training_id] if request.training_id else list(reversed(run.training_ids))
    models = {model.training_id: model for model in trained_models(store, run.project)}
    model = next((models[training_id] for training_id in wanted if training_id in models), None)
    if model is None:
        raise _no_model(run, request)
    held_out: tuple[str, ...] = ()
    if model.trained_by == run.run_id:
        try:
            held_out = read_training_plan(store, run.run_id, model.training_id, model.session_id).held_out
        except RequestInvalidError:
            held_out = ()
    training = settings.training.model_copy(
        update={
            "target": model.target,
            "base_model": model.base_model,
            "step_count": model.step_count,
            "batch_size": model.batch_size,
            "learning_rate": model.learning_rate,
        }
    )
    settings = settings.model_copy(update={"training": training})
    plan = _plan(
        run, settings, execution_arn, session_id, started_at, model.fingerprint, held_out, model.record_count
    )
    return plan.model_copy(update={"first_prompt": next_prompt(store, plan)})


def _no_model(run: Run, request: TrainingRequest) -> ModelMissingError:
    which = f"no trained model {request.training_id}" if request.training_id else "no trained model"
    return ModelMissingError(
        f"The run {run.run_id} has {which} that is still there. Train one: storycast train {run.run_id}."
    )


def _plan(
    run: Run,
    settings: Settings,
    execution_arn: str,
    session_id: str,
    started_at: datetime,
    mark: str,
    held_out: tuple[str, ...],
    record_count: int,
) -> TrainingPlan:
    training_id = names.training_id(mark)
    return TrainingPlan(
        run_id=run.run_id,
        training_id=training_id,
        session_id=session_id,
        project=run.project,
        execution_arn=execution_arn,
        settings=settings,
        fingerprint=mark,
        manifest_key=keys.training_file(run.run_id, training_id, session_id, "manifest.jsonl"),
        record_count=record_count,
        held_out=held_out,
        begun_at=started_at,
        job_name=names.job_name(run.run_id, training_id, session_id),
    )


def _write_dataset(plan: TrainingPlan, dataset: Split, store: ObjectStore) -> None:
    """Write down what is trained on, as the target reads it; a review that goes on changes nothing of it."""
    manifest = write_manifest(dataset.trained_on, plan.settings.manifest.keys)
    store.put(plan.manifest_key, manifest, "application/jsonl")
    if plan.target == "sagemaker":
        key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, PICTURES)
        store.put(key, to_json_lines(job_pictures(store, dataset)), "application/jsonl")


def _model(plan: TrainingPlan, store: ObjectStore, trainer: Trainer) -> TrainedModel | None:
    """Return the model of this very training, where it was paid for and is still there.

    One that somebody deleted is forgotten, so that it can be trained anew: its claim is nobody's without a record.
    """
    key = keys.trained_model(plan.project, plan.fingerprint)
    model = read_record(store, key, TrainedModel)
    if model is None or trainer.has_model(model):
        return model
    store.delete(key)
    return None


def _start(plan: TrainingPlan, model: TrainedModel | None, store: ObjectStore) -> str:
    """Return where the session begins: at the first step that is not paid for."""
    if model is None:
        return "train"
    if not plan.settings.storyboard.prompts:
        return "report"
    return "grade" if panels_are_paid(store, plan) else "host"


def _refuse_over_budget(plan: TrainingPlan, run: Run, book: BillingBook, start_with: str, now: datetime) -> None:
    settings = plan.settings
    training = training_usd(settings, plan.record_count) if start_with == "train" else NOTHING
    most_usd = (training + storyboard_usd(settings)).high + hosting_most_usd(settings)
    chosen = settings.training.values
    values = f"training.step_count: {chosen.step_count:,}, batch_size: {chosen.batch_size}"
    what = f"the storyboard with its hosting, hosting.hours: {settings.hosting.hours:g}"
    what = f"training ({values}), and {what}" if start_with == "train" else what
    refuse_over_budget(settings.budget_usd, spent_usd(run, book.rows(run.run_id), now), most_usd, what)
