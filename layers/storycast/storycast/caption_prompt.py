"""The prompt of a caption, for one picture."""

import json
from collections.abc import Sequence

from storycast.caption_examples import draw_examples, told
from storycast.caption_template import default_template, filled, packaged
from storycast.cast import Cast
from storycast.curation import CuratedImage
from storycast.footage import Record


class Prompt(Record):
    """What a captioner is asked."""

    system: str
    user: str


def write_prompt(image: CuratedImage, cast: Cast, words: tuple[int, int], template: str | None = None) -> Prompt:
    """Return the prompt for one picture.

    What stands for a placeholder is JSON between tags, so that names with any character in them stay data. The
    form of the answer is asked for behind the template, whoever wrote it.

    Args:
        image: The picture; those who are in it come from its detections, not from the model.
        cast: The cast, whose descriptions tell the model what to leave out.
        words: Least and most words of a caption.
        template: What :func:`storycast.caption_template.read_template` returned; None for the default.
    """
    members = [
        {"name": member.name, "description": member.description}
        for member in cast.members
        if member.name in image.in_picture
    ]
    known = {member["name"] for member in members}
    members += [{"name": name, "description": ""} for name in image.in_picture if name not in known]
    values = {
        "cast": _block("cast", members),
        "in_picture": _block("in_picture", list(image.in_picture)),
        "words": _block("words", {"min": words[0], "max": words[1]}),
        "examples": told(draw_examples(image.crop_id, image.framing, len(image.in_picture))),
    }
    asked = filled(template or default_template(), values)
    return Prompt(system=packaged("caption_system"), user=f"{asked}\n\n{packaged('caption_answer')}")


def repair_request(faults: Sequence[str]) -> str:
    """Return what a captioner is told of its own answer.

    Args:
        faults: What is wrong with it, in words.
    """
    listed = "\n".join(f"- {fault}" for fault in faults)
    return f"{filled(packaged('caption_repair'), {'faults': listed})}\n\n{packaged('caption_answer')}"


def _block(tag: str, value: object) -> str:
    # "<" inside a name must not look like the end of a block.
    content = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return f"<{tag}>{content}</{tag}>"
