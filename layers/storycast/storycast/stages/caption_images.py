"""CaptionImages: caption one curated picture, unless that was paid before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storycast import keys
from storycast.caption_answers import Reading, better, read
from storycast.caption_prompt import Prompt, repair_request, write_prompt
from storycast.caption_template import MAX_TOKENS
from storycast.captions import (
    Caption,
    CaptionAnswer,
    answer_fingerprint,
    caption_fingerprint,
    question_of,
)
from storycast.cast import Cast
from storycast.curation import CuratedImage
from storycast.errors import FrameRefusedError
from storycast.images import to_png
from storycast.plan import RunPlan
from storycast.ports import Captioner, ObjectStore
from storycast.runs import ModelUsed
from storycast.stages.reading import read_own, write_record
from storycast.stages.training_picture import training_picture
from storycast.turns import Turns


def caption_images(
    plan: RunPlan,
    cast: Cast,
    image: CuratedImage,
    *,
    model: ModelUsed,
    store: ObjectStore,
    turns: Turns,
    captioner: Captioner,
) -> dict[str, Any]:
    """Caption the very picture that training will see.

    An answer with a fault is answered once with what is wrong. Each answer is written as soon as it is there, so
    that whatever happens then, it is not paid again.

    Args:
        plan: The run's plan.
        cast: The run's cast.
        image: The picture.
        model: Who answers as the project's caption model.
        store: The bucket.
        turns: Keep runs that come to the picture at once from paying for it twice.
        captioner: Asks that model.

    Returns:
        The crop's id, whether it has a caption, and whether the record was there already.

    Raises:
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
        ModelNotAvailableError: The model is gone.
    """
    prompt = prompt_of(plan, cast, image)
    key, mark = caption_key(plan, cast, image, prompt, model)
    record = read_own(store, key, Caption, mark)
    reused = record is not None
    if record is None:
        record = _caption(_Conversation(plan, image, prompt, model, store, turns, captioner), cast, mark)
        write_record(store, key, record)
    write_record(store, keys.run_file(plan.run_id, f"captions/{image.crop_id}.json"), record)
    return {"crop_id": image.crop_id, "captioned": not record.refused, "reused": reused}


def prompt_of(plan: RunPlan, cast: Cast, image: CuratedImage) -> Prompt:
    """Return what a run asks of a picture."""
    return write_prompt(image, cast, plan.settings.captions.words, plan.caption_prompt)


def caption_key(
    plan: RunPlan, cast: Cast, image: CuratedImage, prompt: Prompt, model: ModelUsed
) -> tuple[str, str]:
    """Return the key of a picture's caption, shared by all runs that ask for the same one, and its fingerprint."""
    frames = plan.of(image.footage_id).frames
    answer = answer_fingerprint(image, prompt.system, [prompt.user], model, frames)
    mark = caption_fingerprint(answer, image, cast)
    return keys.caption(image.footage_id, mark, image.crop_id), mark


def _caption(conversation: "_Conversation", cast: Cast, mark: str) -> Caption:
    plan, image = conversation.plan, conversation.image
    question = question_of(image, cast, plan.settings.captions.words, conversation.prompt)
    answers: list[CaptionAnswer] = []
    kept, refusal = Reading("", ()), ""
    try:
        first = conversation.first()
        kept = read(first.text, first.stop_reason, question)
        answers.append(_judged(first, kept))
        if kept.faults:
            second = conversation.second(first, kept)
            reading = read(second.text, second.stop_reason, question)
            answers.append(_judged(second, reading))
            kept = better(kept, reading)
    except FrameRefusedError as error:
        refusal = str(error)
    return Caption(
        crop_id=image.crop_id,
        fingerprint=mark,
        model_id=plan.settings.captions.model,
        caption=kept.caption,
        refused="" if kept.caption else _why_none(answers, refusal),
        flags=tuple(fault.said for fault in kept.faults) if kept.caption else (),
        answers=tuple(answers),
    )


def _judged(answer: CaptionAnswer, reading: Reading) -> CaptionAnswer:
    return answer.model_copy(update={"faults": tuple(fault.said for fault in reading.faults)})


def _why_none(answers: Sequence[CaptionAnswer], refusal: str) -> str:
    """Return why a picture has no caption; ``refusal`` is the service's word where it did not take the request."""
    if not answers:
        return refusal
    faults = "; then ".join(dict.fromkeys(fault for answer in answers for fault in answer.faults))
    if refusal:
        return f"{faults}; a second answer was refused: {refusal}"
    return f"no caption that can be used in two answers: {faults}"


@dataclass(frozen=True, slots=True)
class _Conversation:
    """Two answers at most about one picture, each paid once."""

    plan: RunPlan
    image: CuratedImage
    prompt: Prompt
    model: ModelUsed
    store: ObjectStore
    turns: Turns
    captioner: Captioner

    def first(self) -> CaptionAnswer:
        return self._answer(1, (self.prompt.user,))

    def second(self, first: CaptionAnswer, reading: Reading) -> CaptionAnswer:
        request = repair_request(tuple(fault.said for fault in reading.faults))
        # The service refuses a turn without text: then the prompt is asked again, with the request behind it.
        if not first.text.strip():
            return self._answer(2, (f"{self.prompt.user}\n\n{request}",))
        return self._answer(2, (self.prompt.user, first.text, request))

    def _answer(self, number: int, turns: tuple[str, ...]) -> CaptionAnswer:
        image = self.image
        frames = self.plan.of(image.footage_id).frames
        mark = answer_fingerprint(image, self.prompt.system, turns, self.model, frames)
        key = keys.caption_answer(image.footage_id, mark, image.crop_id, number)
        known = self.turns.known_or_mine(key, lambda: read_own(self.store, key, CaptionAnswer, mark))
        if known is not None:
            return known
        picture = to_png(training_picture(self.plan, image, store=self.store))
        said = self.captioner.answer(self.prompt.system, turns, picture, max_tokens=MAX_TOKENS)
        answer = CaptionAnswer(
            crop_id=image.crop_id,
            fingerprint=mark,
            paid_by=self.plan.run_id,
            asked=turns[-1],
            # Half an emoji could not be stored, and the answer would be paid again.
            text=said.text.encode(errors="replace").decode(),
            stop_reason=said.stop_reason,
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            notes=dict(said.notes),
        )
        write_record(self.store, key, answer)
        return answer
