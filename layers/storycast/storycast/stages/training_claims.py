"""Who trains what: the claim that keeps two sessions from paying for one training."""

from storycast import keys
from storycast.ports import BillingBook, Claims, ObjectStore
from storycast.stages.reading import read_record
from storycast.training import TrainedModel, TrainingPlan, training_claim


def holder_of(plan: TrainingPlan, *, store: ObjectStore, claims: Claims, book: BillingBook) -> str | None:
    """Return the name of the job that trains what a session needs; None where nobody does.

    Who claims a training has a row of its job in the book before, and writes the model down before the row ends.
    So a claim of a job whose row has ended, and of which there is no model, is nobody's: its job failed or was
    stopped, or its model was deleted. Such a claim is given up here.

    Args:
        plan: The session.
        store: The bucket.
        claims: Who trains what.
        book: What is billed.
    """
    item = training_claim(plan)
    holder = claims.holder(item)
    if holder is None or holder == plan.job_name:
        return holder
    row = book.row(holder)
    if row is not None and row.is_open:
        return holder
    if read_record(store, keys.trained_model(plan.project, plan.fingerprint), TrainedModel) is not None:
        return holder
    claims.release(item, holder)
    return None


def is_trained_by_another(plan: TrainingPlan, book: BillingBook) -> bool:
    """Whether another session of the run has a job for this very training that may still be billed.

    Until it ends it counts with all that it may cost, of which this session pays nothing.
    """
    return any(
        row.is_open
        and row.kind == "training_job"
        and row.training_id == plan.training_id
        and row.session_id != plan.session_id
        for row in book.rows(plan.run_id)
    )
