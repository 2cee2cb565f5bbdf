"""Captions that are none: empty, over the limits, refusals, markup; and those of another length than asked for."""

import re
from collections.abc import Iterator, Sequence

from storycast.caption_faults import tolerated
from storycast.caption_lint.findings import Finding, LintedCaption, captions_word, finding
from storycast.caption_lint.marks import ADDRESS, CODE, MARKUP, REFUSAL
from storycast.manifest import MAX_CAPTION, MIN_CAPTION

LENGTH_SHARE = 0.5
"""Share of the captions with another length from which a training is refused: it was not chance then."""
MIN_LENGTHS = 5
"""Captions that must have another length, whatever their share."""

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("hold an address of the web", ADDRESS),
    ("hold JSON or code", CODE),
    ("hold markup", MARKUP),
    ("refuse, or speak of the model", REFUSAL),
)
"""What a caption must not be, and how one knows it."""


def unusable_captions(captions: Sequence[LintedCaption]) -> Iterator[Finding]:
    """Yield what is no caption at all.

    A trainer reads whatever stands there as words about the picture, and refuses what is empty or too long. The
    limits are those of :mod:`storycast.manifest`.
    """
    empty = [one.id for one in captions if len(one.caption.strip()) < MIN_CAPTION]
    if empty:
        yield _unusable(empty, "are empty or nearly so", "is empty or nearly so")
    long = [one.id for one in captions if len(one.caption) > MAX_CAPTION]
    if long:
        yield _unusable(
            long,
            f"have more than {MAX_CAPTION:,} characters",
            f"has more than {MAX_CAPTION:,} characters",
        )
    for kind, pattern in _KINDS:
        ids = [one.id for one in captions if pattern.search(one.caption)]
        if ids:
            yield _unusable(ids, kind, _singular(kind))


def _singular(kind: str) -> str:
    return re.sub(r"\b(hold|refuse|speak)\b", r"\1s", kind)


def _unusable(ids: Sequence[str], many: str, one: str) -> Finding:
    return finding(
        "unusable_caption",
        f"{captions_word(len(ids))} {one if len(ids) == 1 else many}.",
        ids,
        blocks=True,
        suggestion="Write a caption in its place, or drop the picture.",
        about=many,
    )


def caption_lengths(captions: Sequence[LintedCaption], words: tuple[int, int]) -> Iterator[Finding]:
    """Yield how many captions have another length than asked for; those that people wrote are theirs to judge.

    One caption may be longer than another. Where most are, the model did not do what it was asked, and short
    captions leave more to the name than shall be in it.
    """
    least, most = tolerated(words)
    judged = [one for one in captions if not one.by_person]
    lengths = {one.id: len(one.caption.split()) for one in judged}
    short = [one for one, count in lengths.items() if count < least]
    long = [one for one, count in lengths.items() if count > most]
    if not short and not long:
        return
    ids = [*short, *long]
    parts = [f"{len(part):,} {word}" for part, word in ((short, "shorter"), (long, "longer")) if part]
    verb = "has" if len(ids) == 1 else "have"
    yield finding(
        "caption_length",
        f"{len(ids):,} of {captions_word(len(judged))} {verb} another length than asked for ({words[0]} to "
        f"{words[1]} words): {', '.join(parts)}.",
        ids,
        blocks=len(ids) >= MIN_LENGTHS and len(ids) >= LENGTH_SHARE * len(judged),
        suggestion="Caption again with another captions.model or captions.words, or rewrite these.",
    )
