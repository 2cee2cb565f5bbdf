"""Names and lengths of captions."""

import pytest

from trainer.captions import find_triggers, say_triggers
from trainer.job import Picture


def picture(file: str, caption: str, *characters: str) -> Picture:
    return Picture(file=file, caption=caption, characters=characters, shot=None, held_out=False)


@pytest.mark.parametrize(
    ("caption", "says_it"),
    [
        ("Mia runs.", True),
        ("a hill, and mia on it", True),
        ("Miami at night", False),
        ("Amia runs", False),
        ("Mia's hat", True),
        ("", False),
    ],
)
def test_a_name_is_found_as_a_word(caption: str, says_it: bool) -> None:
    (trigger,) = find_triggers(["Mia"], [picture("a.png", caption, "Mia")])
    assert (trigger.captions, trigger.pictures) == (int(says_it), 1)


def test_names_with_signs_are_found() -> None:
    (trigger,) = find_triggers(["R2-D2 (old)"], [picture("a.png", "R2-D2 (old) rolls.", "R2-D2 (old)")])
    assert trigger.captions == 1


def test_names_that_a_prompt_cannot_call_are_told() -> None:
    pictures = [
        picture("a.png", "Bunny runs.", "Bunny"),
        picture("b.png", "A squirrel runs.", "Frank"),
        picture("c.png", "A squirrel sits.", "Frank"),
        picture("d.png", "Frank sits.", "Frank"),
    ]
    few, missing = say_triggers(find_triggers(["Bunny", "Frank", "Rinky"], pictures))
    assert few.startswith("Only 1 of 3 captions of Frank say its name")
    assert missing.startswith("Rinky is in no picture")
