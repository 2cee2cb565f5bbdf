"""CaptionImages: caption one curated picture, unless that was paid before."""

from typing import Any

from storycast import keys
from storycast.captions import (
    MAX_TOKENS,
    Caption,
    CaptionRefusedError,
    Prompt,
    caption_fingerprint,
    flag,
    read_answer,
    write_prompt,
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


def caption_images(
    plan: RunPlan,
    cast: Cast,
    image: CuratedImage,
    *,
    model: ModelUsed,
    store: ObjectStore,
    captioner: Captioner,
) -> dict[str, Any]:
    """Caption the very picture that training will see.

    Args:
        plan: The run's plan.
        cast: The run's cast.
        image: The picture.
        model: Who answers as the project's caption model.
        store: The bucket.
        captioner: Asks that model.

    Returns:
        The crop's id, whether it has a caption, and whether the record was there already.

    Raises:
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
        ModelNotAvailableError: The model is gone.
    """
    prompt = write_prompt(image, cast, plan.settings.captions.words)
    mark = caption_fingerprint(image, prompt, model, plan.of(image.footage_id).frames)
    key = keys.caption(image.footage_id, mark, image.crop_id)
    record = read_own(store, key, Caption, mark)
    reused = record is not None
    if record is None:
        record = _ask(plan, image, prompt, mark, store, captioner)
        write_record(store, key, record)
    write_record(store, keys.run_file(plan.run_id, f"captions/{image.crop_id}.json"), record)
    return {"crop_id": image.crop_id, "captioned": not record.refused, "reused": reused}


def _ask(
    plan: RunPlan, image: CuratedImage, prompt: Prompt, mark: str, store: ObjectStore, captioner: Captioner
) -> Caption:
    picture = training_picture(plan, image, store=store)
    record = Caption(
        crop_id=image.crop_id,
        fingerprint=mark,
        model_id=plan.settings.captions.model,
        paid_by=plan.run_id,
        caption="",
        refused="",
        answer="",
        flags=(),
        input_tokens=0,
        output_tokens=0,
        notes={},
    )
    try:
        answer = captioner.answer(prompt.system, prompt.user, to_png(picture), max_tokens=MAX_TOKENS)
    except FrameRefusedError as error:
        return record.model_copy(update={"refused": str(error), "paid_by": ""})
    record = record.model_copy(
        update={
            "answer": answer.text,
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            "notes": dict(answer.notes),
        }
    )
    try:
        caption = read_answer(answer.text, answer.stop_reason)
    except CaptionRefusedError as error:
        return record.model_copy(update={"refused": str(error)})
    flags = flag(caption, image.in_picture, plan.settings.captions.words)
    return record.model_copy(update={"caption": caption, "flags": flags})
