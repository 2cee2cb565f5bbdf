"""ReleaseDetector: give the Custom Labels model up, and stop it where no other run needs it."""

from datetime import datetime, timedelta
from typing import Any

from storycast.detector_leases import DetectorLeases
from storycast.plan import RunPlan
from storycast.ports import BillingBook, ObjectStore
from storycast.runs import Run, change_run
from storycast.stages.billing_copy import copy_rows

PATIENCE = timedelta(minutes=30)
"""How long a run waits until its model has stopped, which takes some minutes; then the sweep goes on with it."""


def release_detector(
    plan: RunPlan, *, leases: DetectorLeases, store: ObjectStore, book: BillingBook, now: datetime
) -> dict[str, Any]:
    """Take the run's lease back; called again until the model has stopped, or others need it.

    Returns:
        ``status``: ``released`` or ``stopping``; and ``message``.

    Raises:
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
    """
    arn = plan.settings.detection.custom_labels_model or ""
    state = leases.release(arn, plan.run_id, "its frames have been looked at")
    for run_id in sorted(leases.touched | {plan.run_id}):
        copy_rows(store, book, run_id)
    if not state:
        return {"status": "released", "message": f"{arn} is not needed by this run any more"}

    def since(run: Run) -> Run:
        return (
            run if "detector_released_at" in run.chosen else run.with_chosen(detector_released_at=now.isoformat())
        )

    began = str(change_run(store, plan.run_id, since).chosen["detector_released_at"])
    if now < datetime.fromisoformat(began) + PATIENCE:
        return {"status": "stopping", "message": f"{arn} is {state}"}
    message = f"the Custom Labels model {arn} is {state} for {PATIENCE.total_seconds() / 60:g} minutes"
    change_run(store, plan.run_id, lambda run: run.with_warnings(f"{message}; the sweep stops it"))
    return {"status": "released", "message": message}
