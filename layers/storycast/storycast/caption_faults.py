"""What can be wrong with a caption: found in its text, and told in words that a captioner can act on.

Here are the faults that one caption shows by itself; what only a whole set of captions shows is the lint's.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

TOLERANCE = 0.2
"""Share by which a caption may miss the range of words: below, asking again costs more than it mends."""

LEAST_TRAITS = 3
"""Words of a description that make a caption repeat it, where no two of them stand together: one or two may be of
something else in the picture."""

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_SMALL_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "by", "for", "from", "has", "have", "he", "her", "his", "in", "is", "it"}
    | {"its", "no", "of", "on", "or", "she", "that", "the", "their", "they", "to", "two", "very", "was", "wears"}
    | {"wearing", "who", "with"}
)
_AFTER_NOUN = re.compile(r"\b(?:with|who|that|in|of|on|wearing|and)\b")
_MARKUP = re.compile(
    r"</?[a-z][^<>]*>|&[a-z]+;|&#\d+;|\*\*|__|```|https?://|\[[^\]]*\]\(|[{}]|^\s*(?:#+|[-*•]|\d+[.)])\s",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|above|previous)\b"
    r"|\b(?:system|user|assistant) prompt\b|^(?:system|user|assistant)\s*:",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an answer."""

    kind: str
    """Which fault of :data:`storycast.caption_answers.FAULTS` it is."""
    said: str
    """In words, for the captioner and for people."""


def faults_of(
    caption: str,
    *,
    in_picture: Sequence[str],
    words: tuple[int, int],
    descriptions: Mapping[str, str],
    strangers: Iterable[str],
    prompt: str,
) -> tuple[Fault, ...]:
    """Return what is wrong with a caption that could stand in the dataset.

    Args:
        caption: The caption.
        in_picture: Who is in the picture.
        words: Least and most words that were asked for.
        descriptions: What every picture of those in it shares, by their names.
        strangers: Names of whom the caption must not tell, since they are not in the picture.
        prompt: What was asked; a caption is to be written as it is.
    """
    checks = (
        _length(caption, words),
        _missing(caption, in_picture),
        _stranger(caption, in_picture, strangers),
        _trait(caption, in_picture, descriptions),
        _markup(caption),
        _script(caption, prompt),
    )
    return tuple(fault for fault in checks if fault)


def flag(caption: str, in_picture: Sequence[str], words: tuple[int, int]) -> tuple[str, ...]:
    """Return what a reviewer should look at: a wrong length, a missing name."""
    checks = (_length(caption, words), _missing(caption, in_picture))
    return tuple(fault.said for fault in checks if fault)


def tolerated(words: tuple[int, int]) -> tuple[int, int]:
    """Return the least and the most words that a caption may have and be left as it is."""
    return math.floor(words[0] * (1 - TOLERANCE)), math.ceil(words[1] * (1 + TOLERANCE))


def named(text: str, names: Iterable[str]) -> set[str]:
    """Return which names stand in a text, as whole words, whatever their case.

    Of names that overlap the longest counts: "Old Tom waves" does not name Tom.
    """
    by_folded = {name.casefold(): name for name in names}
    return {by_folded[found] for found in _found(text.casefold(), by_folded)}


def _found(text: str, names: Iterable[str]) -> Iterator[str]:
    longest_first = sorted(names, key=len, reverse=True)
    if longest_first:
        pattern = "|".join(map(re.escape, longest_first))
        # Al is not named by "always".
        yield from re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text)


def _length(caption: str, words: tuple[int, int]) -> Fault | None:
    count = len(caption.split())
    least, most = tolerated(words)
    if least <= count <= most:
        return None
    return Fault("length", f"{count} words, asked for {words[0]} to {words[1]}")


def _missing(caption: str, in_picture: Sequence[str]) -> Fault | None:
    there = named(caption, in_picture)
    missing = [name for name in in_picture if name not in there]
    return Fault("missing_name", f"does not name {', '.join(missing)}") if missing else None


def _stranger(caption: str, in_picture: Sequence[str], strangers: Iterable[str]) -> Fault | None:
    # By the very letters: whoever is called Red must not be found in "a red door".
    unknown = set(strangers) - set(in_picture)
    found = [name for name in dict.fromkeys(_found(caption, {*unknown, *in_picture})) if name in unknown]
    return Fault("stranger", f"names {', '.join(found)}, who is not in the picture") if found else None


def _trait(caption: str, in_picture: Sequence[str], descriptions: Mapping[str, str]) -> Fault | None:
    bare = caption.casefold()
    for name in sorted(in_picture, key=len, reverse=True):
        bare = re.sub(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", "·", bare)
    repeated = [found for name in in_picture for found in _repeated(bare, descriptions.get(name, ""))]
    if not repeated:
        return None
    listed = ", ".join(f"'{phrase}'" for phrase in dict.fromkeys(repeated))
    return Fault("trait", f"repeats how the character always looks: {listed}")


def _repeated(caption: str, description: str) -> list[str]:
    """Return the words of a description that a caption repeats: what the character is, or how it looks."""
    looks = [word for word in _words(description) if word not in _SMALL_WORDS]
    said = _words(caption)
    pairs = set(pairwise(looks))
    together = [f"{one} {other}" for one, other in pairwise(said) if (one, other) in pairs]
    kind = _kind(description)
    if kind and kind in said:
        together.append(kind)
    alone = [word for word in dict.fromkeys(said) if word in set(looks)]
    return list(dict.fromkeys(together)) or (alone if len(alone) >= LEAST_TRAITS else [])


def _kind(description: str) -> str:
    """Return what a description says that a character is: the last word before its first "with" or the like."""
    words = _words(_AFTER_NOUN.split(description.casefold(), maxsplit=1)[0])
    return words[-1] if words and words[-1] not in _SMALL_WORDS else ""


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _markup(caption: str) -> Fault | None:
    if found := _ORDER.search(caption):
        return Fault("order", f"holds an order instead of what is to be seen: '{found.group()}'")
    if found := _MARKUP.search(caption):
        return Fault("markup", f"is not plain text: '{found.group().strip()}'")
    return None


def _script(caption: str, prompt: str) -> Fault | None:
    """Tell another writing than the prompt's; a language in the same letters is not told from it."""
    scripts = _scripts(caption)
    if not scripts:
        return None
    (main, count), *_ = scripts.most_common(1)
    if main in _scripts(prompt) or count * 2 < scripts.total():
        return None
    return Fault("language", f"is written in {main.title()} letters, unlike the request")


def _scripts(text: str) -> Counter[str]:
    """Count letters by the first word of their Unicode name, which is the script's: LATIN, CYRILLIC, CJK."""
    return Counter(unicodedata.name(sign, "?").partition(" ")[0] for sign in text if sign.isalpha())
