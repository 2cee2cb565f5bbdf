"""What captions have to say for a training: the names, within the length that is read."""

import re
from collections.abc import Callable, Mapping, Sequence
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


def say_cut(
    pictures: Sequence[Picture], count_tokens: Callable[[str], int], token_limit: int
) -> tuple[list[str], Mapping[str, int]]:
    """Tell which captions are longer than the model reads.

    Returns:
        What to tell, and the length of each such caption in tokens, by file.
    """
    lengths = {picture.file: count_tokens(picture.caption) for picture in pictures}
    cut = {file: length for file, length in lengths.items() if length > token_limit}
    if not cut:
        return [], cut
    longest = max(cut, key=lambda file: cut[file])
    return [
        f"{len(cut)} of {len(pictures)} captions are longer than the {token_limit} tokens that the model reads; "
        f"what comes after is not seen. The longest has {cut[longest]} ({longest}). Shorten them in the review."
    ], cut
