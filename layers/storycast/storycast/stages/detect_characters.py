"""DetectCharacters: find what may be a character in one frame."""

from typing import Any

from storycast import keys
from storycast.detections import FrameDetections, merge_labels
from storycast.errors import FrameRefusedError
from storycast.frames import KeptFrame
from storycast.plan import RunPlan
from storycast.ports import LabelDetector, ObjectStore
from storycast.stages.reading import read_own, write_record


def detect_characters(
    plan: RunPlan, frame: KeptFrame, *, store: ObjectStore, detector: LabelDetector
) -> dict[str, Any]:
    """Detect in one frame, unless that was paid before.

    Returns:
        How many detections there are, and whether the result was there already.

    Raises:
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
    """
    mark = plan.of(frame.footage_id).detections
    key = keys.detections(frame.footage_id, mark, frame.frame_id)
    known = read_own(store, key, FrameDetections, mark)
    reused = known is not None
    if known is None:
        known = _detect(plan, frame, mark, detector)
        write_record(store, key, known)
    return {"frame_id": frame.frame_id, "detections": len(known.detections), "reused": reused}


def _detect(plan: RunPlan, frame: KeptFrame, mark: str, detector: LabelDetector) -> FrameDetections:
    result = FrameDetections(
        frame_id=frame.frame_id, fingerprint=mark, paid_by=plan.run_id, model_version="", detections=()
    )
    try:
        labels = detector.detect(
            frame.key, min_confidence=plan.settings.detection.min_confidence, only=plan.labels
        )
    except FrameRefusedError as error:
        return result.model_copy(update={"refused": str(error), "paid_by": ""})
    return result.model_copy(
        update={"detections": merge_labels(labels.boxes), "model_version": labels.model_version}
    )
