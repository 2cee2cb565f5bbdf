"""The run's own copies of panels: what readers of a run find, whichever session paid for it."""

from storycast.ports import ObjectStore
from storycast.stages.reading import write_record
from storycast.storyboard import Panels, run_panels_key
from storycast.training import TrainingPlan


def copy_to_run(store: ObjectStore, plan: TrainingPlan, prompt_index: int, panels: Panels) -> Panels:
    """Copy a record and its pictures to ``storyboard/`` of the run; the copy names its own pictures."""
    key = run_panels_key(plan, prompt_index, panels.drawn_by)
    picture_keys = []
    for number, picture_key in enumerate(panels.picture_keys, start=1):
        own_key = f"{key.removesuffix('.json')}-{number}.png"
        store.put(own_key, store.get(picture_key), "image/png")
        picture_keys.append(own_key)
    copy = panels.model_copy(update={"picture_keys": tuple(picture_keys)})
    write_record(store, key, copy)
    return copy
