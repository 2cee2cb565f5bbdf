"""The selection summed up: how varied each character's pictures are, and what is missing, in words."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from storycast.footage import Record
from storycast.selection import FRAMING_SHARES, LEAST_SHOTS, Chosen, Rules, light_of
from storycast.sightings import Sighting

LIGHTS = ("dark", "mid", "bright")
MISSING = {"close-up": "no close-up", "medium": "none half close", "full": "none with its surroundings"}
"""What is said of a framing that no picture has."""


class CharacterSelection(Record):
    """What was chosen of one character, and why the rest was not."""

    character: str
    pictures: int
    asked: int
    framing: Mapping[str, int]
    light: Mapping[str, int]
    shots: int
    """That its pictures are of; each still counts as one."""
    per_shot: int
    """The most that a shot could give."""
    pairs: int
    """Pictures with another of the cast."""
    left_out: Mapping[str, int]
    """How many of its sightings, by outcome."""
    missing: tuple[str, ...]
    """What its pictures lack, in words."""

    @property
    def words(self) -> str:
        """How many pictures there are, and what they lack."""
        return "; ".join((f"{self.character}: {self.pictures} of {self.asked}", *self.missing))

    @property
    def is_short(self) -> bool:
        """Whether it has fewer pictures than the project asks for."""
        return self.pictures < self.asked


class SelectionSummary(Record):
    """The selection of a run; in ``curation.json``."""

    characters: tuple[CharacterSelection, ...] = ()
    pairs: int = 0
    pairs_asked: int = 0
    pairs_words: str = ""
    """Why there are fewer or more pictures with several characters than asked for; empty where it is as asked."""

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """Return in words all that is missing."""
        lacking = [one.words for one in self.characters if one.is_short or one.missing]
        return (*lacking, *([self.pairs_words] if self.pairs_words else []))

    def warnings(self, most: int = 5) -> tuple[str, ...]:
        """Return in words which characters have fewer pictures than asked for, at most so many of them."""
        short = [one.words for one in self.characters if one.is_short]
        more = len(short) - most
        rest = (f"{more} more characters have fewer pictures than asked for: see the report",) if more > 0 else ()
        return (*short[:most], *rest)


def summarise(
    cast: Sequence[str],
    chosen: Mapping[str, Chosen],
    sightings: Mapping[int, Sighting],
    outcomes: Mapping[tuple[str, str], int],
    rules: Rules,
) -> SelectionSummary:
    """Sum the selection up.

    Args:
        cast: All that were named, also those of whom nothing was chosen.
        chosen: By character.
        sightings: By row.
        outcomes: How many sightings, by character and outcome.
        rules: What was asked for.
    """
    characters = tuple(_character(name, chosen.get(name), sightings, outcomes, rules, len(cast)) for name in cast)
    pairs = sum(one.pairs for one in characters)
    asked = round(rules.pairs_share * sum(one.pictures for one in characters)) if len(cast) > 1 else 0
    words = ""
    if pairs < asked:
        there = sum(one.pairs_there for one in chosen.values())
        words = f"pictures with several characters: {pairs} of {asked}; the footage has {there} different ones"
    elif pairs > asked + len(cast) and pairs > 1.25 * asked:
        words = (
            f"pictures with several characters: {pairs}, where selection.pairs_share asks for {asked}; "
            "the footage has too few of them alone"
        )
    return SelectionSummary(characters=characters, pairs=pairs, pairs_asked=asked, pairs_words=words)


def _character(
    name: str,
    chosen: Chosen | None,
    sightings: Mapping[int, Sighting],
    outcomes: Mapping[tuple[str, str], int],
    rules: Rules,
    cast_size: int,
) -> CharacterSelection:
    views = dict(chosen.views) if chosen else {}
    framings = Counter(view.framing for view in views.values())
    lights = Counter(light_of(sightings[row]) for row in views)
    shots = len({(sightings[row].footage_id, sightings[row].shot) for row in views})
    pairs = sum(view.is_pair for view in views.values())
    missing: list[str] = []
    own = {outcome: count for (who, outcome), count in sorted(outcomes.items()) if who == name}
    left_out = {outcome: count for outcome, count in own.items() if outcome != "curated"}
    if views:
        # A budget of one or two can't hold all that a larger one must.
        if rules.budget >= len(FRAMING_SHARES):
            missing += [MISSING[framing] for framing in FRAMING_SHARES if not framings[framing]]
        if shots < min(LEAST_SHOTS, rules.budget):
            cap = f", up to {chosen.per_shot} of each" if chosen and rules.per_shot == "auto" else ""
            missing.append(f"{shots} shot{'' if shots == 1 else 's'} only{cap}")
        if not pairs and cast_size > 1 and rules.pairs_share * rules.budget >= 1:
            missing.append("no picture with another character")
    else:
        missing.append("left out: " + ", ".join(f"{count} {outcome}" for outcome, count in left_out.items()))
    per_shot = chosen.per_shot if chosen else 0
    full = own.get("shot_has_enough", 0)
    if full and len(views) < rules.budget:
        missing.append(f"{full} more are of shots that have their {per_shot} (selection.per_shot)")
    return CharacterSelection(
        character=name,
        pictures=len(views),
        asked=rules.budget,
        framing={framing: framings[framing] for framing in FRAMING_SHARES},
        light={light: lights[light] for light in LIGHTS},
        shots=shots,
        per_shot=per_shot,
        pairs=pairs,
        left_out=left_out,
        missing=tuple(missing),
    )


def read_summary(content: bytes) -> SelectionSummary:
    """Read the selection out of ``curation.json``; it is empty where an older release wrote that.

    Raises:
        ValueError: It is no such file.
    """
    told = json.loads(content)
    return SelectionSummary.model_validate(told.get("selection", {}) if isinstance(told, dict) else {})
