"""What is in one panel: where a detector sees something, and the embedding of each such part."""

import hashlib
from collections.abc import Sequence

from storycast import keys
from storycast.boxes import Box
from storycast.detections import merge_labels
from storycast.embeddings import encode
from storycast.errors import FrameRefusedError
from storycast.fingerprint import fingerprint
from storycast.grading import WHOLE, PanelLook, Part
from storycast.images import Picture, cut_rectangle, open_picture
from storycast.plan import RunPlan
from storycast.ports import Embedder, LabelDetector, ObjectStore
from storycast.stages.embedding import embed_picture
from storycast.stages.reading import read_own, write_record
from storycast.training import TrainingPlan

VERSION = 2
"""Raised when a panel would be looked at in another way, so that it is paid for anew."""
MAX_BOXES = 8
"""Of one panel; each costs an embedding. The largest are taken: a storyboard is about who fills it."""


def look_at_panel(
    plan: TrainingPlan, picture_key: str, store: ObjectStore, detector: LabelDetector, embedder: Embedder
) -> PanelLook:
    """Return what is in a panel, paid for once; after each paid call what is known is written down.

    Raises:
        KeyError: The picture is gone.
        PictureUnreadableError: It can't be read.
        ThrottledError: Try again later; so with ``DependencyUnavailableError``.
    """
    content = store.get(picture_key)
    picture = open_picture(content)
    settings = plan.settings
    labels = RunPlan(run_id=plan.run_id, project=plan.project, settings=settings, footage=()).labels
    mark = fingerprint(
        version=VERSION,
        content=hashlib.sha256(content).hexdigest(),
        embedding=embedder.model_id,
        min_confidence=settings.detection.min_confidence,
        labels=list(labels),
    )
    key = keys.panel_look(picture_key, mark)
    look = read_own(store, key, PanelLook, mark)
    if look is None:
        look = _detect(plan, picture_key, mark, labels, detector)
        write_record(store, key, look)
    while not look.complete:
        look = _with_next_part(look, picture, embedder)
        write_record(store, key, look)
    return look


def _detect(
    plan: TrainingPlan, picture_key: str, mark: str, labels: Sequence[str], detector: LabelDetector
) -> PanelLook:
    look = PanelLook(
        fingerprint=mark,
        paid_by=plan.session_id,
        boxes=(),
        parts=(),
        tried=0,
        paid_detections=0,
        paid_embeddings=0,
    )
    try:
        seen = detector.detect(picture_key, min_confidence=plan.settings.detection.min_confidence, only=labels)
    except FrameRefusedError as error:
        return look.model_copy(update={"refused": str(error)})
    boxes = sorted((one.box for one in merge_labels(seen.boxes)), key=lambda box: (-box.area, box))[:MAX_BOXES]
    return look.model_copy(
        update={"boxes": tuple((box.left, box.top, box.width, box.height) for box in boxes), "paid_detections": 1}
    )


def _with_next_part(look: PanelLook, picture: Picture, embedder: Embedder) -> PanelLook:
    box = Box(*look.boxes[look.tried - 1]) if look.tried else WHOLE
    look = look.model_copy(update={"tried": look.tried + 1})
    try:
        vector = embed_picture(cut_rectangle(picture, box), embedder)
    except (FrameRefusedError, ValueError) as error:
        return look.model_copy(update={"refused": str(error)})
    made = Part(left=box.left, top=box.top, width=box.width, height=box.height, embedding=encode(vector))
    return look.model_copy(update={"parts": (*look.parts, made), "paid_embeddings": look.paid_embeddings + 1})
