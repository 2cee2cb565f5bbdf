"""The record of a model that was paid for: written by whoever sees first that its job is done."""

from collections.abc import Iterator

from storycast import keys
from storycast.ports import Claims, JobFacts, ObjectStore
from storycast.stages.reading import read_record, write_record
from storycast.trainers import Trainer
from storycast.training import TrainedModel, TrainingPlan, training_claim


def close_training(
    plan: TrainingPlan,
    job_name: str,
    job: JobFacts | None,
    *,
    store: ObjectStore,
    claims: Claims,
    trainer: Trainer,
) -> TrainedModel | None:
    """Write down the model of a job that has ended, and return it; where it left none, let others train.

    Args:
        plan: The session that paid for it.
        job_name: Its job, which holds the claim.
        job: What is known of that; None where it is gone.
        store: The bucket.
        claims: Who trains what.
        trainer: Knows where the model lies.
    """
    model = None
    if job is not None and job.status == "Completed":
        model = _record_model(plan, job, store=store, trainer=trainer)
    if model is None:
        claims.release(training_claim(plan), job_name)
    return model


def trained_models(store: ObjectStore, project: str) -> Iterator[TrainedModel]:
    """Yield the records of a project's models; one that is damaged is passed over."""
    for stored in store.list(keys.trained_models(project)):
        if stored.key.endswith("/model.json") and (model := read_record(store, stored.key, TrainedModel)):
            yield model


def _record_model(
    plan: TrainingPlan, job: JobFacts, *, store: ObjectStore, trainer: Trainer
) -> TrainedModel | None:
    """Write the record of the model that came of a session's job, and return it; None where the job left none.

    Args:
        plan: The session that paid for it.
        job: Its job, completed.
        store: The bucket.
        trainer: Knows where the model lies.
    """
    outcome = trainer.outcome(plan, job)
    if outcome is None:
        return None
    training = plan.settings.training
    is_adapter = trainer.target == "sagemaker"
    model = TrainedModel(
        fingerprint=plan.fingerprint,
        target=trainer.target,
        model_arn=outcome.model_arn,
        model_name=outcome.model_name,
        base_model=training.model_id,
        job_name=job.name,
        job_arn=job.arn,
        trained_by=plan.run_id,
        training_id=plan.training_id,
        session_id=plan.session_id,
        step_count=training.values.step_count,
        batch_size=training.values.batch_size,
        learning_rate=training.values.learning_rate,
        record_count=plan.record_count,
        began_at=job.created_at,
        ended_at=job.ended_at,
        final_loss=outcome.final_loss,
        held_out_loss=outcome.held_out_loss,
        metrics_key=outcome.metrics_key,
        rank=training.lora.rank if is_adapter else None,
        resolution=training.lora.resolution if is_adapter else None,
        stand_in=outcome.stand_in,
    )
    write_record(store, keys.trained_model(plan.project, plan.fingerprint), model)
    return model
