"""Standard looks: what a description says of a character, and which captions say it again."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from storycast.caption_lint.findings import Finding, LintedCaption, captions_word, finding
from storycast.caption_lint.words import FUNCTION_WORDS, NAME, Names, mostly, split, stem

TRAITS_SHARE = 0.25
"""Share of a character's captions that repeat its looks, from which a training is refused."""
MIN_TRAITS = 3
"""Captions that must repeat them, whatever their share."""
KIND_SHARE = 0.5
"""Share of a character's captions that say what it is instead of who, or beside it: most of them."""
MIN_KINDS = 5
"""Captions that must say so, whatever their share."""
TOLD_KIND_SHARE = 0.2
"""Share from which it is told at all: "another rabbit runs by" is no fault."""
REACH = 3
"""Words before a noun in which an adjective belongs to it: "long, floppy grey ears"."""

_KINDS = "animal being boy character creature critter girl guy kid lady man person woman"
GENERAL_KINDS = frozenset(map(stem, _KINDS.split()))
"""English words for somebody whose name is not known."""
_ADJECTIVES = (
    "beige black blond blonde blue bronze brown cream crimson cyan dark golden gold gray green light maroon olive "
    "orange pale pink purple red silver tan teal turquoise violet white yellow "
    "big bulky chubby fat gentle giant gigantic great heavy huge large little long massive mighty old plump round "
    "short skinny slender slim small stout tall thick thin tiny young"
)
ADJECTIVES = frozenset(map(stem, _ADJECTIVES.split()))
"""English adjectives of colour, size and age: what a description may give with no noun behind it."""
_BREAK = re.compile(
    r"([;,.:()]|\b(?:and|as|at|but|carries|carrying|for|from|has|have|having|her|his|holding|in|is|its|made|of|on|"
    r"or|that|their|to|wearing|wears|who|whose|with)\b)"
)
_HAVING = "carries carrying has have having her his holding its their wearing wears whose with"
_HAS = frozenset(_HAVING.split())
"""Words behind which a description tells what the character has, not what it is: "wears a blue coat"."""
_ARTICLES = FUNCTION_WORDS | frozenset({"always", "both", "often", "one", "quite", "rather", "two", "usually"})


@dataclass(slots=True)
class Looks:
    """What a description says, by stems."""

    kinds: set[str] = field(default_factory=set)
    """What the character is: rabbit; flying squirrel has squirrel alone."""
    adjectives: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """How each thing of it is, by noun: ears are long."""
    things: set[str] = field(default_factory=set)
    """Things of which nothing more is said: eyepatch."""
    own: set[str] = field(default_factory=set)
    """Adjectives of the character itself: grey."""


def looks_of(description: str) -> Looks:
    """Read a description: "a huge, gentle, pale grey rabbit with long ears and small teeth".

    There is no grammar here. A phrase ends at a comma, a preposition or "and"; its last word is what it is about,
    unless that is an adjective of :data:`ADJECTIVES`, or the phrase is one word in a list of such before the noun.
    The first that is no thing which the character has says what it is.
    """
    looks, waiting = Looks(), set[str]()
    phrases = _phrases(description)
    after, is_had = "", False
    for (words, mark), (following, _) in zip(phrases, [*phrases[1:], ((), "")], strict=True):
        is_had = after in _HAS or (is_had and after.isalpha())
        after = mark
        if not words:
            continue
        *before, last = words
        is_listed = mark == "," and len(words) == 1 and bool(following) and following[-1] not in ADJECTIVES
        if last in ADJECTIVES or (is_listed and not looks.kinds):
            (looks.own if looks.kinds else waiting).update(words)
        elif not looks.kinds and not is_had:
            looks.kinds.add(last)
            looks.own |= {*before, *waiting}
        elif before:
            looks.adjectives[last] |= set(before)
        else:
            looks.things.add(last)
    for kind in looks.kinds:
        looks.adjectives[kind] |= looks.own
    return looks


def _phrases(description: str) -> list[tuple[tuple[str, ...], str]]:
    """Return a description's phrases as stems, each with what ends it."""
    parts = [*_BREAK.split(description.casefold()), ""]
    return [
        (tuple(stem(word) for word in split(text) if word not in _ARTICLES), mark)
        for text, mark in zip(parts[::2], parts[1::2], strict=True)
    ]


