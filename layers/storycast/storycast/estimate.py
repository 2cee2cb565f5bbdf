"""Estimates: what a run is expected to cost, before anything is paid."""

import math
from dataclasses import dataclass

from storycast.prices import price_table
from storycast.settings import Settings, Storyboard

SMALL_PICTURE_PIXELS = 1024 * 1024
"""Up to this, a drawn picture has the smaller one of two prices."""


@dataclass(frozen=True, slots=True)
class Range:
    """From the least to the most that is expected: of USD, or of a count."""

    low: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.high * factor)


NOTHING = Range(0.0, 0.0)


def training_usd(settings: Settings, record_count: int | None) -> Range:
    """Return what a fine-tuning job costs: each picture that it sees has its price, steps times batch size.

    Args:
        settings: The project's settings, with a session's overrides.
        record_count: Records of the manifest, None before it is known. The price does not depend on it, but
            that nothing is trained on none.
    """
    if record_count == 0:
        return NOTHING
    training = settings.training
    price = price_table().price("training_picture", training.bedrock_base_model)
    amount = training.step_count * training.batch_size * price.usd
    return Range(amount, amount)


def hosting_usd(settings: Settings) -> Range:
    """Return what hosting is expected to cost while a storyboard is drawn; each begun hour counts."""
    most_hours = math.ceil(settings.hosting.hours)
    price = price_table().price("hosting_hour", settings.training.bedrock_base_model)
    return Range(1.0, min(2.0, most_hours)) * (settings.hosting.model_units * price.usd)


def hosting_most_usd(settings: Settings) -> float:
    """Return what hosting can cost before it is ended by force: all of ``hosting.hours``."""
    price = price_table().price("hosting_hour", settings.training.bedrock_base_model)
    return math.ceil(settings.hosting.hours) * settings.hosting.model_units * price.usd


def storyboard_usd(settings: Settings) -> Range:
    """Return what the base model's panels and the grading cost; a hosted model's own panels cost nothing more."""
    storyboard = settings.storyboard
    base = price_table().price(drawing(storyboard), settings.training.bedrock_base_model)
    amount = len(storyboard.prompts) * storyboard.base_images_per_prompt * base.usd
    return Range(amount, amount)


def drawing(storyboard: Storyboard) -> str:
    """Return which price a storyboard's pictures have, by quality and size."""
    size = "" if storyboard.width * storyboard.height <= SMALL_PICTURE_PIXELS else "_large"
    return f"drawing_{storyboard.quality}{size}"
