"""Ask the project's face collection whose each face of a frame is."""

from storycast import keys, names
from storycast.boxes import Box
from storycast.cast import Cast
from storycast.cuts import Cut, plan_cut
from storycast.detections import FrameDetections
from storycast.errors import FrameRefusedError
from storycast.faces import (
    FACE_PADDING,
    LEAST_SIDE_PX,
    FaceBox,
    FaceCollections,
    FaceMatch,
    FaceSearch,
    FrameSearches,
    is_ours,
)
from storycast.fingerprint import fingerprint
from storycast.frames import KeptFrame
from storycast.images import Picture, cut_out, to_jpeg
from storycast.plan import RunPlan
from storycast.ports import ObjectStore
from storycast.stages.reading import read_own, write_record
from storycast.turns import Turns

VERSION = 1
MOST_SEARCHES = 20
"""Of one frame, the largest faces first: in a crowd the others are too small to be anybody's picture."""


def searches_mark(plan: RunPlan, footage_id: str, cast: Cast) -> str:
    """Return the fingerprint of a footage's searches; empty where there is no collection to search.

    It hangs on the collection's contents, so that the same footage in another project, or with other reference
    pictures, is searched anew.
    """
    if cast.faces is None:
        return ""
    detections = plan.of(footage_id).detections
    return fingerprint(version=VERSION, detections=detections, faces=cast.faces.fingerprint)


def is_searched(plan: RunPlan, frame: KeptFrame, cast: Cast, store: ObjectStore) -> bool:
    """Tell whether all faces of a frame were searched before, so that its picture is not needed."""
    return _complete(store, *_place(plan, frame, cast)) is not None


def search_faces(
    plan: RunPlan,
    frame: KeptFrame,
    found: FrameDetections,
    picture: Picture,
    cast: Cast,
    *,
    store: ObjectStore,
    turns: Turns,
    collections: FaceCollections,
) -> FrameSearches:
    """Search each face of a frame by itself, since the service looks at the largest face of a picture only.

    Searches that were paid before are taken as they are.

    Args:
        plan: The run's plan.
        frame: The frame.
        found: What was found in it.
        picture: Its picture.
        cast: The cast, which has a collection.
        store: The bucket.
        turns: Keep runs that come to the frame at once from paying for it twice.
        collections: The collections of faces.

    Raises:
        FaceCollectionMissingError: Somebody deleted the collection meanwhile.
        ThrottledError: Try again later; so with ``DependencyUnavailableError``. What was searched until then is
            kept.
    """
    key, mark = _place(plan, frame, cast)
    known = turns.known_or_mine(key, lambda: _complete(store, key, mark))
    if known is not None:
        return known
    record = read_own(store, key, FrameSearches, mark)
    record = record or FrameSearches(frame_id=frame.frame_id, fingerprint=mark, complete=False)
    done = {search.crop_id for search in record.searches}
    faces = [
        (names.crop_id(frame.frame_id, number), one.face)
        for number, one in enumerate(found.detections)
        if one.face is not None
    ]
    faces.sort(key=lambda one: (-one[1].box.area, one[0]))
    left = [(crop_id, face) for crop_id, face in faces[:MOST_SEARCHES] if crop_id not in done]
    for crop_id, face in left:
        search = _searched(crop_id, face, picture, plan, cast, collections)
        record = record.model_copy(update={"searches": (*record.searches, search)})
        # The last one is written with the whole.
        if crop_id != left[-1][0]:
            write_record(store, key, record)
    record = record.model_copy(update={"complete": True})
    write_record(store, key, record)
    return record


def _complete(store: ObjectStore, key: str, mark: str) -> FrameSearches | None:
    """Return a frame's searches where all of them are there."""
    known = read_own(store, key, FrameSearches, mark)
    return known if known is not None and known.complete else None


def _place(plan: RunPlan, frame: KeptFrame, cast: Cast) -> tuple[str, str]:
    """Return the key of a frame's searches, and their fingerprint."""
    mark = searches_mark(plan, frame.footage_id, cast)
    return keys.face_searches(frame.footage_id, mark, frame.frame_id), mark


def _searched(
    crop_id: str, face: FaceBox, picture: Picture, plan: RunPlan, cast: Cast, collections: FaceCollections
) -> FaceSearch:
    assert cast.faces is not None  # noqa: S101 - whoever searches has a collection
    cut = plan_cut(face.box, *picture.size, padding=FACE_PADDING, least_side_px=LEAST_SIDE_PX)
    content = to_jpeg(cut_out(picture, cut, least_px=LEAST_SIDE_PX))
    known = cast.face_owners()
    result = FaceSearch(crop_id=crop_id, matches=(), paid_by=plan.run_id)
    try:
        answer = collections.search(cast.faces.collection_id, content, most=len(known))
    except FrameRefusedError as error:
        return result.model_copy(update={"paid_by": "", "reason": str(error)})
    if answer.searched is None:
        # AWS charges nothing for a request that it refuses, and this is how it says that it sees no face.
        return result.model_copy(update={"paid_by": "", "reason": "no face is seen in the crop"})
    if not is_ours(answer.searched, _inside(face.box, cut, picture)):
        return result.model_copy(update={"reason": "a neighbour's face is larger in the crop"})
    return result.model_copy(
        update={
            "matches": tuple(
                FaceMatch(content=external_id, similarity=round(similarity, 2))
                for external_id, similarity in sorted(
                    answer.similarities.items(), key=lambda one: (-one[1], one[0])
                )
                if external_id in known
            )
        }
    )


def _inside(face: Box, cut: Cut, picture: Picture) -> Box:
    """Return a face's box in shares of a cut of its picture."""
    width_px, height_px = picture.size
    return Box(
        (face.left * width_px - cut.left_px) / cut.side_px,
        (face.top * height_px - cut.top_px) / cut.side_px,
        face.width * width_px / cut.side_px,
        face.height * height_px / cut.side_px,
    ).clipped()
