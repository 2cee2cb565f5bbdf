"""Captions composed from measured facts: natural English of a given length, always the same for a picture."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from functools import cache

from local.standins.facts import PictureFacts

#: The alternatives for one part of a caption; "" leaves it out. Each begins with what joins it on.
type Slot = tuple[str, ...]

#: The name of a character that nobody has named.
UNKNOWN = "unknown"

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def compose(facts: PictureFacts, names: Sequence[str], least: int, most: int, seed: bytes) -> str:
    """Write a caption.

    Args:
        facts: What was measured of the picture.
        names: Who is in it, in the order to be named; empty means that nobody knows.
        least: The fewest words wanted.
        most: The most words wanted; words are what spaces separate.
        seed: The picture's bytes; they choose among the ways to say the same.

    Returns:
        One or more sentences that begin with the names, within the range wherever the names and the
        facts allow: names alone may be longer than ``most``, and the facts give about 100 words.
    """
    choice = random.Random(hashlib.sha256(seed).digest())  # noqa: S311 - picks words, guards nothing
    subject = _subject(names)
    shuffled = [_shuffled(slot, choice) for slot in choice.choice(_patterns(facts, subject, len(names)))]
    slots = [(*shuffled[0], subject), *shuffled[1:]]
    middle = choice.randint(least + (most - least) // 4, max(least, most - (most - least) // 4))
    by_fit = sorted(range(max(least, 1), most + 1), key=lambda words: abs(words - middle))
    for told in (slots, [*slots, _measures(facts)]):
        for words in by_fit:
            text = _filled(told, words)
            if text is not None:
                return text
    if len(subject.split()) >= most:
        return f"{subject}."
    return "".join(max(slot, key=_words) for slot in [*slots, _measures(facts)]) + "."


def describe(facts: PictureFacts) -> str:
    """Say the measured facts in one plain sentence, for prompts that ask for no caption of ours."""
    count = _NUMBERS[min(facts.figures, 9)]
    background = f" The background is mostly {_joined(facts.background)}." if facts.background else ""
    return (
        f"A {facts.shot.replace('full figure', 'full-figure shot')} with {count} salient "
        f"{'figure' if facts.figures == 1 else 'figures'}, mainly in "
        f"the {facts.position}, in {facts.light}, {facts.warmth} light with {facts.contrast} contrast."
        f"{background}"
    )


def _subject(names: Sequence[str]) -> str:
    """Whom the caption begins with; ``unknown`` is what a character is called that nobody has named."""
    named = [name for name in names if name != UNKNOWN]
    if named:
        return _joined([*named, "another character"] if len(named) < len(names) else named)
    return "A character" if len(names) < 2 else f"{_NUMBERS[min(len(names), 9)].capitalize()} characters"


def _words(text: str) -> int:
    """How many words a part of a caption adds; what joins it on is none."""
    return len(text.lstrip(" ,.").split())


def _shuffled(slot: Slot, choice: random.Random) -> Slot:
    """The alternatives in an order of the picture's own, leaving the part out as the last of them."""
    ways = [text for text in slot if text]
    return (*choice.sample(ways, len(ways)), *(text for text in slot if not text))


def _filled(slots: Sequence[Slot], words: int) -> str | None:
    """Choose one alternative of each slot so that there are exactly so many words; None if none do."""
    counts = [tuple(map(_words, slot)) for slot in slots]

    @cache
    def fits(place: int, left: int) -> bool:
        if place == len(slots):
            return left == 0
        return any(count <= left and fits(place + 1, left - count) for count in counts[place])

    if not fits(0, words):
        return None
    parts, left = [], words
    for place, slot in enumerate(slots):
        for text, count in zip(slot, counts[place], strict=True):
            if count <= left and fits(place + 1, left - count):
                parts.append(text)
                left -= count
                break
    return "".join(parts) + "."


def _patterns(facts: PictureFacts, subject: str, count: int) -> list[list[Slot]]:
    """The orders in which a caption may tell things: first what, then where, light, background, the rest."""
    where, light, behind = _where(facts), _light(facts), _behind(facts)
    opening, rest = _opening(facts, subject, count > 1), [_focus(facts), _figures(facts, count)]
    return [
        [opening, where, behind, light, *rest],
        [opening, where, light, behind, *rest],
        [opening, where, rest[0], behind, light, rest[1]],
        [opening, where, light, rest[0], behind, rest[1]],
    ]


