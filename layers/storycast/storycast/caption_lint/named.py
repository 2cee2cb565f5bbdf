"""Names in captions: who is not named, who is misspelled, and who is named without being in the picture."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from storycast.caption_lint.findings import Finding, LintedCaption, captions_word, finding
from storycast.caption_lint.words import Names
from storycast.settings import UNKNOWN

MIN_NAME_LENGTH = 4
"""Characters of a name from which one other letter is taken for a slip: Pip and Pim may be two."""
LONG_NAME_LENGTH = 8
"""Characters from which two are."""
_CAPITALISED = re.compile(r"[^\W\d_][\w]*")


def missing_names(captions: Sequence[LintedCaption], cast: Collection[str]) -> Iterator[Finding]:
    """Yield whose captions lack the name of whom their picture is of, and how some write it instead.

    The name is what training shall teach. A caption without it teaches the looks to whatever words stand there;
    one with a slip teaches them to another name.
    """
    names = Names(cast)
    lacking: dict[str, list[str]] = defaultdict(list)
    slips: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in captions:
        if one.in_picture is None:
            continue
        named = {name for _, _, name in names.places(one.caption)}
        for name in one.in_picture:
            if name in named or name == UNKNOWN:
                continue
            slip = _slip(one.caption, name, names)
            if slip:
                slips[name, slip].append(one.id)
            elif name == one.character:
                lacking[name].append(one.id)
    counts = {name: sum(one.character == name for one in captions) for name in lacking}
    for name, ids in sorted(lacking.items()):
        verb = "does" if len(ids) == 1 else "do"
        yield finding(
            "missing_names",
            f"{name}: {len(ids):,} of {captions_word(counts[name])} {verb} not name {name}.",
            ids,
            blocks=True,
            suggestion=f"Name {name} in each caption of {name}, or drop the picture.",
            about=name,
        )
    for (name, slip), ids in sorted(slips.items()):
        verb = "says" if len(ids) == 1 else "say"
        yield finding(
            "missing_names",
            f"{captions_word(len(ids))} {verb} '{slip}' where {name} is in the picture.",
            ids,
            blocks=True,
            fragment=slip,
            suggestion=f"Write {name} in full, and always in the same way.",
            about=name,
        )


def wrong_cast(captions: Sequence[LintedCaption], cast: Collection[str]) -> Iterator[Finding]:
    """Yield who is named without being in the picture, and who is in it beside another and not named.

    Somebody who is named and not seen teaches the name another's looks. Who is seen and not named is learned as a
    part of the other one. A name counts as the cast writes it, so that a hope is no Hope. Whom a person
    names may be there although nobody was found: that is only told. Where somebody unknown is in the picture, it
    may be whoever is named.
    """
    names = Names(cast)
    strangers: dict[str, list[LintedCaption]] = defaultdict(list)
    unnamed: dict[str, list[str]] = defaultdict(list)
    for one in captions:
        if one.in_picture is None:
            continue
        places = names.places(one.caption)
        written = {name for start, end, name in places if one.caption[start:end] == name}
        if UNKNOWN not in one.in_picture:
            for name in written - set(one.in_picture):
                strangers[name].append(one)
        named = {name for _, _, name in places}
        for name in set(one.in_picture) - named - {UNKNOWN, one.character}:
            if not _slip(one.caption, name, names):
                unnamed[name].append(one.id)
    for name, told in sorted(strangers.items()):
        ids = [one.id for one in told]
        by_model = [one for one in told if not one.by_person]
        verb, where = ("names", "picture") if len(ids) == 1 else ("name", "pictures")
        yield finding(
            "wrong_cast",
            f"{captions_word(len(ids))} {verb} {name}, who was not found in the {where}.",
            ids,
            blocks=bool(by_model),
            fragment=name,
            suggestion=f"Take {name} out, or drop the {where}.",
            about=name,
        )
    for name, missed in sorted(unnamed.items()):
        verb = "does" if len(missed) == 1 else "do"
        yield finding(
            "wrong_cast",
            f"{captions_word(len(missed))} {verb} not name {name}, who is in the picture beside another.",
            missed,
            blocks=True,
            suggestion=f"Name {name}, too, or drop the {'picture' if len(missed) == 1 else 'pictures'}.",
            about=f"{name} unnamed",
        )


def _slip(caption: str, name: str, names: Names) -> str:
    """Return what a caption seems to write for a name: one letter off, or a part of it; empty where nothing."""
    taken = [(start, end) for start, end, _ in names.places(caption)]
    words = [
        found
        for found in _CAPITALISED.finditer(caption)
        if found.group()[0].isupper() and not any(start <= found.start() < end for start, end in taken)
    ]
    parts = name.split()
    for at, found in enumerate(words):
        written = caption[found.start() : words[min(at + len(parts), len(words)) - 1].end()]
        if _is_near(written.casefold(), name.casefold()):
            return written
    if len(parts) > 1:
        own = {part.casefold() for part in parts if len(part) >= MIN_NAME_LENGTH - 1}
        return next((found.group() for found in words if found.group().casefold() in own), "")
    return ""


def _is_near(one: str, name: str) -> bool:
    """Tell whether a text is a name with a slip or two."""
    if len(name) < MIN_NAME_LENGTH or one == name:
        return False
    most = 2 if len(name) >= LONG_NAME_LENGTH else 1
    return abs(len(one) - len(name)) <= most and _distance(one, name) <= most


def _distance(one: str, other: str) -> int:
    """Return how many letters must be put in, taken out, exchanged or swapped (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, its in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
