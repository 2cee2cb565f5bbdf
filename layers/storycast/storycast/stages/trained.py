"""The record of a model that was paid for: written by whoever sees first that its job is done."""

import csv
import io

from storycast import keys
from storycast.ports import JobFacts, ObjectStore
from storycast.stages.reading import write_record
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
        base_model=training.bedrock_base_model,
        job_name=job.name,
        job_arn=job.arn,
        trained_by=plan.run_id,
        training_id=plan.training_id,
        session_id=plan.session_id,
        step_count=training.step_count,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        record_count=plan.record_count,
        began_at=job.created_at,
        ended_at=job.ended_at,
        final_loss=job.training_loss if job.training_loss is not None else _last_loss(store, metrics_key),
        metrics_key=metrics_key,
    )
    write_record(store, keys.trained_model(plan.project, plan.fingerprint), model)
    return model


def _metrics(store: ObjectStore, plan: TrainingPlan) -> str | None:
    """Return the key of the table of losses that Bedrock writes below the output's prefix."""
    prefix = keys.training_output(plan.run_id, plan.training_id, plan.session_id)
    return next(
        (one.key for one in store.list(prefix) if one.key.endswith("step_wise_training_metrics.csv")), None
    )


def _last_loss(store: ObjectStore, metrics_key: str | None) -> float | None:
    if metrics_key is None:
        return None
    rows = list(csv.DictReader(io.StringIO(store.get(metrics_key).decode(errors="replace"))))
    try:
        return float(rows[-1]["training_loss"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
