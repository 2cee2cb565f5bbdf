"""Detections: the things in a frame that may be characters."""

from collections.abc import Sequence
from dataclasses import replace

from storycast.boxes import Box, group_same, percent
from storycast.faces import MIN_FACE_SHARE, FaceBox, head_and_shoulders, owners
from storycast.footage import Record
from storycast.ports import LabelledBox
from storycast.votes import Method

MIN_SIDE_SHARE = 0.06
"""A box lower than this share of the frame's height shows nothing that an embedding could tell apart."""
MAX_AREA_SHARE = 0.95
"""A box over nearly the whole frame is the scene, not someone in it."""


MOST_INSTANCES = 400
"""Of labels in one frame: the most confident ones of a crowd, each of which is compared with all others."""


class LabelVote(Record):
    """A label's claim to a box; confidence 0..100. ``method`` is the model that the label is of."""

    label: str
    confidence: float
    method: Method = "labels"


class Detection(Record):
    """A box with the labels that were given to it, the most confident first."""

    left: float
    top: float
    width: float
    height: float
    confidence: float
    labels: tuple[LabelVote, ...]
    face: FaceBox | None = None
    """Its face, where one was looked for and seen."""

    @property
    def box(self) -> Box:
        """The box, in shares of the frame."""
        return Box(self.left, self.top, self.width, self.height)


class FoundLabel(Record):
    """One instance of a label, as it was paid for; see :class:`~storycast.ports.LabelledBox`."""

    left: float
    top: float
    width: float
    height: float
    label: str
    confidence: float


class FoundLabels(Record):
    """The labels of one frame, general or custom ones: the result object of one paid call."""

    frame_id: str
    fingerprint: str
    paid_by: str
    """Empty where the service refused the picture, and charged nothing."""
    model_version: str
    labels: tuple[FoundLabel, ...]
    refused: str = ""

    def boxes(self, method: Method) -> list[LabelledBox]:
        """Return them as boxes of a method."""
        return [
            LabelledBox(Box(one.left, one.top, one.width, one.height), one.label, one.confidence, method)
            for one in self.labels
        ]


class FoundFaces(Record):
    """The faces of one frame: the result object of one paid call."""

    frame_id: str
    fingerprint: str
    paid_by: str
    faces: tuple[FaceBox, ...]
    refused: str = ""


class FrameDetections(Record):
    """What was found in one frame; the result object of ``DetectCharacters``, made of those of its paid calls."""

    frame_id: str
    fingerprint: str
    paid_by: str
    """The run that paid for the labels; empty where none were paid for. Likewise ``faces_paid_by``."""
    model_version: str
    detections: tuple[Detection, ...]
    refused: str = ""
    faces_paid_by: str = ""


def found_label(box: LabelledBox) -> FoundLabel:
    """Return an instance of a label as it is kept."""
    return FoundLabel(
        left=box.box.left,
        top=box.box.top,
        width=box.box.width,
        height=box.box.height,
        label=box.label,
        confidence=percent(box.confidence),
    )


def merge_labels(boxes: Sequence[LabelledBox]) -> tuple[Detection, ...]:
    """Return one detection per thing.

    Detectors give one thing several labels (Animal, Mammal, Rabbit), each with a box of its own. Boxes that
    report the same thing become one, the most confident one's; all labels stay as votes. Boxes that are too
    small to tell anyone apart, or that cover the whole scene, are left out.

    Args:
        boxes: Instances of labels, in any order.

    Returns:
        Detections from left to right, then from top to bottom.
    """
    usable = [
        replace(box, box=box.box.clipped())
        for box in boxes
        if min(box.box.clipped().width, box.box.clipped().height) >= MIN_SIDE_SHARE
        and box.box.clipped().area <= MAX_AREA_SHARE
    ]
    ordered = sorted(usable, key=lambda box: (-box.confidence, box.label, box.box))
    detections = []
    for group in group_same([box.box for box in ordered[:MOST_INSTANCES]]):
        first = ordered[group[0]]
        votes = {
            (ordered[index].label, ordered[index].method): ordered[index].confidence for index in reversed(group)
        }
        ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
        detections.append(
            Detection(
                left=round(first.box.left, 5),
                top=round(first.box.top, 5),
                width=round(first.box.width, 5),
                height=round(first.box.height, 5),
                confidence=round(first.confidence, 2),
                labels=tuple(
                    LabelVote(label=label, confidence=round(value, 2), method=method)
                    for (label, method), value in ranked
                ),
            )
        )
    return tuple(sorted(detections, key=lambda detection: detection.box))


def with_faces(detections: Sequence[Detection], faces: Sequence[FaceBox]) -> tuple[Detection, ...]:
    """Give each detection its face; a face that none of them can claim is a detection of its own.

    Faces too small to be told apart are left out. A box round several faces, as of people who touch, gets none of
    them: each is a detection then, of head and shoulders.

    Returns:
        Detections from left to right, then from top to bottom.
    """
    usable = [face for face in faces if face.height >= MIN_FACE_SHARE]
    owned = owners([one.box for one in detections], usable)
    claimed = list(detections)
    for index, number in owned.items():
        claimed[number] = claimed[number].model_copy(update={"face": usable[index]})
    for index, face in enumerate(usable):
        if index not in owned:
            box = head_and_shoulders(face.box)
            claimed.append(
                Detection(
                    left=round(box.left, 5),
                    top=round(box.top, 5),
                    width=round(box.width, 5),
                    height=round(box.height, 5),
                    confidence=face.confidence,
                    labels=(),
                    face=face,
                )
            )
    return tuple(sorted(claimed, key=lambda detection: detection.box))
