"""What a run trained, hosted and drew, as the bucket's records tell it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import BaseModel, ValidationError

from cli.objects import listed, read
from cli.target import Target
from storycast import keys
from storycast.report.trainer import STAND_IN_LABEL
from storycast.runs import Run
from storycast.storyboard import Panels
from storycast.training import TrainedModel, TrainingPlan


@dataclass(frozen=True, slots=True)
class StoredPanels:
    """A record in a run's folder of what was drawn for one prompt."""

    key: str
    panels: Panels


def trained_models(target: Target, project: str) -> list[TrainedModel]:
    """Return the models that were trained for a project and are not deleted, oldest first."""
    listing = listed(target, keys.trained_models(project))
    found = [_parsed(target, key, TrainedModel) for key in listing if key.endswith("/model.json")]
    return sorted((model for model in found if model), key=lambda model: model.began_at)


def session_plan(target: Target, run_id: str, session_id: str) -> TrainingPlan | None:
    """Return the plan of a run's training session; None where it has not come so far."""
    for key in listed(target, keys.run_file(run_id, "training/")):
        if key.endswith(f"/{session_id}/plan.json"):
            return _parsed(target, key, TrainingPlan)
    return None


def said_of_models(target: Target, run: Run) -> Iterator[str]:
    """Yield what is known of a run's trainings: their models, how well they learned, and whether they are any."""
    if not run.training_ids:
        return
    for model in trained_models(target, run.project):
        if model.training_id in run.training_ids:
            yield (
                f"Model {model.training_id}: {model.step_count:,} steps of {model.batch_size} at "
                f"{model.learning_rate:g} on {model.record_count:,} pictures of {model.base_model}"
                + (f", rank {model.rank}" if model.rank is not None else "")
                + (f", loss {model.final_loss:.4g} at the end" if model.final_loss is not None else "")
                + (f", {model.held_out_loss:.4g} on held-out pictures" if model.held_out_loss is not None else "")
                + ("" if model.trained_by == run.run_id else f", paid for by run {model.trained_by}")
            )
            if model.target == "sagemaker":
                yield f"Adapter {model.training_id}: {model.model_arn}"
            if model.stand_in:
                yield f"Stand-in: {model.stand_in.removeprefix(STAND_IN_LABEL)}"


def stored_panels(target: Target, run_id: str, training_id: str | None = None) -> list[StoredPanels]:
    """Return what was drawn for a run, prompt by prompt; of one training or all."""
    folder = keys.run_file(run_id, "storyboard/")
    found = []
    for key in listed(target, folder + (f"{training_id}-" if training_id else "")):
        panels = _parsed(target, key, Panels) if key.endswith(("-trained.json", "-base.json")) else None
        if panels:
            found.append(StoredPanels(key, panels))
    return found


def panel_counts(drawn: Sequence[StoredPanels]) -> str:
    """Return in words how many pictures of how many prompts there are."""
    trained = [one for one in drawn if one.panels.drawn_by == "trained"]
    base = [one for one in drawn if one.panels.drawn_by == "base"]
    parts = [f"{sum(len(one.panels.picture_keys) for one in trained)} panels of {len(trained)} prompts"]
    if base:
        parts.append(f"{sum(len(one.panels.picture_keys) for one in base)} by the base model beside them")
    if any(one.panels.composite for one in drawn):
        parts.append("made by a stand-in, not graded")
    return ", ".join(parts)


def refusals(drawn: Sequence[StoredPanels]) -> Iterator[str]:
    """Yield a line for each prompt that got fewer pictures than were asked for."""
    for one in drawn:
        if one.panels.refused:
            number = PurePosixPath(one.key).name.split("-")[1]
            request, given = one.panels.request, len(one.panels.picture_keys)
            yield (
                f"Prompt {number} ({request.prompt!r}), {one.panels.drawn_by} model: {given} of "
                f"{request.image_count} pictures. {one.panels.refused}"
            )


def _parsed[R: BaseModel](target: Target, key: str, kind: type[R]) -> R | None:
    try:
        return kind.model_validate_json(read(target, key) or b"")
    except ValidationError:
        return None  # written by another release
