"""What captions have to say for a training: the names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.job import Picture

FEW = 0.5
"""A name in a smaller part of its character's captions than this is told of."""


@dataclass(frozen=True)
class Trigger:
    """The name that calls a character in a prompt: its name, as the captions have it."""

    name: str
    captions: int
    """Of pictures with the character that say its name."""
    pictures: int


def find_triggers(characters: Sequence[str], pictures: Sequence[Picture]) -> tuple[Trigger, ...]:
    """Count for each character how many of its captions name it."""
    triggers = []
    for name in characters:
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        own = [picture for picture in pictures if name in picture.characters]
        triggers.append(Trigger(name, sum(word.search(picture.caption) is not None for picture in own), len(own)))
    return tuple(triggers)


def say_triggers(triggers: Sequence[Trigger]) -> list[str]:
    """Tell which names a prompt could not call; empty where all are in order."""
    said = []
    for trigger in triggers:
        if not trigger.pictures:
            said.append(f"{trigger.name} is in no picture of the training: a prompt cannot call it.")
        elif trigger.captions < FEW * trigger.pictures:
            said.append(
                f"Only {trigger.captions} of {trigger.pictures} captions of {trigger.name} say its name: a prompt "
                "may not call it. Put the name into the captions in the review."
            )
    return said
