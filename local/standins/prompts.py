"""What a conversation asks for: the machine-readable blocks of Storycast's caption prompt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

_BLOCK = r"<{0}>(.*?)</{0}>"
_NAMES: TypeAdapter[list[str]] = TypeAdapter(list[str])


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    min: Annotated[int, Field(ge=1)]
    max: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class CaptionRequest:
    """A caption that is asked for."""

    #: Who is in the picture; empty if nobody knows.
    names: tuple[str, ...]
    #: The fewest and the most words.
    least: int
    most: int


def caption_request(text: str) -> CaptionRequest | None:
    """Read the blocks ``<words>`` and ``<in_picture>`` of a prompt.

    ``<cast>`` is not read: what it tells of the characters is what a caption must not repeat.

    Returns:
        None if there is no ``<words>`` block that can be read.
    """
    try:
        words = _Words.model_validate(_block(text, "words"))
    except ValidationError:
        return None
    if words.max < words.min:
        return None
    try:
        names = _NAMES.validate_python(_block(text, "in_picture"))
    except ValidationError:
        names = []
    return CaptionRequest(tuple(name.strip() for name in names if name.strip()), words.min, words.max)


def _block(text: str, name: str) -> Any:
    """The JSON of the last block of that name; None if there is none."""
    found = re.findall(_BLOCK.format(name), text, re.DOTALL)
    try:
        return json.loads(found[-1]) if found else None
    except json.JSONDecodeError:
        return None
