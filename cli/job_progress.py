"""How far a training or drawing job on SageMaker is, as its work folder in the bucket tells it."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from cli.following import Counts, Work
from cli.objects import read
from cli.progress import clock
from cli.target import Target
from cli.trainer_progress import TrainerProgress
from cli.trainings import session_plan
from storycast import names
from storycast.lora_work import work_folder
from storycast.training import TrainingPlan

FRESH = timedelta(minutes=5)
"""How old what the job says of itself may be: an interrupted job says nothing until it goes on."""

TASKS: dict[str, Literal["train", "draw"]] = {"CheckTraining": "train", "CheckProvisioning": "draw"}
"""What the job does that a state waits for."""


class JobsAtWork:
    """Looks into the work folders of a run's jobs.

    Args:
        target: Where the run is.
        run_id: The run.
    """

    def __init__(self, target: Target, run_id: str) -> None:
        self._target = target
        self._run_id = run_id
        self._plans: dict[str, TrainingPlan] = {}

    def look(self, execution_arn: str, state: str) -> Work | None:
        """Return how far the job is that a state of a session waits for.

        Returns:
            None where the state waits for no such job, or the job has said nothing for a while: one that waits
            for capacity does not.
        """
        task = TASKS.get(state)
        plan = self._plan(execution_arn) if task else None
        if task is None or plan is None or plan.settings.training.target != "sagemaker":
            return None
        key = f"{work_folder(plan, task)}progress.json"
        try:
            told = TrainerProgress.model_validate_json(read(self._target, key) or b"")
        except ValidationError:
            return None
        if told.at is None or datetime.now(UTC) - told.at > FRESH:
            return None
        return work_of(told, "steps" if task == "train" else "pictures")

    def _plan(self, execution_arn: str) -> TrainingPlan | None:
        session_id = names.session_id(execution_arn)
        if session_id not in self._plans and (plan := session_plan(self._target, self._run_id, session_id)):
            self._plans[session_id] = plan
        return self._plans.get(session_id)


def work_of(told: TrainerProgress, what: str) -> Work:
    """Return what a job says of itself, for people; ``what`` it counts."""
    counts = Counts(told.step or 0, total=told.step_count, what=what) if told.step_count else None
    figures = [
        f"loss {told.loss:.4f}" if told.loss is not None else "",
        f"{told.held_out_loss:.4f} on held-out pictures" if told.held_out_loss is not None else "",
        f"{told.pictures_per_second:.2f} pictures a second" if told.pictures_per_second is not None else "",
        f"{clock(told.eta_s)} left" if told.eta_s else "",
    ]
    return Work(counts, told.phase, ", ".join(filter(None, figures)))
