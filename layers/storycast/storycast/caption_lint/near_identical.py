"""Near-identical captions: all pairs, exactly, without comparing all of them."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from storycast.caption_lint.findings import Finding, LintedCaption, captions_word, finding
from storycast.caption_lint.words import Names

ALIKE = 0.8
"""Share of two captions' pairs of successive words that both have (Jaccard), from which they count as the same: of
two captions of 20 words one word may be another."""
MANY_SHARE = 0.1
"""Share of all captions that are near-identical to another, from which a training is refused."""
MIN_MANY = 3
"""Captions that must be near-identical to another, whatever their share: one pair does no harm in a small set."""
ROUNDING = 1e-9
"""So that 0.8 of 15 are 12, whatever a float makes of it."""
LINKS = 4
"""Rarest pairs of words that two captions must share before they are compared: fewer compare more, more look up
more."""

type Pairs = frozenset[tuple[str, str]]


def near_identical(captions: Sequence[LintedCaption], names: Names) -> Iterator[Finding]:
    """Yield each group of captions that are the same but for a word or two.

    Captions are what tells a model how two pictures of one character differ. Where they say the same, the
    difference is left to the name. A few such pairs do no harm and are only told.
    """
    groups = [sorted(group) for group in _groups(captions, names)]
    concerned = sum(map(len, groups))
    many = concerned >= max(MIN_MANY, MANY_SHARE * len(captions))
    text_of = {one.id: one.caption for one in captions}
    for group in sorted(groups, key=lambda ids: (-len(ids), ids)):
        first = text_of[group[0]]
        same = len({text_of[one].casefold() for one in group}) == 1
        yield finding(
            "near_identical",
            f"{captions_word(len(group))} are the same{', word for word' if same else ' but for a word or two'}: "
            f"'{first}'",
            group,
            blocks=many,
            fragment=first,
            suggestion="Say what is different in each picture, or drop all but one of them.",
        )


def _groups(captions: Sequence[LintedCaption], names: Names) -> list[list[str]]:
    """Return the ids of captions that are linked by near-identity, of two and more.

    Pairs of words are looked up rarest first. Two captions that share as much as :data:`ALIKE` asks for share some
    of their rarest, so nobody else need be compared (prefix filtering; Chaudhuri et al., ICDE 2006). Whoever is
    linked already, directly or by others, is not compared again.
    """
    same: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in captions:
        tokens = names.tokens(one.caption)
        if tokens:
            same[tokens].append(one.id)
    pairs_of = {text: frozenset(zip(("", *text), (*text, ""), strict=True)) for text in same}
    texts = sorted(same, key=lambda text: (len(pairs_of[text]), text))
    many = Counter(pair for own in pairs_of.values() for pair in own)
    rarest = [_rarest(pairs_of[text], many) for text in texts]
    listed: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, prefix in enumerate(rarest):
        for pair in prefix:
            listed[pair].append(number)
    index = {pair: np.array(numbers) for pair, numbers in listed.items()}
    group = np.arange(len(texts))
    for number, text in enumerate(texts):
        own = pairs_of[text]
        shared = np.bincount(np.concatenate([index[pair] for pair in rarest[number]]))
        # Those before are shorter, and share the fewer of their rarest; those behind look back at this one.
        others = np.flatnonzero(shared[:number] >= min(LINKS, _least_shared(_least_shared(len(own)))))
        while len(others := others[group[others] != group[number]]):
            if _are_alike(own, pairs_of[texts[others[0]]]):
                group[group == group[number]] = group[others[0]]
            others = others[1:]
    groups: dict[int, list[str]] = defaultdict(list)
    for number, text in enumerate(texts):
        groups[int(group[number])] += same[text]
    return [ids for ids in groups.values() if len(ids) > 1]


def _rarest(own: Pairs, many: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Return the pairs of a caption of which one that is like it has :data:`LINKS`, or all that it must have."""
    return sorted(own, key=lambda pair: (many[pair], pair))[: len(own) - _least_shared(len(own)) + LINKS]


def _least_shared(count: int) -> int:
    """Return how many of so many pairs a caption shares at least with one that is as good as it."""
    return math.ceil(ALIKE * count - ROUNDING)


def _are_alike(one: Pairs, other: Pairs) -> bool:
    shared = len(one & other)
    return shared >= ALIKE * (len(one) + len(other) - shared) - ROUNDING
