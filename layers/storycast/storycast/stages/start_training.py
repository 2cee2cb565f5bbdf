"""StartTraining: start the fine-tuning job of a session, or find it again."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.fingerprint import fingerprint
from storycast.ports import BillingBook, Claims, CustomizationJob, Customizer, ObjectStore
from storycast.stages.billing_copy import copy_rows
from storycast.stages.training_claims import holder_of
from storycast.training import TrainingPlan, hyperparameters, training_claim


def start_training(
    plan: TrainingPlan,
    *,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    customizer: Customizer,
    role_arn: str,
    now: datetime,
) -> dict[str, Any]:
    """Start the job, unless this or another session has started the same training.

    The claim keeps two sessions from paying for one training, the row from being made after the teardown began,
    and the search by name from making a second job after a crash.

    Args:
        plan: The session.
        store: The bucket.
        claims: Who trains what.
        book: What is billed.
        customizer: Starts jobs.
        role_arn: The role that the job reads the dataset with.
        now: The time.

    Returns:
        The name of the job that trains this, which is another session's where that one was first.

    Raises:
        BillingClosedError: The session's teardown has begun.
        TrainingAccessError: The service can't train here; so with ``TrainingPlanInvalidError``.
    """
    holder = holder_of(plan, store=store, claims=claims, book=book)
    if holder not in {None, plan.job_name}:
        return {"job_name": holder, "is_own": False}
    settings = plan.settings.training
    hours = settings.max_hours
    images = settings.values.pictures_seen
    row = book.intend(plan.billed("customization_job", plan.job_name, now, hours=hours, image_count=images))
    # After the row: a claim whose holder has no open row is nobody's.
    holder = claims.claim(training_claim(plan), plan.job_name, {"run_id": plan.run_id})
    if holder != plan.job_name:
        return {"job_name": holder, "is_own": False}
    arn = row.arn
    if arn is None:
        found = customizer.find(plan.job_name)
        arn = found.arn if found else customizer.create(_job(plan, store.bucket, role_arn))
        book.created(plan.job_name, arn, found.created_at if found else now)
    copy_rows(store, book, plan.run_id)
    return {"job_name": plan.job_name, "is_own": True}


def _job(plan: TrainingPlan, bucket: str, role_arn: str) -> CustomizationJob:
    output = keys.training_output(plan.run_id, plan.training_id, plan.session_id)
    return CustomizationJob(
        name=plan.job_name,
        model_name=plan.job_name,
        base_model=plan.settings.training.model_id,
        role_arn=role_arn,
        manifest_uri=f"s3://{bucket}/{plan.manifest_key}",
        output_uri=f"s3://{bucket}/{output}",
        hyperparameters=hyperparameters(plan.settings.training),
        tags={
            "storycast:run": plan.run_id,
            "storycast:training": plan.training_id,
            "storycast:project": fingerprint(project=plan.project),
        },
    )
