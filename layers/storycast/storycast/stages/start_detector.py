"""StartDetector: have the project's Custom Labels model running before frames are looked at."""

from typing import Any

from storycast.detector_leases import DetectorLeases
from storycast.plan import RunPlan
from storycast.ports import BillingBook, ObjectStore
from storycast.stages.billing_copy import copy_rows


def start_detector(
    plan: RunPlan, *, execution_arn: str, leases: DetectorLeases, store: ObjectStore, book: BillingBook
) -> dict[str, Any]:
    """Lease the run's model and start it where it does not run; called again until it does.

    Args:
        plan: The run's plan, which names a model.
        execution_arn: The run's execution.
        leases: The way to the model.
        store: The bucket.
        book: What is billed.

    Returns:
        ``status``: ``ready``, ``waiting``, ``failed`` or ``overdue``; and ``message``, which says more.

    Raises:
        BillingClosedError: The run's teardown has begun.
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
    """
    answer = leases.start(plan, execution_arn)
    for run_id in sorted(leases.touched):
        copy_rows(store, book, run_id)
    return answer
