"""DrawStoryboard: draw one prompt with the hosted model and its base model, or take what a job drew of it."""

import json
from typing import Any

from storycast import keys
from storycast.errors import (
    DependencyUnavailableError,
    ModelMissingError,
    ModelNotAvailableError,
    PanelRefusedError,
    RetryableError,
)
from storycast.images import PictureUnreadableError, open_picture, png_text
from storycast.ports import Drawn, ImageModel, ObjectStore
from storycast.stages.panels import copy_to_run
from storycast.stages.reading import write_record
from storycast.storyboard import STAND_IN_MARK, PanelOrder, Panels, paid_panels, panel_requests, panels_key
from storycast.training import TrainingPlan

MAX_REASON_LENGTH = 500
"""Of what goes back to the state machine; the records have the whole reason."""


def draw_storyboard(
    plan: TrainingPlan, prompt_index: int, *, store: ObjectStore, image_model: ImageModel
) -> dict[str, Any]:
    """Draw one prompt, as far as that was not paid for before, and copy records and pictures to the run.

    A refusal or a partial answer is a result, recorded with its reason. The base model is only asked for
    comparison: whatever keeps it from answering is noted in the run's copy and asked anew by the next session.
    A crash between an answer and its record makes the next attempt pay for that one call again; the pictures
    that lie there already are replaced by those of the record.

    What a drawing job drew was kept when it ended: here nothing is asked of anybody.

    Returns:
        How many pictures there are, and why there are not more; empty where there are all.

    Raises:
        ModelMissingError: The session hosts no model.
        ModelNotAvailableError: The hosting is gone.
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
    """
    pictures, reasons = 0, []
    for order in panel_requests(plan, prompt_index):
        panels = paid_panels(store, plan, order)
        if panels is None:
            panels = (
                _missing(plan, order) if plan.target == "sagemaker" else _draw(plan, order, store, image_model)
            )
        copy_to_run(store, plan, prompt_index, panels)
        pictures += len(panels.picture_keys)
        if panels.refused:
            reasons.append(f"{order.drawn_by}: {panels.refused}")
    return {"pictures": pictures, "refused": "; ".join(reasons)[:MAX_REASON_LENGTH]}


def _missing(plan: TrainingPlan, order: PanelOrder) -> Panels:
    """Return a panel that the drawing job ended without; without a record, so that the next session draws it."""
    return Panels(
        fingerprint=order.fingerprint,
        drawn_by=order.drawn_by,
        model_id=plan.settings.training.model_id,
        request=order.request,
        picture_keys=(),
        composite=False,
        refused=f"the job {plan.hosting_name} ended without this panel; `storycast draw` draws it",
        paid_by="",
    )


def _draw(plan: TrainingPlan, order: PanelOrder, store: ObjectStore, image_model: ImageModel) -> Panels:
    trained = order.drawn_by == "trained"
    model_id = _hosting_arn(plan, store) if trained else plan.settings.training.model_id
    panels = Panels(
        fingerprint=order.fingerprint,
        drawn_by=order.drawn_by,
        model_id=model_id,
        request=order.request,
        picture_keys=(),
        composite=False,
        refused="",
        paid_by="",
    )
    try:
        drawn = _readable(image_model.draw(model_id, order.request), model_id)
    except PanelRefusedError as error:
        panels = panels.model_copy(update={"refused": str(error)})
        write_record(store, panels_key(plan, order), panels)
        return panels
    except (ModelNotAvailableError, RetryableError) as error:
        if trained:
            raise
        # No record for other sessions: the account may get access, the service its breath back.
        return panels.model_copy(update={"refused": f"{type(error).__name__}: {error}"})
    picture_keys = []
    for number, picture in enumerate(drawn.pictures):
        key = keys.panel_picture(plan.project, plan.fingerprint, order.fingerprint, number)
        store.put(key, picture, "image/png")
        picture_keys.append(key)
    panels = panels.model_copy(
        update={
            "picture_keys": tuple(picture_keys),
            "composite": any(
                png_text(picture, "Software").startswith(STAND_IN_MARK) for picture in drawn.pictures
            ),
            "refused": drawn.error,
            "paid_by": plan.session_id if picture_keys else "",
        }
    )
    write_record(store, panels_key(plan, order), panels)
    return panels


def _readable(drawn: Drawn, model_id: str) -> Drawn:
    for number, picture in enumerate(drawn.pictures, start=1):
        try:
            open_picture(picture)
        except PictureUnreadableError as error:
            raise DependencyUnavailableError(
                f"picture {number} of {len(drawn.pictures)} by {model_id} can't be used: {error}"
            ) from None
    return drawn


def _hosting_arn(plan: TrainingPlan, store: ObjectStore) -> str:
    key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, "hosting.json")
    try:
        return str(json.loads(store.get(key))["arn"])
    except (KeyError, ValueError) as error:
        raise ModelMissingError(
            f"{key} names no hosting ({type(error).__name__}), so there is no trained model to draw with. "
            "Start the session again."
        ) from None
