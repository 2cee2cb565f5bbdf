"""The strict reading of a captioner's answer: a caption that stands in it word for word, or the reason why not."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storycast.caption_faults import Fault, faults_of
from storycast.caption_lint.marks import REFUSAL
from storycast.manifest import MAX_CAPTION, MIN_CAPTION

FAULTS: Mapping[str, tuple[str, bool]] = {
    "cut_off": ("the answer ended at the token limit", True),
    "filtered": ("the service filtered it", True),
    "stopped": ("the model stopped for another reason", True),
    "empty": ("there is no answer, or no letter in the caption", True),
    "refused": ("the model says that it can't help, in the caption, too", True),
    "no_json": ("prose, or JSON that can't be read", True),
    "text_round": ("text before or behind the JSON", True),
    "several": ("more than one JSON", True),
    "wrong_shape": ("a list, other keys, a key twice, a caption that is no text", True),
    "too_long": ("a caption above the manifest's limit of characters", True),
    "characters": ("control characters and the like in the caption", True),
    "copied": ("an example of the prompt, with other names at most", True),
    "length": ("words outside the range by more than a fifth", False),
    "missing_name": ("somebody in the picture is not named", False),
    "stranger": ("somebody of the cast, or of the examples, is named who is not in the picture", False),
    "trait": ("the description of somebody in the picture is repeated", False),
    "markup": ("HTML, Markdown, links, braces", False),
    "order": ("an order to a reader, such as a prompt injection's", False),
    "language": ("letters of another script than the prompt's", False),
}
"""Every fault of an answer: what it is, and whether it leaves no caption. Each gets one repair call."""

_FENCE_BEGINS = re.compile(r"```(?:json)?[^\S\n]*\n")
_BEGINS_REFUSING = re.compile(
    r"\W*(?:i['’]?m (?:really |very )?sorry|i am (?:really |very )?sorry|sorry(?:,| but| i\b)|i apologi[sz]e"
    r"|unfortunately,? i\b|i (?:can['’]?t|cannot|can not|won['’]?t|will not|do not|don['’]?t|must decline)\b"
    r"|i(?:['’]m| am) (?:unable|not able|not going)\b|as an ai\b)",
    re.IGNORECASE,
)
_STOPPED = {"max_tokens": "cut_off", "content_filtered": "filtered", "guardrail_intervened": "filtered"}
_SHOWN = 60
"""Characters of an answer that a message quotes."""
MOST_TRIES = 64
"""Braces at which JSON is sought in vain: each costs up to the length of the answer."""


class CaptionRefusedError(ValueError):
    """An answer holds no caption that can be used; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.said)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Question:
    """What an answer is measured by."""

    in_picture: tuple[str, ...]
    words: tuple[int, int]
    descriptions: Mapping[str, str]
    """What is said of each character's looks, by name; those in the picture count."""
    strangers: tuple[str, ...]
    """Who is not in the picture, and must not be named."""
    examples: tuple[str, ...]
    """Captions that the prompt shows."""
    prompt: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer holds."""

    caption: str
    """Empty where there is none that can be used."""
    faults: tuple[Fault, ...]


def read(text: str, stop_reason: str, question: Question) -> Reading:
    """Return the caption of an answer and what is wrong with it; never anything that does not stand in it."""
    try:
        caption = read_answer(text, stop_reason)
        _refuse_copy(caption, question)
    except CaptionRefusedError as error:
        return Reading("", (error.fault,))
    return Reading(
        caption,
        faults_of(
            caption,
            in_picture=question.in_picture,
            words=question.words,
            descriptions=question.descriptions,
            strangers=question.strangers,
            prompt=question.prompt,
        ),
    )


def better(first: Reading, second: Reading) -> Reading:
    """Return which of two readings is kept: one with a caption, else the one with fewer faults, else the later."""
    if bool(first.caption) != bool(second.caption):
        return first if first.caption else second
    return first if len(first.faults) < len(second.faults) else second


def read_answer(text: str, stop_reason: str) -> str:
    """Return the caption in a model's answer, white space made even.

    A code fence round the JSON is taken off, since models add one whatever they are told. Nothing else is
    guessed at.

    Args:
        text: The answer.
        stop_reason: Why the model stopped, as the Converse API names it.

    Raises:
        CaptionRefusedError: The answer is cut off or filtered, is not the JSON that was asked for, or its
            caption can't stand in a dataset.
    """
    if stop_reason not in {"end_turn", "stop_sequence"}:
        raise _refused(_STOPPED.get(stop_reason, "stopped"), f"the model stopped early ({stop_reason})")
    if not text.strip():
        raise _refused("empty", "the answer is empty")
    caption = " ".join(_caption_in(_without_fence(text)).split())
    if not any(sign.isalpha() for sign in caption):
        raise _refused("empty", f"the caption holds no word: '{_start(caption)}'")
    if _BEGINS_REFUSING.match(caption) or REFUSAL.search(caption):
        raise _refused("refused", f"the caption tells of no picture: '{_start(caption)}'")
    if len(caption) > MAX_CAPTION or len(caption) < MIN_CAPTION:
        kind = "too_long" if len(caption) > MAX_CAPTION else "empty"
        raise _refused(kind, f"the caption has {len(caption)} characters, not {MIN_CAPTION} to {MAX_CAPTION}")
    if not caption.isprintable():
        raise _refused("characters", "the caption holds characters that can't be printed")
    return caption


def _without_fence(text: str) -> str:
    """Return what stands in a code fence that is all of a text; any other text as it is."""
    inside = text.strip()
    begins = _FENCE_BEGINS.match(inside)
    return inside[begins.end() : -3] if begins and inside.endswith("```", begins.end()) else text


def _refuse_copy(caption: str, question: Question) -> None:
    names = (*question.in_picture, *question.strangers)
    nameless = _nameless(caption, names)
    if any(nameless == _nameless(example, names) for example in question.examples):
        raise _refused("copied", "the caption is one of the examples, and tells nothing of this picture")


def _nameless(text: str, names: Sequence[str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "·", text)
    return text.casefold()


def _caption_in(text: str) -> str:
    """Return the value of the one key of the one JSON object that a text must be."""
    try:
        value = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise _unreadable(text) from None
    if not isinstance(value, _Pairs):
        raise _refused("wrong_shape", f"the JSON is no object with the one key 'caption': '{_start(text)}'")
    if [key for key, _ in value] != ["caption"]:
        keys = ", ".join(f"'{_start(key)}'" for key, _ in value[:4]) or "none"
        raise _refused("wrong_shape", f"the JSON must have the one key 'caption', and has {keys}")
    caption = value[0][1]
    if not isinstance(caption, str):
        raise _refused("wrong_shape", f"the value of 'caption' is no text: '{_start(text)}'")
    return caption


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its keys and values, so that a key that stands twice is seen."""


def _unreadable(text: str) -> CaptionRefusedError:
    """Return what an answer is that is no JSON, so that a repair call can say it."""
    objects = sum(1 for _ in _objects(text))
    if objects > 1:
        return _refused("several", f"the answer holds {objects} JSON objects, not one")
    if objects:
        return _refused("text_round", f"there is text round the JSON: '{_start(text)}'")
    if _BEGINS_REFUSING.match(text):
        return _refused("refused", f"the model says that it can't help: '{_start(text)}'")
    return _refused("no_json", f"the answer is not the JSON that was asked for: '{_start(text)}'")


def _objects(text: str) -> Iterator[Any]:
    """Yield the JSON objects that stand in a text, one behind the other."""
    decoder, at, tries = json.JSONDecoder(), text.find("{"), 0
    while at >= 0 and tries < MOST_TRIES:
        end = at + 1
        try:
            value, end = decoder.raw_decode(text, at)
            yield value
        except (ValueError, RecursionError):
            tries += 1
        at = text.find("{", end)


def _start(text: str) -> str:
    """Return how a text begins, for a message: what can't be printed could not be sent either."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())[:_SHOWN]


def _refused(kind: str, said: str) -> CaptionRefusedError:
    return CaptionRefusedError(Fault(kind, said))