def _opening(facts: PictureFacts, subject: str, several: bool) -> Slot:
    """Several ways to say how large somebody is, so that no three words stand in most captions of one size."""
    are, fill = ("are", "fill") if several else ("is", "fills")
    part = f"about {facts.share_percent} percent of the view"
    if facts.shot == "full figure":
        ways = (
            "in full figure",
            "seen from some distance",
            f"{are} shown whole and rather small",
            "at a distance",
            f"{fill} {part}" if facts.share_percent else f"{are} kept small",
        )
    elif facts.shot == "medium shot":
        ways = (
            "in a medium shot",
            "seen at medium range",
            f"{are} framed neither near nor far",
            "at middle distance",
            f"{fill} {part}",
        )
    else:
        ways = (
            "in a close-up",
            "seen from close by",
            f"{are} shown very near",
            f"up close {fill} {part}",
            f"{fill} much of the picture",
        )
    return tuple(f"{subject} {way}" for way in ways)


def _where(facts: PictureFacts) -> Slot:
    side = facts.position
    if side == "centre":
        return (
            " in the centre",
            " in the middle of the picture",
            ", near the centre of the frame",
            ", placed centrally",
            "",
        )
    return (
        f" on the {side}",
        f" on the {side} side of the picture",
        f", placed to the {side} of the frame",
        f", {side} of centre",
        "",
    )


def _light(facts: PictureFacts) -> Slot:
    tone = facts.light if facts.warmth == "neutral" else f"{facts.light}, {facts.warmth}"
    lit = {"dim": "dimly", "even": "evenly", "bright": "brightly"}[facts.light]
    hue = "" if facts.warmth == "neutral" else f" in {facts.warmth} tones"
    return (
        f", in {facts.light} light",
        f", {lit} lit{hue}",
        f", {lit} lit with {facts.contrast} contrast",
        f", under {tone} light with {facts.contrast} contrast",
        f", with {tone} light and {facts.contrast} contrast across the scene",
        "",
    )


def _behind(facts: PictureFacts) -> Slot:
    if not facts.background:
        return ("", ", with little background to be seen", ", with hardly any background in view")
    main, *others = facts.background
    more = f" with some {_joined(others)}" if others else ""
    return (
        f", against {_joined(facts.background)}",
        f", {main} behind",
        f", against a {facts.backdrop} background of {_joined(facts.background[::-1])}",
        f", mostly {main}{more} at the back",
        f", with a {facts.backdrop} background that is chiefly {main}{more}",
        "",
    )


def _focus(facts: PictureFacts) -> Slot:
    if facts.focus == "sharp":
        return (", in sharp focus", ", sharp", ", with crisp edges", "", ", sharp down to its edges")
    return (", in soft focus", ", slightly soft", ", with gentle edges", "", ", not quite in focus anywhere")


def _figures(facts: PictureFacts, named: int) -> Slot:
    count = min(facts.figures, 9)
    if named and named != count:
        return ("",)  # touching figures are one region: a count that contradicts the names helps nobody
    if count == 0:
        return ("", ". Nothing stands out", ". Nothing stands out clearly from the rest of the picture")
    noun, verb = ("figure", "stands") if count == 1 else ("figures", "stand")
    number = _NUMBERS[count].capitalize()
    return (
        "",
        f". {number} {noun} {verb} out",
        f". {number} {noun} {verb} out from the background",
        f". {number} separate {noun} {verb} out clearly from everything else in the picture",
    )


def _measures(facts: PictureFacts) -> Slot:
    """Further facts for those who ask for long captions: sentences added one after the other."""
    sentences = [
        f". About {facts.share_percent} percent of the picture is taken up by what stands out",
        f". The contrast is {facts.contrast}",
        f". The overall colour of the light is {facts.warmth}",
        f". The background is {facts.backdrop}"
        + (f", chiefly {_joined(facts.background)}" if facts.background else ""),
        f". The weight of the composition lies in the {facts.position} of the frame",
        f". Edges in the picture are {'crisp' if facts.focus == 'sharp' else 'soft'} throughout",
        f". The brightness of the picture as a whole is best described as {facts.light}",
    ]
    return ("", *("".join(sentences[:count]) for count in range(1, len(sentences) + 1)))


def _joined(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
