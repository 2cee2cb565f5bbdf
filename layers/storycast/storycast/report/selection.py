"""The selection: how varied each character's pictures are, what is missing, and why others were left out."""

from dataclasses import dataclass

from storycast.report.material import Material
from storycast.report.words import outcome
from storycast.selection import FRAMING_SHARES
from storycast.selection_summary import LIGHTS, CharacterSelection


@dataclass(frozen=True, slots=True)
class SelectionRow:
    """A character's line of the table."""

    name: str
    pictures: str
    framing: str
    """Close-ups, half close, with surroundings."""
    light: str
    """Dark, in between, bright."""
    shots: int
    pairs: int
    missing: str
    left_out: tuple[tuple[str, int], ...]
    """Why others were left out, and how many, the most frequent first."""


@dataclass(frozen=True, slots=True)
class SelectionTable:
    """What the report tells of the selection."""

    rows: tuple[SelectionRow, ...]
    pairs_words: str


def selection_table(material: Material) -> SelectionTable | None:
    """Return the table of what was chosen; None where the run did not come so far, or is of an older release."""
    summary = material.selection
    if summary is None or not summary.characters:
        return None
    return SelectionTable(tuple(map(_row, summary.characters)), summary.pairs_words)


def _row(one: CharacterSelection) -> SelectionRow:
    left_out = sorted(one.left_out.items(), key=lambda item: (-item[1], item[0]))
    return SelectionRow(
        name=one.character,
        pictures=f"{one.pictures} of {one.asked}",
        framing=" / ".join(str(one.framing.get(name, 0)) for name in FRAMING_SHARES),
        light=" / ".join(str(one.light.get(name, 0)) for name in LIGHTS),
        shots=one.shots,
        pairs=one.pairs,
        missing="; ".join(one.missing),
        left_out=tuple((outcome("crop", name), count) for name, count in left_out),
    )
