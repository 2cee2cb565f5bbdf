"""Fragments: the same words in nearly all captions."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from storycast.caption_lint.findings import Finding, LintedCaption, captions_word, finding
from storycast.caption_lint.words import NAME, Names, is_name, says_something, shown

REPEATED_SHARE = 0.8
"""Share of the captions from which a fragment counts as repeated."""
MIN_WORDS = 3
"""Words of a fragment, names included."""
MIN_REPEATS = 5
"""Captions that must have it, whatever their share: three of four say nothing."""
MIN_CHARACTER_REPEATS = 8
"""The same among one character's captions, of which there are fewer, and more kinds: chance has more of a say."""
MOST_FRAGMENTS = 5
"""Fragments told of one scope, those with the most words."""
ROUNDING = 1e-9
"""So that 0.8 of 15 are 12, whatever a float makes of it."""

type Tokens = tuple[str, ...]


def repeated_fragments(captions: Sequence[LintedCaption], names: Names) -> Iterator[Finding]:
    """Yield what nearly all captions say in the same words, overall and of each character.

    What stands in every caption tells no picture from another: the model ties it to the name, or draws it
    always. That is how caption auditors for trainers of adapters count, too (caption-audit: a token in nearly
    every caption is "fused" with the trigger word). The name itself may, and must, stand in every caption, so it
    counts as one and the same word whoever it names, and does not make a fragment by itself.
    """
    told = {
        one.id: tuple(NAME if is_name(token) else token for token in names.tokens(one.caption)) for one in captions
    }
    overall = _fragments(told, MIN_REPEATS)
    yield from _findings(overall, len(told), "")
    of_character: dict[str, dict[str, Tokens]] = defaultdict(dict)
    for one in captions:
        if one.character is not None:
            of_character[one.character][one.id] = told[one.id]
    if len(of_character) < 2:
        return
    known = [tokens for tokens, _, _ in overall]
    for character, own in sorted(of_character.items()):
        found = _fragments(own, MIN_CHARACTER_REPEATS)
        fresh = [one for one in found if not any(_holds(longer, one[0]) for longer in known)]
        yield from _findings(fresh, len(own), character)


def _findings(fragments: Sequence[tuple[Tokens, str, list[str]]], count: int, character: str) -> Iterator[Finding]:
    for tokens, verb, ids in fragments[:MOST_FRAGMENTS]:
        words = shown(tokens)
        whose = f"{character}: " if character else ""
        yield finding(
            "repeated_fragment",
            f"{whose}{len(ids):,} of {captions_word(count)} {verb} '{words}'.",
            ids,
            blocks=True,
            fragment=words,
            suggestion="Leave these words out where the picture does not need them, and vary them elsewhere.",
            about=character,
        )


def _fragments(told: Mapping[str, Tokens], least: int) -> list[tuple[Tokens, str, list[str]]]:
    """Return the longest repeated fragments, how captions have each, and which; the longest first."""
    need = max(math.ceil(REPEATED_SHARE * len(told) - ROUNDING), least)
    if len(told) < need:
        return []
    found = [
        (tokens, "hold", sorted(one for one, own in told.items() if _holds(own, tokens)))
        for tokens in _maximal(told, need)
        if says_something(tokens)
    ]
    for verb, end in (("begin with", slice(None, 2)), ("end with", slice(-2, None))):
        for tokens, many in Counter(own[end] for own in told.values()).items():
            is_known = any(_holds(longer, tokens) for longer, _, _ in found)
            if many >= need and not is_known and len(tokens) > 1 and says_something(tokens):
                found.append((tokens, verb, sorted(one for one, own in told.items() if own[end] == tokens)))
    return sorted(found, key=lambda one: (-len(one[0]), one[0]))


def _maximal(told: Mapping[str, Tokens], need: int) -> list[Tokens]:
    """Return the fragments that enough captions have and that no longer such one holds.

    A fragment can only be repeated where both that are shorter by its last and its first word are, so each length
    looks at what the one before it left.
    """
    kept: list[Tokens] = []
    before: set[Tokens] | None = None
    levels: list[set[Tokens]] = []
    length = MIN_WORDS
    while True:
        counts: Counter[Tokens] = Counter()
        for own in told.values():
            grams = {own[at : at + length] for at in range(len(own) - length + 1)}
            counts.update(gram for gram in grams if before is None or (gram[:-1] in before and gram[1:] in before))
        before = {gram for gram, many in counts.items() if many >= need}
        if not before:
            break
        levels.append(before)
        length += 1
    for level in reversed(levels):
        kept += [gram for gram in sorted(level) if not any(_holds(longer, gram) for longer in kept)]
    return kept


def _holds(tokens: Tokens, part: Tokens) -> bool:
    size = len(part)
    return any(tokens[at : at + size] == part for at in range(len(tokens) - size + 1))
