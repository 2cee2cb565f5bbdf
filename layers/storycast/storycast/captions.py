"""Captions: the record of one, of each paid call that led to it, and what both depend on."""

from collections.abc import Sequence

from storycast.caption_answers import Question
from storycast.caption_examples import NAMES, draw_examples
from storycast.caption_prompt import Prompt
from storycast.caption_template import MAX_TOKENS
from storycast.cast import Cast
from storycast.curation import CuratedImage
from storycast.fingerprint import fingerprint
from storycast.footage import Record
from storycast.runs import ModelUsed

ANSWERS_VERSION = 1
"""Raised when an answer's record changes; what was paid for is then paid again."""
READING_VERSION = 2
"""Raised when answers are read or repaired otherwise; answers that are there are read anew, and not paid again."""


class CaptionAnswer(Record):
    """One paid call: an object of its own, so that none is paid twice, and a part of its :class:`Caption`."""

    crop_id: str
    fingerprint: str
    paid_by: str
    asked: str
    """The turn of the conversation that it answers: the prompt, or what was wrong with the answer before."""
    text: str
    stop_reason: str
    input_tokens: int
    output_tokens: int
    notes: dict[str, object]
    faults: tuple[str, ...] = ()
    """What is wrong with it, in words; told in the caption's record alone."""


class Caption(Record):
    """The result object of ``CaptionImages``: a caption, or the reason why there is none."""

    crop_id: str
    fingerprint: str
    model_id: str
    caption: str
    refused: str
    """Why there is no caption; empty where there is one."""
    flags: tuple[str, ...]
    """What is wrong with the caption, for people to look at."""
    answers: tuple[CaptionAnswer, ...] = ()
    """The paid calls in order: none where the picture was refused, two where the first answer needed a repair."""

    @property
    def input_tokens(self) -> int:
        """Tokens read in all calls, the picture's in each of them."""
        return sum(answer.input_tokens for answer in self.answers)

    @property
    def output_tokens(self) -> int:
        """Tokens written in all calls."""
        return sum(answer.output_tokens for answer in self.answers)


def question_of(image: CuratedImage, cast: Cast, words: tuple[int, int], prompt: Prompt) -> Question:
    """Return what the answer to a picture's prompt is measured by."""
    others = [member.name for member in cast.members] + list(NAMES)
    shown = draw_examples(image.crop_id, image.framing, len(image.in_picture))
    return Question(
        in_picture=image.in_picture,
        words=words,
        descriptions={member.name: member.description for member in cast.members},
        strangers=tuple(name for name in dict.fromkeys(others) if name not in image.in_picture),
        examples=tuple(example.caption for example in shown),
        prompt=prompt.user,
    )


def answer_fingerprint(
    image: CuratedImage, system: str, turns: Sequence[str], model: ModelUsed, footage: str
) -> str:
    """Return the fingerprint of all that an answer depends on.

    Args:
        image: The picture.
        system: What the model is told of its task.
        turns: The conversation that is to be answered, ours and the model's in turn.
        model: Who is asked, and who answers for it: a stand-in's captions are not the model's.
        footage: Fingerprint of the frames that the picture is cut from.
    """
    return fingerprint(
        version=ANSWERS_VERSION,
        frames=footage,
        cut=[image.frame_key, image.left_px, image.top_px, image.side_px],
        system=system,
        turns=list(turns),
        model=model.model_dump(),
        max_tokens=MAX_TOKENS,
    )


def caption_fingerprint(first_answer: str, image: CuratedImage, cast: Cast) -> str:
    """Return the fingerprint of all that a caption depends on.

    Args:
        first_answer: :func:`answer_fingerprint` of the first answer; a second one follows from it.
        image: The picture.
        cast: The whole cast: a caption must not name who is not in the picture, nor repeat the looks of who is.
    """
    return fingerprint(
        version=READING_VERSION,
        answer=first_answer,
        names=sorted(member.name for member in cast.members),
        looks=sorted([one.name, one.description] for one in cast.members if one.name in image.in_picture),
    )
