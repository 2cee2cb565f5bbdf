"""What can be wrong with a caption: found in its text, and told in words that a captioner can act on.

Here are the faults that one caption shows by itself; what only a whole set of captions shows is the lint's, which
knows words and looks.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from storycast.caption_lint.looks import kinds_in, looks_of, traits_in
from storycast.caption_lint.marks import ADDRESS, CODE, MARKUP
from storycast.caption_lint.words import Names, stem

TOLERANCE = 0.2
"""Share by which a caption may miss the range of words: below, asking again costs more than it mends."""

_MAYBE_MARKUP = re.compile(
    r"</?[a-z][^<>]*>|&[a-z]+;|&#\d+;|\*\*|__|\[[^\]]*\]\(|[{}]|^\s*(?:#+|[-*•]|\d+[.)])\s", re.IGNORECASE
)
"""Worth asking again, and no reason to refuse a training."""
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
    strangers: Collection[str],
    prompt: str,
) -> tuple[Fault, ...]:
    """Return what is wrong with a caption that could stand in the dataset.

    Args:
        caption: The caption.
        in_picture: Who is in the picture.
        words: Least and most words that were asked for.
        descriptions: What is said of each character's looks, by name.
        strangers: Names of whom the caption must not tell, since they are not in the picture.
        prompt: What was asked; a caption is to be written in its letters.
    """
    names = Names({*in_picture, *strangers})
    checks = (
        _length(caption, words),
        _missing(caption, in_picture),
        _stranger(caption, names, strangers),
        _trait(caption, names, {name: descriptions.get(name, "") for name in in_picture}),
        _markup(caption),
        _language(caption, prompt),
    )
    return tuple(fault for fault in checks if fault)


def flag(caption: str, in_picture: Sequence[str], words: tuple[int, int]) -> tuple[str, ...]:
    """Return what a reviewer should look at: a wrong length, a missing name."""
    checks = (_length(caption, words), _missing(caption, in_picture))
    return tuple(fault.said for fault in checks if fault)


def tolerated(words: tuple[int, int]) -> tuple[int, int]:
    """Return the least and the most words that a caption may have and be left as it is."""
    return math.floor(words[0] * (1 - TOLERANCE)), math.ceil(words[1] * (1 + TOLERANCE))


def _length(caption: str, words: tuple[int, int]) -> Fault | None:
    count = len(caption.split())
    least, most = tolerated(words)
    if least <= count <= most:
        return None
    return Fault("length", f"{count} words, asked for {words[0]} to {words[1]}")


def _missing(caption: str, in_picture: Sequence[str]) -> Fault | None:
    named = {name for _, _, name in Names(in_picture).places(caption)}
    missing = [name for name in in_picture if name not in named]
    return Fault("missing_name", f"does not name {', '.join(missing)}") if missing else None


def _stranger(caption: str, names: Names, strangers: Collection[str]) -> Fault | None:
    # By the very letters: whoever is called Red must not be found in "a red door".
    written = [name for start, end, name in names.places(caption) if caption[start:end] == name]
    found = [name for name in dict.fromkeys(written) if name in strangers]
    return Fault("stranger", f"names {', '.join(found)}, who is not in the picture") if found else None


def _trait(caption: str, names: Names, descriptions: Mapping[str, str]) -> Fault | None:
    tokens = names.tokens(caption)
    repeated: set[str] = set()
    for name, description in descriptions.items():
        looks = looks_of(description)
        # "Another man" is somebody else; "the rabbit" is not. Words of no description are the lint's alone.
        kinds = {word for word in kinds_in(tokens, name, looks) if stem(word) in looks.kinds}
        repeated |= kinds | traits_in(tokens, name, looks)
    if not repeated:
        return None
    listed = ", ".join(f"'{phrase}'" for phrase in sorted(repeated))
    return Fault("trait", f"repeats how the character always looks: {listed}")


def _markup(caption: str) -> Fault | None:
    if found := _ORDER.search(caption):
        return Fault("order", f"holds an order instead of what is to be seen: '{found.group()}'")
    for pattern in (ADDRESS, CODE, MARKUP, _MAYBE_MARKUP):
        if found := pattern.search(caption):
            return Fault("markup", f"is not plain text: '{found.group().strip()}'")
    return None


def _language(caption: str, prompt: str) -> Fault | None:
    """Tell other letters than the prompt's; a language in the same letters is not told from it."""
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
