"""What a preflight finds: one thing that a training needs, and how it stands."""

from dataclasses import dataclass
from typing import Literal

from storycast.errors import StorycastError

Level = Literal["ok", "warning", "problem", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing that a training needs."""

    level: Level
    subject: str
    message: str
    error: type[StorycastError] | None = None
    """What a run ends with because of it; of problems alone."""
