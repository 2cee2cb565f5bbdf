"""Accounts: what a run has paid for and what that costs, once all of its records are there."""

from collections.abc import Sequence
from datetime import datetime

from storycast.billing import Billed
from storycast.costs import costs
from storycast.report.material import Material
from storycast.runs import Run
from storycast.storyboard import DrawnBy, Panels


def settled(material: Material, billing: Sequence[Billed], now: datetime) -> Run:
    """Return the run with its panels and grades counted, its rows of the billing book, and what it has cost.

    Only what the run's own sessions paid for counts: panels that an earlier run paid for cost it nothing.

    Args:
        material: What the run has left.
        billing: The run's rows.
        now: Until when hosting that goes on is counted.
    """
    run, sessions = material.run, material.sessions
    own = {session.plan.session_id for session in sessions}
    if sessions:
        paid = [panels for panels in material.paid_panels if panels.paid_by in own]
        job_sessions = {
            one.plan.session_id for one in sessions if one.plan.settings.training.target == "sagemaker"
        }
        by_job = [panels for panels in paid if panels.paid_by in job_sessions]
        paid = [panels for panels in paid if panels.paid_by not in job_sessions]
        grades = [session.grades for session in sessions if session.grades]
        run = run.with_counts(
            paid_panels_trained=_pictures(paid, "trained"),
            paid_panels_base=_pictures(paid, "base"),
            paid_panels_job=sum(len(panels.picture_keys) for panels in by_job),
            paid_grade_detections=sum(one.paid_detections for one in grades),
            paid_grade_embeddings=sum(one.paid_embeddings for one in grades),
        )
    completed = {session.model.job_name for session in sessions if session.model}
    cost = costs(
        run,
        billing,
        now,
        storyboard=sessions[-1].plan.settings.storyboard if sessions else None,
        completed=completed | {row.name for row in billing if row.reason == "Completed"},
    )
    return run.model_copy(update={"billing": tuple(billing), "cost": cost.to_json()})


def _pictures(paid: Sequence[Panels], drawn_by: DrawnBy) -> int:
    return sum(len(panels.picture_keys) for panels in paid if panels.drawn_by == drawn_by)
