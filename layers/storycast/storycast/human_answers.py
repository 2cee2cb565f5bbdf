"""Human answers: what Amazon A2I's workers said of a batch, and what several of them come to.

Answers are input from people whom nobody here knows. They are read strictly: whatever is not a verdict on a
picture of the batch, or a caption that could stand in the dataset, changes nothing.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from storycast.decisions import DROPPED, KEPT, MAX_CHANGES, OPEN, Change, What, picture
from storycast.footage import Record
from storycast.human_loops import DROP, KEEP
from storycast.review import Review, caption_problem
from storycast.review_desk import Proposal

MOST_WORKERS = 10
"""Answers to one loop; a flow definition asks three workers at most."""
MOST_FIELDS = 2_000
"""Fields of one answer: a verdict and a caption for each picture, and room."""
MOST_TEXT = 20_000
"""Characters of a field that is looked at."""
VERDICTS = {KEEP: KEPT, DROP: DROPPED}


class AnswersUnreadableError(ValueError):
    """What lies where the answers should be has not their form; the message says what is wrong."""


class HumanAnswer(BaseModel):
    """One worker's answer."""

    model_config = ConfigDict(frozen=True)

    worker_id: Annotated[str, Field(alias="workerId", pattern=r"^[A-Za-z0-9_.:@+=/-]{1,128}$")]
    content: Annotated[dict[str, Any], Field(alias="answerContent", max_length=MOST_FIELDS)]
    """Values by the names that the worker template gives its fields."""

    def verdict(self, crop_id: str) -> str:
        """Return the verdict on a picture, ``open`` where there is none."""
        said = self.content.get(f"verdict-{crop_id}")
        if isinstance(said, Mapping):
            # Radio buttons come as {"keep": true, "drop": false}.
            chosen = [name for name, is_chosen in said.items() if is_chosen is True]
            said = chosen[0] if len(chosen) == 1 else None
        return VERDICTS.get(said, OPEN) if isinstance(said, str) else OPEN

    def caption(self, crop_id: str) -> str:
        """Return the caption of a picture on one line, empty where there is none."""
        said = self.content.get(f"caption-{crop_id}")
        return re.sub(r"\s+", " ", said).strip() if isinstance(said, str) and len(said) <= MOST_TEXT else ""


class LoopOutput(BaseModel):
    """``output.json`` of a human loop; what else it holds is passed over."""

    model_config = ConfigDict(frozen=True)

    loop: Annotated[str, Field(alias="humanLoopName")]
    answers: Annotated[tuple[HumanAnswer, ...], Field(alias="humanAnswers", max_length=MOST_WORKERS)]


class MergedPicture(Record):
    """What the workers came to on one picture."""

    crop_id: str
    verdict: Literal["open", "kept", "dropped"]
    """``open`` where they were divided or silent: a person decides."""
    caption: str | None = None
    """The caption that most of those wrote who kept it; None leaves the caption as it is."""
    keep_votes: int
    drop_votes: int
    note: str = ""
    """In words, what a person should know of it."""


class MergedAnswers(Record):
    """What the workers came to on a batch; ``review/a2i/merged-<batch>.json``."""

    loop: str
    workers: tuple[str, ...]
    pictures: tuple[MergedPicture, ...]

    @property
    def undecided(self) -> int:
        """How many pictures are left to a person."""
        return sum(one.verdict == OPEN for one in self.pictures)

    @property
    def who(self) -> str:
        """Who decided, as the log of decisions has it."""
        return f"a2i:{self.workers[0] if len(self.workers) == 1 else f'{len(self.workers)} workers'}"


def read_output(content: bytes, loop: str) -> LoopOutput:
    """Read the answers to a loop.

    Raises:
        AnswersUnreadableError: They are not JSON, not of the form, or of another loop.
    """
    try:
        output = LoopOutput.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AnswersUnreadableError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    if output.loop != loop:
        raise AnswersUnreadableError(f"they are of the loop {output.loop[:80]!r}")
    return output


def merge(output: LoopOutput, shown: Mapping[str, str]) -> MergedAnswers:
    """Bring the answers of several workers to one; who answered twice counts once.

    Args:
        output: All answers.
        shown: The captions that the workers saw, by crop.
    """
    answers: dict[str, HumanAnswer] = {}
    for answer in output.answers:
        answers.setdefault(answer.worker_id, answer)
    return MergedAnswers(
        loop=output.loop,
        workers=tuple(answers),
        pictures=tuple(_merged(crop_id, caption, [*answers.values()]) for crop_id, caption in shown.items()),
    )


def proposals(merged: MergedAnswers, review: Review) -> list[Proposal]:
    """Return the decisions that answers come to. The same answers give the same, under the same ids."""
    initial = review.initial
    verdicts: dict[What, list[Change]] = {"keep": [], "drop": []}
    captions: list[Change] = []
    for one in merged.pictures:
        subject = picture(one.crop_id)
        verdict, caption = initial[subject, "verdict"], initial[subject, "caption"]
        if one.verdict not in {OPEN, verdict}:
            change = Change(subject=subject, field="verdict", before=verdict, after=one.verdict)
            verdicts["keep" if one.verdict == KEPT else "drop"].append(change)
        if one.caption is not None and one.caption != caption:
            captions.append(Change(subject=subject, field="caption", before=caption, after=one.caption))
    return [
        Proposal(_decision_id(merged.loop, what, start), merged.who, what, "a2i", tuple(part))
        for what, changes in (("caption", captions), *verdicts.items())
        for start in range(0, len(changes), MAX_CHANGES)
        if (part := changes[start : start + MAX_CHANGES])
    ]


@dataclass(frozen=True, slots=True)
class _Caption:
    text: str | None
    note: str


def _merged(crop_id: str, shown: str, answers: Sequence[HumanAnswer]) -> MergedPicture:
    verdicts = Counter(one.verdict(crop_id) for one in answers)
    kept, dropped = verdicts[KEPT], verdicts[DROPPED]
    if kept == dropped:
        note = f"{kept} keep it, {dropped} drop it" if kept else "nobody said whether to keep it"
        return MergedPicture(crop_id=crop_id, verdict="open", keep_votes=kept, drop_votes=dropped, note=note)
    if kept < dropped:
        return MergedPicture(crop_id=crop_id, verdict="dropped", keep_votes=kept, drop_votes=dropped)
    caption = _caption([one.caption(crop_id) for one in answers if one.verdict(crop_id) == KEPT], shown)
    return MergedPicture(
        crop_id=crop_id,
        verdict="kept",
        caption=caption.text,
        keep_votes=kept,
        drop_votes=dropped,
        note=caption.note,
    )


def _caption(written: Sequence[str], shown: str) -> _Caption:
    """Return what most of those who kept a picture wrote, where that is another caption than they were shown."""
    others = Counter(text for text in written if text and text != shown)
    if not others:
        return _Caption(None, "")
    (text, count), *_ = others.most_common(1)
    if 2 * count <= len(written):
        return _Caption(None, "no other caption has most workers behind it: it stays as it was")
    if problem := caption_problem(text):
        return _Caption(None, f"the workers' caption can't be used: {problem}")
    return _Caption(text, "")


def _decision_id(loop: str, what: str, start: int) -> str:
    return f"a2i-{hashlib.sha256(f'{loop}:{what}:{start}'.encode()).hexdigest()[:32]}"
