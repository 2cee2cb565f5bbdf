"""The licence of a base model, before a training on this machine."""

import re
from dataclasses import dataclass
from pathlib import Path

from storycast import licences

_MOST_CARD_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence's name, and where its text is."""

    name: str
    words: str
    """For people, with what to read."""


def licence_of(weights: Path | None, model_id: str | None) -> Licence:
    """Return the licence of a base model.

    Args:
        weights: Its folder, whose card and licence files tell; None where it comes from the model hub.
        model_id: Its id at the hub, or where the weights in the folder are from; None where nobody says.
    """
    if model_id and (weights is None or licences.licence_of(model_id).is_known):
        known = licences.licence_of(model_id)
        return Licence(known.name, known.words)
    if weights is None:
        raise ValueError("a model has an id or a folder")
    files = sorted(one for one in weights.iterdir() if one.is_file() and one.name.upper().startswith("LICEN"))
    told = _of_card(weights / "README.md")
    text = f"its text is in {', '.join(map(str, files))}" if files else "no LICENSE file lies beside the weights"
    name = told or ("see its text" if files else "not told")
    said = f"{told}; {text}" if told else text
    return Licence(name, f"The licence of {weights}: {said}. It binds what is trained.")


def _of_card(card: Path) -> str:
    """Return the licence that a model card's head names; empty where it names none."""
    try:
        with card.open(encoding="utf-8", errors="replace") as file:
            head = re.match(r"---\n(.*?)\n---\n", file.read(_MOST_CARD_BYTES), re.DOTALL)
    except OSError:
        return ""
    told = re.search(r"^license:[ \t]*[\"']?([\w.+-]+)", head[1], re.MULTILINE) if head else None
    return told[1] if told else ""
