"""DeleteModel: delete the trained models of a run, since somebody said so."""

from collections.abc import Callable
from typing import Any

from storycast import keys
from storycast.errors import RequestInvalidError
from storycast.ports import ObjectStore
from storycast.runs import read_run
from storycast.stages.trained import trained_models
from storycast.teardown import TearDownRequest
from storycast.trainers import Trainer
from storycast.training import Target


def delete_model(
    request: TearDownRequest, *, store: ObjectStore, trainer_of: Callable[[Target], Trainer]
) -> dict[str, Any]:
    """Delete the models that a run's sessions paid for, and their records; other runs' models stay.

    A claim of a training whose job has ended and that has no record is nobody's, so none is given up here.

    Returns:
        The names of the models, and in words what of them was deleted.

    Raises:
        RequestInvalidError: No run is named, or there is none of that name.
        DependencyUnavailableError: Hosting on a model is still being ended.
    """
    if not request.delete_model or request.run_id is None:
        raise RequestInvalidError("Models are deleted run by run: name a run_id, and delete_model: true.")
    try:
        run = read_run(store, request.run_id)
    except KeyError:
        raise RequestInvalidError(f"There is no run '{request.run_id}'.") from None
    deleted, told = [], []
    for model in [model for model in trained_models(store, run.project) if model.trained_by == run.run_id]:
        trainer = trainer_of(model.target)
        told.append(trainer.delete_model(model))
        store.delete(keys.trained_model(run.project, model.fingerprint))
        deleted.append(model.model_name)
    return {"deleted": deleted[:20], "deleted_count": len(deleted), "told": told[:20]}
