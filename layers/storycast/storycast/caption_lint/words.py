"""Words of captions: split, with names told from other words, and stems that make one of singular and plural."""

import re
from collections.abc import Collection, Sequence
from functools import cached_property, lru_cache

NAME = "\0"
"""What a name's token begins with; no caption's own word does."""
SHOWN_NAME = "NAME"
"""How a name is shown in a fragment that several names stand in."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")

_LISTED = (
    "a about above across after against all along also among an and any are around as at away back be been "
    "before behind being below beneath beside between both but by can did do does down each for from front had "
    "has have he her here hers him his i in inside into is it its itself just like near no not of off on one onto "
    "or other out outside over she side so some than that the their them then there these they this those through "
    "to toward towards under up upon very was we were what when where which while who whom whose will with within "
    "without you your"
)
FUNCTION_WORDS = frozenset(_LISTED.split())
"""English words that join others and say nothing by themselves."""

_IRREGULAR = {
    "teeth": "tooth",
    "feet": "foot",
    "mice": "mouse",
    "geese": "goose",
    "men": "man",
    "women": "woman",
    "children": "child",
    "wolves": "wolf",
    "grey": "gray",
    "colour": "color",
}


class Names:
    """The names that may stand in captions; of two that overlap the longer one counts."""

    def __init__(self, names: Collection[str]) -> None:
        """Take the names; their order makes no difference."""
        self._names = sorted({name for name in names if name.strip()}, key=lambda name: (-len(name), name))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self._names:
            return None
        either = "|".join(f"({re.escape(name)})" for name in self._names)
        # Al is not named by "always".
        return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)

    def places(self, caption: str) -> list[tuple[int, int, str]]:
        """Return where names stand: from, to, and the name as the cast has it."""
        if self._pattern is None:
            return []
        return [
            (found.start(), found.end(), self._names[(found.lastindex or 1) - 1])
            for found in self._pattern.finditer(caption)
        ]

    def tokens(self, caption: str) -> tuple[str, ...]:
        """Return a caption's words in small letters; a name is one token, :data:`NAME` and itself."""
        tokens: list[str] = []
        at = 0
        for start, end, name in self.places(caption):
            tokens += split(caption[at:start])
            tokens.append(NAME + name)
            at = end
        return (*tokens, *split(caption[at:]))


def split(text: str) -> list[str]:
    """Return a text's words in small letters, without possessives; what a hyphen joins are two."""
    bare = (_POSSESSIVE.sub("", word.casefold()) for word in _WORD.findall(text))
    # What follows a name is its possessive alone.
    return [word for word in bare if word and word != "s"]


def is_name(token: str) -> bool:
    """Tell whether a token is a name."""
    return token.startswith(NAME)


def says_something(tokens: Sequence[str]) -> bool:
    """Tell whether at least two of the tokens are no names, and one of them is no function word."""
    own = [token for token in tokens if not is_name(token)]
    return len(own) > 1 and any(token not in FUNCTION_WORDS for token in own)


def shown(tokens: Sequence[str]) -> str:
    """Return tokens as people read them."""
    return " ".join((token[len(NAME) :] or SHOWN_NAME) if is_name(token) else token for token in tokens)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return what singular and plural of a word have in common; nothing finer is wanted here."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def mostly(texts: Sequence[str], most: int = 3) -> str:
    """Return the first few of some texts, quoted, for a message."""
    told = ", ".join(f"'{text}'" for text in texts[:most])
    return f"{told} and {len(texts) - most} more" if len(texts) > most else told
