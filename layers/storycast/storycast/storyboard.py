"""The storyboard: what is asked of the image model for each prompt, and what it drew."""

from typing import Literal

from storycast.footage import Record

DrawnBy = Literal["trained", "base"]

COMPOSITE_MARK = "Storycast local stand-in: composite"
"""Begins the PNG text ``Software`` of pictures that nobody generated; such pictures are not graded."""


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
    """Whether the pictures carry the mark of a composite."""
    refused: str
    """Why there are fewer pictures than were asked for; empty where there are not."""
    paid_by: str
    """The session that paid; empty where nothing was paid."""
