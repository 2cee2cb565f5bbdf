"""Trainer: what a training job on SageMaker left in its work folder beside the adapter, as far as it came.

The files are the trainer's, which may be of another release: what is not understood is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from storycast import keys
from storycast.training import TrainedModel, TrainingPlan

STAND_IN_LABEL = "STAND-IN: "
"""Begins what the trainer says of weights that are no model."""


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TrainerProgress(_Told):
    """``progress.json``: on what the job ran, and what the user should know of it."""

    device: str = ""
    options: str = ""
    stand_in: str = ""
    warnings: tuple[str, ...] = ()


class ShotLoss(_Told):
    """The loss on the held-out pictures of a shot, before the training and after it."""

    shot: str
    """Footage and number, as ``<footage_id>:<number>``, or ``unknown``."""
    pictures: int
    loss_before: float
    loss_after: float


class HeldOutLosses(_Told):
    """``held_out.json``."""

    shots: tuple[ShotLoss, ...] = ()


class AdapterLicence(_Told):
    """The licence of the base model, as the weights told it."""

    name: str = ""
    link: str = ""
    file: str = ""
    """Its text, beside the adapter; empty where none came with the weights."""


class AdapterCard(_Told):
    """``adapter/adapter.json``: what was trained."""

    licence: AdapterLicence = AdapterLicence()
    stand_in: str = ""


@dataclass(frozen=True, slots=True)
class TrainerWork:
    """A work folder; empty parts are files that are not there."""

    progress: TrainerProgress = field(default_factory=TrainerProgress)
    held_out: HeldOutLosses = field(default_factory=HeldOutLosses)
    card: AdapterCard = field(default_factory=AdapterCard)

    @property
    def stand_in(self) -> str:
        """In words where a local stand-in trained; empty where it was a model."""
        return self.card.stand_in or self.progress.stand_in


class Reads(Protocol):
    """Reads a file and parses it; None where it is not there or can't be parsed."""

    def read[T](self, key: str, parse: Callable[[bytes], T]) -> T | None:
        """Return what a file holds."""


def read_work(reader: Reads, plan: TrainingPlan, model: TrainedModel | None) -> TrainerWork | None:
    """Return what the job left that trained for a session, whichever session's it was; None for other targets."""
    if plan.settings.training.target != "sagemaker":
        return None
    run_id, training_id = (model.trained_by, model.training_id) if model else (plan.run_id, plan.training_id)
    folder = keys.training_work(run_id, training_id)
    return TrainerWork(
        reader.read(f"{folder}progress.json", TrainerProgress.model_validate_json) or TrainerProgress(),
        reader.read(f"{folder}held_out.json", HeldOutLosses.model_validate_json) or HeldOutLosses(),
        reader.read(f"{folder}adapter/adapter.json", AdapterCard.model_validate_json) or AdapterCard(),
    )
