"""The record of a model that was paid for: written by whoever sees first that its job is done."""

from collections.abc import Iterator

from storycast import keys
from storycast.losses import read_losses
from storycast.ports import JobFacts, ObjectStore
from storycast.stages.reading import read_record, write_record
from storycast.training import TrainedModel, TrainingPlan


def record_model(plan: TrainingPlan, job: JobFacts, *, store: ObjectStore) -> TrainedModel:
    """Write the record of the model that came of a session's job, and return it.

    Args:
        plan: The session that paid for it.
        job: Its job, completed.
        store: The bucket.
    """
    training = plan.settings.training
    metrics_key = _metrics(store, plan)
    model = TrainedModel(
        fingerprint=plan.fingerprint,
        model_arn=job.model_arn or "",
        model_name=job.model_name or job.name,
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
        final_loss=job.training_loss if job.training_loss is not None else _last_loss(store, metrics_key),
        metrics_key=metrics_key,
    )
    write_record(store, keys.trained_model(plan.project, plan.fingerprint), model)
    return model


def trained_models(store: ObjectStore, project: str) -> Iterator[TrainedModel]:
    """Yield the records of a project's models; one that is damaged is passed over."""
    for stored in store.list(keys.trained_models(project)):
        if stored.key.endswith("/model.json") and (model := read_record(store, stored.key, TrainedModel)):
            yield model


def _metrics(store: ObjectStore, plan: TrainingPlan) -> str | None:
    """Return the key of the table of losses that Bedrock writes below the output's prefix."""
    prefix = keys.training_output(plan.run_id, plan.training_id, plan.session_id)
    return next(
        (one.key for one in store.list(prefix) if one.key.endswith("step_wise_training_metrics.csv")), None
    )


def _last_loss(store: ObjectStore, metrics_key: str | None) -> float | None:
    if metrics_key is None:
        return None
    try:
        losses = read_losses(store.get(metrics_key))
    except (KeyError, ValueError):
        return None
    return losses[-1].loss if losses else None
