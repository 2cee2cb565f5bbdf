"""The lint itself: all rules over all captions, and the refusal that comes of it."""

from collections.abc import Collection, Mapping, Sequence

from storycast.caption_lint.findings import Finding, Lint, LintedCaption, captions_word, rules_of
from storycast.caption_lint.fragments import repeated_fragments
from storycast.caption_lint.looks import kind_words, repeated_traits
from storycast.caption_lint.named import missing_names, wrong_cast
from storycast.caption_lint.near_identical import near_identical
from storycast.caption_lint.unusable import caption_lengths, unusable_captions
from storycast.caption_lint.words import Names
from storycast.errors import CaptionLintError
from storycast.settings import UNKNOWN

EXAMPLES = 3
"""Captions that a refusal shows."""
EXAMPLE_LENGTH = 120
"""Characters of each."""


def lint(
    captions: Sequence[LintedCaption], descriptions: Mapping[str, str], words: tuple[int, int] | None
) -> Lint:
    """Look at a whole set of captions; their order makes no difference.

    Args:
        captions: The captions with what is known of their pictures; ids are unique.
        descriptions: The cast: what is said of each character's looks, by name; empty where nothing is.
        words: Least and most words that were asked for; None where nobody knows.
    """
    captions = sorted(captions, key=lambda one: one.id)
    cast = _cast(captions, descriptions)
    names = Names(cast)
    findings = [
        *unusable_captions(captions),
        *missing_names(captions, cast),
        *wrong_cast(captions, cast),
        *repeated_fragments(captions, names),
        *repeated_traits(captions, descriptions, names),
        *kind_words(captions, descriptions, names),
        *near_identical(captions, names),
        *(caption_lengths(captions, words) if words else ()),
    ]
    # What is wrong comes before what is only told; each rule keeps its own order.
    findings.sort(key=lambda one: one.severity == "notes")
    return Lint(
        caption_count=len(captions),
        findings=tuple(findings),
        left_out=tuple(_left_out(captions, descriptions, words)),
    )


def _cast(captions: Sequence[LintedCaption], descriptions: Mapping[str, str]) -> list[str]:
    seen = {name for one in captions for name in one.in_picture or ()}
    return sorted((seen | set(descriptions)) - {UNKNOWN})


def _left_out(
    captions: Sequence[LintedCaption], descriptions: Mapping[str, str], words: tuple[int, int] | None
) -> list[str]:
    told = []
    blind = sum(one.in_picture is None for one in captions)
    if blind:
        which = "the captions" if blind == len(captions) else captions_word(blind)
        told.append(f"missing_names and wrong_cast of {which}: nobody knows who is in the pictures")
    seen = {one.character for one in captions if one.character not in {None, UNKNOWN}}
    plain = sorted(str(name) for name in seen if not descriptions.get(str(name)))
    if plain:
        told.append(f"repeated_traits and kind_words of {', '.join(plain)}: the project describes no looks")
    elif not seen:
        told.append("repeated_traits and kind_words: nobody knows whom the pictures are of")
    if words is None:
        told.append("caption_length: nobody knows what length was asked for")
    return told


def refuse_bad_captions(
    found: Lint,
    captions: Sequence[LintedCaption],
    acknowledged: Collection[str],
    *,
    mend: str,
    command: str,
    has_project: bool = True,
) -> None:
    """Refuse a training whose captions would spoil it.

    Args:
        found: What the lint says.
        captions: The captions that it is about, for examples.
        acknowledged: Rules whose findings may stay, besides those that the review lets stay.
        mend: Where captions are mended, in words that follow "mend the captions".
        command: What trains on them, for somebody to type.
        has_project: Whether there is a project file that may say the same.

    Raises:
        CaptionLintError: A finding that blocks is not acknowledged.
    """
    blocking = found.blocking(acknowledged)
    if not blocking:
        return
    text_of = {one.id: one.caption for one in captions}
    concerned = {crop_id for one in blocking for crop_id in one.crop_ids}
    rules = rules_of(blocking)
    setting = f", or set captions.acknowledge: [{', '.join(rules)}] in the project file" if has_project else ""
    raise CaptionLintError(
        f"{len(concerned):,} of {captions_word(found.caption_count)} would spoil the training: "
        f"{'; '.join(_told(rule, blocking) for rule in rules)}. "
        f"Such as {', '.join(_example(text_of.get(one, '')) for one in _examples(blocking))}. "
        f"Nothing was started. Mend the captions {mend}. Or train on them as they are: "
        f"`{command} {acknowledge_options(rules)}`{setting}."
    )


def acknowledge_options(rules: Sequence[str]) -> str:
    """Return the options of the command that let the findings of rules stay."""
    return " ".join(f"--acknowledge {rule}" for rule in rules)


def _told(rule: str, findings: Sequence[Finding]) -> str:
    """Return what a rule found first, and how much more."""
    own = [one for one in findings if one.rule == rule]
    more = f", and {len(own) - 1} more" if len(own) > 1 else ""
    return f"{rule} ({own[0].message.rstrip('.')}{more})"


def _examples(findings: Sequence[Finding]) -> list[str]:
    """Return the ids of a few captions, of as many findings as may be."""
    told: dict[str, None] = {}
    for turn in range(EXAMPLES):
        for one in findings:
            if turn < len(one.crop_ids) and len(told) < EXAMPLES:
                told[one.crop_ids[turn]] = None
    return list(told)


def _example(caption: str) -> str:
    return f"'{caption}'" if len(caption) <= EXAMPLE_LENGTH else f"'{caption[: EXAMPLE_LENGTH - 1]}…'"
