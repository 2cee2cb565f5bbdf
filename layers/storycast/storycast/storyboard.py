"""The storyboard: what is asked of the image model for each prompt, and what it drew."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from storycast import keys
from storycast.fingerprint import canonical_json, fingerprint
from storycast.footage import Record
from storycast.training import TrainingPlan

if TYPE_CHECKING:
    from storycast.ports import ObjectStore

DrawnBy = Literal["trained", "base"]

STAND_IN_MARK = "Storycast local stand-in:"
"""Begins the PNG text ``Software`` of pictures by a local stand-in: composites, or the noise of random weights.
Such pictures are not graded."""

MAX_SEED = 858_993_459
"""Amazon Nova User Guide, "Request and response structure"; a project's own seed is 1 or more, too."""
VERSION = 1
"""Raised when the same request would be put differently, so that its pictures are paid for anew."""


class PanelRequest(Record):
    """One call: a prompt, by one model. The fields are those of Amazon Nova Canvas's TEXT_IMAGE."""

    prompt: str
    negative_prompt: str
    image_count: int
    width_px: int
    height_px: int
    quality: Literal["standard", "premium"]
    cfg_scale: float
    seed: int


class Panels(Record):
    """What came of one call; also of one that was refused."""

    fingerprint: str
    drawn_by: DrawnBy
    model_id: str
    """ARN of the trained model, or id of the base model."""
    request: PanelRequest
    picture_keys: tuple[str, ...]
    composite: bool
    """Whether the pictures carry the mark of a local stand-in, so that they show nothing of the model."""
    refused: str
    """Why there are fewer pictures than were asked for; empty where there are not."""
    paid_by: str
    """The session that paid; empty where nothing was paid."""


@dataclass(frozen=True, slots=True)
class PanelOrder:
    """A request that the storyboard needs, by whom, and the fingerprint under which its answer is kept."""

    drawn_by: DrawnBy
    request: PanelRequest
    fingerprint: str


def panel_requests(plan: TrainingPlan, prompt_index: int) -> tuple[PanelOrder, ...]:
    """Return what is asked for one prompt: of the trained model first, then of its base model if it is asked too.

    The trained model counts by its training, not by its ARN: hosting has a new one in each session. Both models
    get the same seed, so that their pictures compare.

    Args:
        plan: The session.
        prompt_index: Place of the prompt in the storyboard, from 0.

    Raises:
        IndexError: The storyboard has no such prompt.
    """
    settings = plan.settings.storyboard
    prompt = settings.prompts[prompt_index]
    asked: list[tuple[DrawnBy, int, str]] = [("trained", settings.images_per_prompt, plan.fingerprint)]
    if settings.base_images_per_prompt:
        asked.append(("base", settings.base_images_per_prompt, plan.settings.training.model_id))
    orders = []
    for drawn_by, image_count, model in asked:
        request = PanelRequest(
            prompt=prompt,
            negative_prompt=settings.negative_prompt,
            image_count=image_count,
            width_px=settings.width,
            height_px=settings.height,
            quality=settings.quality,
            cfg_scale=settings.cfg_scale,
            seed=settings.seed or _seed(plan.fingerprint, prompt, prompt_index),
        )
        mark = fingerprint(version=VERSION, drawn_by=drawn_by, model=model, request=request.model_dump())
        orders.append(PanelOrder(drawn_by, request, mark))
    return tuple(orders)


def paid_panels(store: "ObjectStore", plan: TrainingPlan, order: PanelOrder) -> Panels | None:
    """Return what a request gave when it was made before, in whichever session; None where it was not.

    A refusal is an answer too: the same model, asked for the same with the same seed, would refuse again.
    """
    try:
        panels = Panels.model_validate_json(store.get(panels_key(plan, order)))
    except (KeyError, ValueError):
        return None
    return panels if panels.fingerprint == order.fingerprint else None


def panels_key(plan: TrainingPlan, order: PanelOrder) -> str:
    """Key of the record of a request's answer, which all runs of the project share."""
    return keys.panel(plan.project, plan.fingerprint, order.fingerprint)


def unpaid_orders(store: "ObjectStore", plan: TrainingPlan) -> list[PanelOrder]:
    """Return what the storyboard needs and nobody has drawn yet, by whichever model, each once."""
    orders = {
        order.fingerprint: order
        for prompt_index in range(len(plan.settings.storyboard.prompts))
        for order in panel_requests(plan, prompt_index)
    }
    return [order for order in orders.values() if paid_panels(store, plan, order) is None]


def panels_are_paid(store: "ObjectStore", plan: TrainingPlan) -> bool:
    """Whether nothing need be made that draws.

    On Bedrock the trained model has answered every prompt then: the base model is asked beside it, and not worth
    an hour of hosting. On SageMaker one job draws both.
    """
    needed = ("trained",) if plan.target == "bedrock" else ("trained", "base")
    return not any(order.drawn_by in needed for order in unpaid_orders(store, plan))


def run_panels_key(plan: TrainingPlan, prompt_index: int, drawn_by: DrawnBy) -> str:
    """Key of the run's own copy of a record; the pictures that it names lie beside it, numbered from 1."""
    number = plan.first_prompt + prompt_index
    return keys.run_file(plan.run_id, f"storyboard/{plan.training_id}-{number:02d}-{drawn_by}.json")


def next_prompt(store: "ObjectStore", plan: TrainingPlan) -> int:
    """Return the number that follows those of the training's prompts in the run's storyboard."""
    prefix = keys.run_file(plan.run_id, f"storyboard/{plan.training_id}-")
    numbers = [one.key.removeprefix(prefix).partition("-")[0] for one in store.list(prefix)]
    return max((int(number) for number in numbers if number.isdecimal()), default=0) + 1


def _seed(training: str, prompt: str, prompt_index: int) -> int:
    parts = canonical_json({"training": training, "prompt": prompt, "index": prompt_index})
    return int(hashlib.sha256(parts.encode()).hexdigest(), 16) % MAX_SEED + 1
