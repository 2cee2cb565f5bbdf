"""What a container job leaves in its work folder, as the bucket has it; ``training/trainer`` writes it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from storycast import keys
from storycast.billing import Billed
from storycast.lora_job import Task
from storycast.storyboard import PanelOrder, Panels, panels_key, unpaid_orders
from storycast.training import TrainingPlan

if TYPE_CHECKING:
    from storycast.ports import ObjectStore

WEIGHTS = "adapter/pytorch_lora_weights.safetensors"
_PNG_BEGINS, _PNG_ENDS = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class _Written(BaseModel):
    """A file of the trainer's; a later release of it may tell more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class JobProgress(_Written):
    """``progress.json``: how far the job is."""

    phase: str
    step: int | None = None
    step_count: int | None = None
    loss: float | None = None
    held_out_loss: float | None = None
    eta_s: float | None = None
    at: AwareDatetime | None = None
    """When it was written."""

    @property
    def words(self) -> str:
        """How far the job is, such as ``training, step 300 of 1,500, loss 0.12, about 12 minutes left``."""
        parts = [self.phase]
        if self.step is not None and self.step_count:
            parts.append(f"step {self.step:,} of {self.step_count:,}")
        if self.loss is not None:
            parts.append(f"loss {self.loss:.2f}")
        if self.eta_s is not None and self.phase != "done":
            minutes = round(self.eta_s / 60)
            parts.append(f"about {minutes:,} minute{'s' * (minutes != 1)} left" if minutes else "nearly done")
        return ", ".join(parts)


class Adapter(_Written):
    """``adapter/adapter.json``: what was trained."""

    characters: tuple[str, ...] = ()
    stand_in: str = ""


class DrawnPanels(_Written):
    """``panels/<fingerprint>.json``: what came of one request."""

    fingerprint: str
    pictures: tuple[str, ...]
    refused: str = ""
    stand_in: str = ""


def work_folder(plan: TrainingPlan | Billed, task: Task) -> str:
    """Return the prefix of the work folder of a session's job.

    That of a training is the run's, whichever session trains: its claim lets one at a time, and the trainer goes
    on from a state that is of the same job. A drawing has its own: what is drawn is asked of no other job.
    """
    if task == "train":
        return keys.training_work(plan.run_id, plan.training_id)
    return keys.drawing_work(plan.run_id, plan.training_id, plan.session_id)


def read_work[F: _Written](store: "ObjectStore", key: str, kind: type[F]) -> F | None:
    """Return a file of a work folder; None where it is not there, or half of it."""
    try:
        return kind.model_validate_json(store.get(key))
    except (KeyError, ValidationError):
        return None


def keep_panels(store: "ObjectStore", plan: TrainingPlan, model_uri: str) -> tuple[int, int]:
    """Write down what a session's drawing job has drawn, whole job or not, so that nobody pays for it again.

    The pictures stay where the job left them. A panel whose pictures are not all there whole counts as not drawn.

    Args:
        store: The bucket.
        plan: The session.
        model_uri: The adapter's folder.

    Returns:
        How many requests of the storyboard have their panels now, and how many have none.
    """
    wanted = unpaid_orders(store, plan)
    kept = 0
    for order in wanted:
        panels = _drawn(store, plan, order, model_uri)
        if panels is not None:
            store.put(
                panels_key(plan, order), panels.model_dump_json(indent=1).encode() + b"\n", "application/json"
            )
            kept += 1
    return kept, len(wanted) - kept


def _drawn(store: "ObjectStore", plan: TrainingPlan, order: PanelOrder, model_uri: str) -> Panels | None:
    folder = f"{work_folder(plan, 'draw')}panels/"
    told = read_work(store, f"{folder}{order.fingerprint}.json", DrawnPanels)
    if told is None or told.fingerprint != order.fingerprint:
        return None
    if not told.pictures and not told.refused:
        return None
    picture_keys = tuple(f"{folder}{name}" for name in told.pictures)
    if not _are_whole(store, order, told.pictures, picture_keys):
        return None
    return Panels(
        fingerprint=order.fingerprint,
        drawn_by=order.drawn_by,
        model_id=model_uri if order.drawn_by == "trained" else plan.settings.training.model_id,
        request=order.request,
        picture_keys=picture_keys,
        composite=bool(told.stand_in),
        refused=told.refused,
        paid_by=plan.session_id if picture_keys else "",
    )


def _are_whole(store: "ObjectStore", order: PanelOrder, names: Sequence[str], picture_keys: Sequence[str]) -> bool:
    if any("/" in name or not name.startswith(order.fingerprint) for name in names):
        return False
    for key in picture_keys:
        try:
            content = store.get(key)
        except KeyError:
            return False
        if not (content.startswith(_PNG_BEGINS) and content.endswith(_PNG_ENDS)):
            return False
    return True
