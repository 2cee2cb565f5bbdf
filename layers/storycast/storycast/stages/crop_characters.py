"""CropCharacters: cut the detections of one frame out and embed each crop."""

from typing import Any

from storycast import keys, names
from storycast.crops import Crop, FrameCrops
from storycast.cuts import plan_cut
from storycast.detections import Detection, FrameDetections
from storycast.embeddings import MAX_PICTURE_SIDE_PX, encode, unit
from storycast.errors import FrameRefusedError
from storycast.frames import KeptFrame
from storycast.images import Picture, PictureUnreadableError, cut_out, fitted, measure, open_picture, to_jpeg
from storycast.plan import RunPlan
from storycast.ports import Embedder, ObjectStore
from storycast.stages.reading import read_own, write_record


def crop_characters(plan: RunPlan, frame: KeptFrame, *, store: ObjectStore, embedder: Embedder) -> dict[str, Any]:
    """Crop and embed all detections of a frame; those that were paid before are taken as they are.

    Returns:
        How many crops the frame has.

    Raises:
        ThrottledError: Try again later; so with ``DependencyUnavailableError``. What was embedded until then
            is kept.
    """
    footage = plan.of(frame.footage_id)
    key = keys.crops(frame.footage_id, footage.crops, frame.frame_id)
    known = read_own(store, key, FrameCrops, footage.crops)
    if known is not None and known.complete:
        return {"frame_id": frame.frame_id, "crops": len(known.crops), "reused": True}
    found = FrameDetections.model_validate_json(
        store.get(keys.detections(frame.footage_id, footage.detections, frame.frame_id))
    )
    record = known or FrameCrops(frame_id=frame.frame_id, fingerprint=footage.crops, complete=False, crops=())
    done = {crop.crop_id for crop in record.crops} | {crop_id for crop_id, _ in record.refused}
    try:
        picture = open_picture(store.get(frame.key))
    except PictureUnreadableError as error:
        refused = tuple(
            (names.crop_id(frame.frame_id, number), f"the frame can't be read: {error}")
            for number in range(len(found.detections))
        )
        record = record.model_copy(update={"refused": refused, "complete": True})
        write_record(store, key, record)
        return {"frame_id": frame.frame_id, "crops": 0, "reused": False}
    for number, detection in enumerate(found.detections):
        crop_id = names.crop_id(frame.frame_id, number)
        if crop_id not in done:
            record = _with_crop(record, crop_id, detection, picture, plan, frame, store, embedder)
            write_record(store, key, record)
    record = record.model_copy(update={"complete": True})
    write_record(store, key, record)
    return {"frame_id": frame.frame_id, "crops": len(record.crops), "reused": False}


def _with_crop(
    record: FrameCrops,
    crop_id: str,
    detection: Detection,
    frame_picture: Picture,
    plan: RunPlan,
    frame: KeptFrame,
    store: ObjectStore,
    embedder: Embedder,
) -> FrameCrops:
    settings = plan.settings.crop
    cut = plan_cut(detection.box, frame_picture.width, frame_picture.height, padding=settings.padding)
    picture = cut_out(frame_picture, cut, most_px=settings.max_size)
    look, content = measure(picture), to_jpeg(picture)
    crop_key = keys.crop(frame.footage_id, record.fingerprint, crop_id)
    store.put(crop_key, content, "image/jpeg")
    try:
        shown = (
            content if max(picture.size) <= MAX_PICTURE_SIDE_PX else to_jpeg(fitted(picture, MAX_PICTURE_SIDE_PX))
        )
        embedding = encode(unit(embedder.embed(shown)))
    except (FrameRefusedError, ValueError) as error:
        return record.model_copy(update={"refused": (*record.refused, (crop_id, str(error)))})
    crop = Crop(
        crop_id=crop_id,
        key=crop_key,
        left=detection.left,
        top=detection.top,
        width=detection.width,
        height=detection.height,
        left_px=cut.left_px,
        top_px=cut.top_px,
        side_px=cut.side_px,
        confidence=detection.confidence,
        labels=detection.labels,
        sharpness=look.sharpness,
        light=look.light,
        contrast=look.contrast,
        embedding=embedding,
        paid_by=plan.run_id,
    )
    return record.model_copy(update={"crops": (*record.crops, crop)})
