"""Captions: the prompt, the strict reading of a model's answer, and the record of one caption."""

import json
import re
from collections.abc import Sequence
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, ValidationError

from storycast.cast import Cast
from storycast.curation import CuratedImage
from storycast.fingerprint import fingerprint
from storycast.footage import Record
from storycast.manifest import MAX_CAPTION, MIN_CAPTION
from storycast.runs import ModelUsed

MAX_TOKENS = 400
"""Room for 150 words in JSON; an answer that needs more is not what was asked for."""

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)


class CaptionRefusedError(ValueError):
    """The model's answer holds no caption that can be used; the message says why."""


class Prompt(Record):
    """What a captioner is asked."""

    system: str
    user: str


class Caption(Record):
    """The result object of ``CaptionImages``: a caption, or the reason why there is none."""

    crop_id: str
    fingerprint: str
    model_id: str
    paid_by: str
    caption: str
    refused: str
    answer: str
    flags: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    notes: dict[str, object]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    caption: str


def write_prompt(image: CuratedImage, cast: Cast, words: tuple[int, int]) -> Prompt:
    """Return the prompt for one picture.

    The three blocks between tags are JSON, so that names with any character in them stay data.

    Args:
        image: The picture; those who are in it come from its detections, not from the model.
        cast: The cast, whose descriptions tell the model what to leave out.
        words: Least and most words of a caption.
    """
    members = [
        {"name": member.name, "description": member.description}
        for member in cast.members
        if member.name in image.in_picture
    ]
    known = {member["name"] for member in members}
    members += [{"name": name, "description": ""} for name in image.in_picture if name not in known]
    return Prompt(
        system=_text("caption_system"),
        user=_text("caption_user").format(
            cast=_json(members),
            in_picture=_json(list(image.in_picture)),
            words=_json({"min": words[0], "max": words[1]}),
            examples=_text("caption_examples"),
        ),
    )


def caption_fingerprint(image: CuratedImage, prompt: Prompt, model: ModelUsed, footage: str) -> str:
    """Return the fingerprint of all that a caption depends on.

    Args:
        image: The picture.
        prompt: What is asked.
        model: Who is asked, and who answers for it: a stand-in's captions are not the model's.
        footage: Fingerprint of the frames that the picture is cut from.
    """
    return fingerprint(
        frames=footage,
        cut=[image.frame_key, image.left_px, image.top_px, image.side_px],
        prompt=prompt.model_dump(),
        model=model.model_dump(),
        max_tokens=MAX_TOKENS,
    )


def read_answer(text: str, stop_reason: str) -> str:
    """Return the caption in a model's answer.

    A code fence round the JSON is taken off, since models add one whatever they are told. Nothing else is
    guessed at.

    Args:
        text: The answer.
        stop_reason: Why the model stopped, as the Converse API names it.

    Raises:
        CaptionRefusedError: The answer is cut off or filtered, is not the JSON that was asked for, or its
            caption is empty or too long.
    """
    if stop_reason not in {"end_turn", "stop_sequence"}:
        raise CaptionRefusedError(f"the model stopped early ({stop_reason})")
    fenced = _FENCE.match(text)
    try:
        caption = _Answer.model_validate_json(fenced.group(1) if fenced else text).caption
    except ValidationError:
        start = " ".join(text.split())[:80]
        raise CaptionRefusedError(f"the answer is not the JSON that was asked for: '{start}'") from None
    caption = " ".join(caption.split())
    if not MIN_CAPTION <= len(caption) <= MAX_CAPTION:
        raise CaptionRefusedError(f"the caption has {len(caption)} characters, not {MIN_CAPTION} to {MAX_CAPTION}")
    return caption


def flag(caption: str, in_picture: Sequence[str], words: tuple[int, int]) -> tuple[str, ...]:
    """Return what a reviewer should look at: a wrong length, a missing name."""
    flags = []
    count = len(caption.split())
    if not words[0] <= count <= words[1]:
        flags.append(f"{count} words, asked for {words[0]} to {words[1]}")
    missing = [name for name in in_picture if not _names(caption, name)]
    if missing:
        flags.append(f"does not name {', '.join(missing)}")
    return tuple(flags)


def _names(caption: str, name: str) -> bool:
    # Al is not named by "always".
    return re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", caption.casefold()) is not None


def _text(name: str) -> str:
    return files("storycast.prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()


def _json(value: object) -> str:
    # "<" inside a name must not look like the end of a block.
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
