"""Models that have ended, so that a run can say so where the catalogue has forgotten them.

From "Model lifecycle" of the Amazon Bedrock User Guide, as of 2026-11-22. The catalogue answers for an ended model
with its dates, or as if there had never been one; nobody promises which.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class EndedModel:
    """What was known of a model when it ended."""

    name: str
    provider: str
    ended_at: datetime
    customizations: tuple[str, ...]
    inference: tuple[str, ...]


ENDED_MODELS = {
    "amazon.nova-canvas-v1:0": EndedModel(
        "Nova Canvas", "Amazon", datetime(2026, 9, 30, tzinfo=UTC), ("FINE_TUNING",), ("ON_DEMAND", "PROVISIONED")
    ),
    "amazon.titan-image-generator-v2:0": EndedModel(
        "Titan Image Generator G1 v2",
        "Amazon",
        datetime(2026, 6, 30, tzinfo=UTC),
        ("FINE_TUNING",),
        ("ON_DEMAND", "PROVISIONED"),
    ),
}
