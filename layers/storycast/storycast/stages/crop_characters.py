"""CropCharacters: cut the detections of one frame out and embed each crop."""

from typing import Any

from storycast import keys, names
from storycast.cast import Cast
from storycast.crops import Crop, FrameCrops
from storycast.cuts import plan_cut
from storycast.detections import Detection, FrameDetections
from storycast.embeddings import encode
from storycast.errors import FrameRefusedError
from storycast.faces import FaceCollections
from storycast.frames import KeptFrame
from storycast.images import (
    Picture,
    PictureUnreadableError,
    cut_out,
    cut_rectangle,
    measure,
    open_picture,
    sharpness,
    to_jpeg,
)
from storycast.plan import RunPlan
from storycast.ports import Embedder, ObjectStore
from storycast.stages.embedding import embed_picture, encoded_colours
from storycast.stages.reading import read_own, write_record
from storycast.stages.search_faces import is_searched, search_faces
from storycast.turns import Turns


def crop_characters(
    plan: RunPlan,
    frame: KeptFrame,
    *,
    store: ObjectStore,
    turns: Turns,
    embedder: Embedder,
    cast: Cast | None = None,
    collections: FaceCollections | None = None,
) -> dict[str, Any]:
    """Crop and embed all detections of a frame, and search their faces; what was paid before is taken as it is.

    Args:
        plan: The run's plan.
        frame: The frame.
        store: The bucket.
        turns: Keep runs that come to the frame at once from paying for it twice.
        embedder: Embeds pictures.
        cast: The cast, where faces are searched.
        collections: The collections of faces, where they are searched.

    Returns:
        How many crops the frame has.

    Raises:
        FaceCollectionMissingError: Somebody deleted the collection meanwhile.
        ThrottledError: Try again later; so with ``DependencyUnavailableError``. What was embedded and searched
            until then is kept.
    """
    footage = plan.of(frame.footage_id)
    key = keys.crops(frame.footage_id, footage.crops, frame.frame_id)
    known = turns.known_or_mine(key, lambda: _complete(store, key, footage.crops))
    searched = cast if cast is not None and cast.faces is not None and collections is not None else None
    if known is not None and (searched is None or is_searched(plan, frame, searched, store)):
        return {"frame_id": frame.frame_id, "crops": len(known.crops), "reused": True}
    found = FrameDetections.model_validate_json(
        store.get(keys.detections(frame.footage_id, footage.detections, frame.frame_id))
    )
    try:
        picture = open_picture(store.get(frame.key))
    except PictureUnreadableError as error:
        refused = tuple(
            (names.crop_id(frame.frame_id, number), f"the frame can't be read: {error}")
            for number in range(len(found.detections))
        )
        record = FrameCrops(
            frame_id=frame.frame_id, fingerprint=footage.crops, complete=True, crops=(), refused=refused
        )
        write_record(store, key, record)
        return {"frame_id": frame.frame_id, "crops": 0, "reused": False}
    record = known or _cropped(key, found, picture, plan, frame, store, embedder)
    if searched is not None and collections is not None:
        search_faces(plan, frame, found, picture, searched, store=store, turns=turns, collections=collections)
    return {"frame_id": frame.frame_id, "crops": len(record.crops), "reused": known is not None}


def _complete(store: ObjectStore, key: str, mark: str) -> FrameCrops | None:
    """Return a frame's crops where all of them are there."""
    known = read_own(store, key, FrameCrops, mark)
    return known if known is not None and known.complete else None


def _cropped(
    key: str,
    found: FrameDetections,
    picture: Picture,
    plan: RunPlan,
    frame: KeptFrame,
    store: ObjectStore,
    embedder: Embedder,
) -> FrameCrops:
    mark = plan.of(frame.footage_id).crops
    # What was cropped before an attempt ended is kept; it is read now, when nobody else is at work on it.
    record = read_own(store, key, FrameCrops, mark)
    record = record or FrameCrops(frame_id=frame.frame_id, fingerprint=mark, complete=False, crops=())
    done = {crop.crop_id for crop in record.crops} | {crop_id for crop_id, _ in record.refused}
    numbered = ((names.crop_id(frame.frame_id, number), one) for number, one in enumerate(found.detections))
    left = [(crop_id, detection) for crop_id, detection in numbered if crop_id not in done]
    for crop_id, detection in left:
        record = _with_crop(record, crop_id, detection, picture, plan, frame, store, embedder)
        # The last one is written with the whole.
        if crop_id != left[-1][0]:
            write_record(store, key, record)
    record = record.model_copy(update={"complete": True})
    write_record(store, key, record)
    return record


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
    # The square is for the eye; what names the character is its box alone, with nothing of others round it.
    box = cut_rectangle(frame_picture, detection.box)
    try:
        embedding = encode(embed_picture(box, embedder))
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
        sharpness=sharpness(box),
        light=look.light,
        contrast=look.contrast,
        embedding=embedding,
        colours=encoded_colours(box),
        paid_by=plan.run_id,
    )
    return record.model_copy(update={"crops": (*record.crops, crop)})
