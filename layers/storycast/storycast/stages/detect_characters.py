"""DetectCharacters: find what may be a character in one frame, by each method that the project asks for."""

from collections.abc import Callable
from functools import partial
from typing import Any

from storycast import keys
from storycast.custom_labels import CustomLabelDetector
from storycast.detections import FoundFaces, FoundLabels, FrameDetections, found_label, merge_labels, with_faces
from storycast.errors import FrameRefusedError
from storycast.faces import FaceDetector
from storycast.frames import KeptFrame
from storycast.plan import RunPlan
from storycast.ports import LabelDetector, Labels, ObjectStore
from storycast.stages.reading import read_own, write_record
from storycast.turns import Turns


def detect_characters(
    plan: RunPlan,
    frame: KeptFrame,
    *,
    store: ObjectStore,
    turns: Turns,
    detector: LabelDetector,
    faces: FaceDetector | None = None,
    custom_labels: CustomLabelDetector | None = None,
) -> dict[str, Any]:
    """Detect in one frame; each call that was paid before is taken as it is.

    Args:
        plan: The run's plan.
        frame: The frame.
        store: The bucket.
        turns: Keep runs that come to the frame at once from paying for it twice.
        detector: Finds general labels.
        faces: Finds faces, where they are asked for.
        custom_labels: Finds the labels of a Custom Labels model, where they are asked for.

    Returns:
        How many detections there are, and whether the result was there already.

    Raises:
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
    """
    footage = plan.of(frame.footage_id)
    key = keys.detections(frame.footage_id, footage.detections, frame.frame_id)
    known = read_own(store, key, FrameDetections, footage.detections)
    reused = known is not None
    if known is None:
        known = _detect(plan, frame, store, turns, detector, faces, custom_labels)
        write_record(store, key, known)
    return {"frame_id": frame.frame_id, "detections": len(known.detections), "reused": reused}


def _detect(
    plan: RunPlan,
    frame: KeptFrame,
    store: ObjectStore,
    turns: Turns,
    detector: LabelDetector,
    faces: FaceDetector | None,
    custom_labels: CustomLabelDetector | None,
) -> FrameDetections:
    footage, detection = plan.of(frame.footage_id), plan.settings.detection
    labels = custom = found = None
    if footage.labels:
        seek = partial(detector.detect, frame.key, min_confidence=detection.min_confidence, only=plan.labels)
        labels = _found_labels(plan, frame, footage.labels, store, turns, seek)
    if footage.custom_labels and custom_labels is not None:
        look = partial(custom_labels.detect, frame.key, min_confidence=detection.thresholds.custom_labels)
        custom = _found_labels(plan, frame, footage.custom_labels, store, turns, look)
    if footage.faces and faces is not None:
        found = _found_faces(plan, frame, store, turns, faces)
    boxes = [*(labels.boxes("labels") if labels else ()), *(custom.boxes("custom_labels") if custom else ())]
    return FrameDetections(
        frame_id=frame.frame_id,
        fingerprint=footage.detections,
        paid_by=labels.paid_by if labels else "",
        model_version=labels.model_version if labels else "",
        detections=with_faces(merge_labels(boxes), found.faces if found else ()),
        refused=next((part.refused for part in (labels, custom, found) if part and part.refused), ""),
        faces_paid_by=found.paid_by if found else "",
    )


def _found_labels(
    plan: RunPlan, frame: KeptFrame, mark: str, store: ObjectStore, turns: Turns, detect: Callable[[], Labels]
) -> FoundLabels:
    key = keys.found_labels(frame.footage_id, mark, frame.frame_id)
    known = turns.known_or_mine(key, lambda: read_own(store, key, FoundLabels, mark))
    if known is not None:
        return known
    result = FoundLabels(
        frame_id=frame.frame_id, fingerprint=mark, paid_by=plan.run_id, model_version="", labels=()
    )
    try:
        answer = detect()
        labels = tuple(found_label(one) for one in answer.boxes)
        result = result.model_copy(update={"labels": labels, "model_version": answer.model_version})
    except FrameRefusedError as error:
        result = result.model_copy(update={"refused": str(error), "paid_by": ""})
    write_record(store, key, result)
    return result


def _found_faces(
    plan: RunPlan, frame: KeptFrame, store: ObjectStore, turns: Turns, detector: FaceDetector
) -> FoundFaces:
    mark = plan.of(frame.footage_id).faces
    key = keys.found_faces(frame.footage_id, mark, frame.frame_id)
    known = turns.known_or_mine(key, lambda: read_own(store, key, FoundFaces, mark))
    if known is not None:
        return known
    result = FoundFaces(frame_id=frame.frame_id, fingerprint=mark, paid_by=plan.run_id, faces=())
    try:
        result = result.model_copy(update={"faces": tuple(detector.faces(frame.key))})
    except FrameRefusedError as error:
        result = result.model_copy(update={"refused": str(error), "paid_by": ""})
    write_record(store, key, result)
    return result