def repeated_traits(
    captions: Sequence[LintedCaption], descriptions: Mapping[str, str], names: Names
) -> Iterator[Finding]:
    """Yield for each character how many captions repeat its standard looks.

    "Grey rabbit" beside the name tells the model that the grey and the rabbit come from these words, and the name
    learns the less of them: drawn by its name alone the character comes out paler. So the prompt for captions
    asks to leave the looks out, and this looks whether they were. A colour counts beside the character's name or
    what it belongs to, and not as that of a wall.
    """
    for character, looks, own in _by_character(captions, descriptions):
        said: Counter[str] = Counter()
        ids = []
        for one in own:
            hits = traits_in(names.tokens(one.caption), character, looks)
            said.update(hits)
            if hits:
                ids.append(one.id)
        if not ids:
            continue
        told = _most_said_first(said)
        yield finding(
            "repeated_traits",
            f"{character}: {len(ids):,} of {captions_word(len(own))} ({len(ids) / len(own):.0%}) "
            f"{'repeats' if len(ids) == 1 else 'repeat'} the standard looks: {mostly(told)}.",
            ids,
            blocks=len(ids) >= MIN_TRAITS and len(ids) >= TRAITS_SHARE * len(own),
            fragment=told[0],
            suggestion=f"Leave out how {character} always looks: the name is to learn it.",
            about=character,
        )


def kind_words(
    captions: Sequence[LintedCaption], descriptions: Mapping[str, str], names: Names
) -> Iterator[Finding]:
    """Yield for each character how many captions say what it is: "the rabbit", "an animal".

    A word that the model knows brings its own looks along, and shares with the name what is learned. That is
    wanted where a class is trained (the class noun of DreamBooth, Ruiz et al. 2023, which keeps what the model
    knew of it), and not here, where the name alone is to bring the character. "A man" is somebody else where the
    name stands apart from it; "the rabbit" is not.
    """
    for character, looks, own in _by_character(captions, descriptions):
        said: Counter[str] = Counter()
        ids = []
        for one in own:
            hits = kinds_in(names.tokens(one.caption), character, looks)
            said.update(hits)
            if hits:
                ids.append(one.id)
        if len(ids) < 2 or len(ids) < TOLD_KIND_SHARE * len(own):
            continue
        told = _most_said_first(said)
        yield finding(
            "kind_words",
            f"{character}: {len(ids):,} of {captions_word(len(own))} say what {character} is: {mostly(told)}.",
            ids,
            blocks=len(ids) >= MIN_KINDS and len(ids) >= KIND_SHARE * len(own),
            fragment=told[0],
            suggestion=f"Say {character} and nothing else for {character}.",
            about=character,
        )


def _most_said_first(said: Counter[str]) -> list[str]:
    return sorted(said, key=lambda word: (-said[word], word))


def _by_character(
    captions: Sequence[LintedCaption], descriptions: Mapping[str, str]
) -> Iterator[tuple[str, Looks, list[LintedCaption]]]:
    for character, description in sorted(descriptions.items()):
        own = [one for one in captions if one.character == character]
        looks = looks_of(description)
        if own and (looks.kinds or looks.adjectives or looks.things):
            yield character, looks, own


def kinds_in(tokens: Sequence[str], character: str, looks: Looks) -> set[str]:
    """Return the words of a caption that say what the character is.

    Args:
        tokens: The caption's, as :meth:`storycast.caption_lint.words.Names.tokens` returns them.
        character: Whose looks they are.
        looks: What its description says.
    """
    found = {word for word in tokens if stem(word) in looks.kinds - GENERAL_KINDS}
    # Without what may stand between a name and what it is: "Mara, the huge animal".
    between = _ARTICLES | {"called", "named"}
    bare = [token for token in tokens if token not in between and stem(token) not in looks.own]
    name = NAME + character
    for at, word in enumerate(bare):
        if stem(word) in GENERAL_KINDS and (name not in bare or name in bare[max(at - 1, 0) : at + 2]):
            found.add(word)
    return found


def traits_in(tokens: Sequence[str], character: str, looks: Looks) -> set[str]:
    """Return which standard looks of a character a caption repeats, as it says them.

    Args:
        tokens: The caption's, as :meth:`storycast.caption_lint.words.Names.tokens` returns them.
        character: Whose looks they are.
        looks: What its description says.
    """
    stems = [token if token.startswith(NAME) else stem(token) for token in tokens]
    found = set()
    for at, word in enumerate(stems):
        if word in looks.things:
            found.add(tokens[at])
        before = range(max(at - REACH, 0), at)
        for other in before:
            if stems[other] in looks.adjectives.get(word, ()):
                found.add(f"{tokens[other]} {tokens[at]}")
        if word == NAME + character:
            for other in reversed(before):
                if stems[other] not in looks.own:
                    break
                found.add(f"{tokens[other]} {character}")
    return found
