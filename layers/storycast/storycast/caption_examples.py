"""Examples of captions for the prompt: a pool of written ones, and the few that a picture's prompt shows.

Each picture is shown others, since a model repeats what it is shown: the same examples for all would give all
captions the same openings and endings.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from storycast.footage import Record

SHOWN = 3
"""Examples in one prompt."""

NAMES = ("Tamsin", "Old Corvin", "Pell")
"""Whom the examples are of; a caption that names one of them was copied from there."""


class Example(Record):
    """A caption of no film in particular."""

    framing: str
    """As :func:`storycast.cuts.framing` names it."""
    count: int
    """How many characters are in its picture: 1 or 2."""
    caption: str


@cache
def pool() -> tuple[Example, ...]:
    """Return all examples, in the file's order."""
    text = files("storycast.prompts").joinpath("caption_examples.txt").read_text(encoding="utf-8")
    return tuple(Example.model_validate_json(line) for line in text.splitlines())


def draw_examples(crop_id: str, framing: str, count: int) -> tuple[Example, ...]:
    """Return the examples for one picture, always the same ones.

    The first has as many characters and the framing of the picture, the second as many characters and another
    framing, the third is any other; which of those that fit, the crop's id decides.

    Args:
        crop_id: The picture.
        framing: How much of the picture the character fills.
        count: How many characters are in it.
    """
    several = min(count, 2)
    drawn = sorted(pool(), key=lambda one: hashlib.sha256(f"{crop_id}\n{one.caption}".encode()).digest())
    fitting = [one for one in drawn if one.count == several and one.framing == framing]
    kindred = [one for one in drawn if one.count == several and one.framing != framing]
    chosen = [*fitting[:1], *kindred[: 2 - len(fitting[:1])]]
    return (*chosen, *[one for one in drawn if one not in chosen][: SHOWN - len(chosen)])


def told(examples: Sequence[Example]) -> str:
    """Return examples as a prompt shows them: a line each, in the form that the answer shall have."""
    return "\n".join(json.dumps({"caption": one.caption}, ensure_ascii=False) for one in examples)
