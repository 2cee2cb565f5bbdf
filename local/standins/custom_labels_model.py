"""The model of a Custom Labels version: boxes by the detectors, labels by the likest training box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from local.standins.boxes import Box, without_overlaps
from local.standins.embedder import WIDTH, embed_picture
from local.standins.faces import find_faces
from local.standins.nanodet import find_objects
from local.standins.rekognition_world import Version, unpack
from local.standins.saliency import saliency_map, salient_boxes

#: No threshold is lower: drawn characters that have nothing to do with each other reach it.
LEAST_THRESHOLD = 0.5
OVERLAP_LIMIT = 0.5
#: Share of a box that lies in another one of its label, from which both are one thing.
NESTED = 0.8
#: Boxes of one picture that are looked at, the largest first.
MOST_BOXES = 24
#: A box that covers less of the picture shows nothing that a vector tells apart.
MIN_AREA = 0.003


@dataclass(frozen=True, slots=True)
class LabelModel:
    """Vectors of training boxes, their labels (empty: nothing annotated), and each label's threshold (0..1)."""

    vectors: NDArray[np.float32]
    labels: tuple[str, ...]
    thresholds: dict[str, float]


def read_model(version: Version) -> LabelModel:
    """The model of a version that was trained."""
    vectors = np.stack([unpack(example.vector) for example in version.examples])
    return LabelModel(vectors, tuple(example.label for example in version.examples), version.thresholds)


def find_labels(rgb: NDArray[np.uint8], model: LabelModel, least: float | None) -> list[Box]:
    """Find a model's labels in a picture.

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.
        model: The model.
        least: The cosine from which a label is told; None for each label's own threshold.

    Returns:
        Boxes whose ``name`` is the label and whose score is the cosine with the likest training box, best first.
    """
    found = []
    for box in candidates(rgb):
        cosines = model.vectors @ np.asarray(box_vector(rgb, box), dtype=np.float32)
        likest = int(np.argmax(cosines))
        label, score = model.labels[likest], float(np.clip(cosines[likest], 0.0, 1.0))
        if label and score >= (model.thresholds[label] if least is None else least):
            found.append(Box(box.left, box.top, box.right, box.bottom, score=score, name=label))
    return _one_for_each(without_overlaps(found, OVERLAP_LIMIT))


def _one_for_each(boxes: list[Box]) -> list[Box]:
    """Leave out boxes in, or round, a better one of their label: a face in a body is no second character."""
    kept: list[Box] = []
    for box in boxes:
        if not any(
            other.name == box.name and max(share_inside(box, other), share_inside(other, box)) >= NESTED
            for other in kept
        ):
            kept.append(box)
    return kept


def share_inside(box: Box, other: Box) -> float:
    """The share of a box that lies in another one, 0..1."""
    return box.shared_area(other) / box.area


def candidates(rgb: NDArray[np.uint8]) -> list[Box]:
    """Boxes in which something may be: objects, faces and what stands out; each place once."""
    boxes = [*find_objects(rgb), *salient_boxes(saliency_map(rgb)), *(face.box for face in find_faces(rgb))]
    nameless = [Box(box.left, box.top, box.right, box.bottom, score=box.score) for box in boxes]
    large = [box for box in without_overlaps(nameless, 0.8) if box.area >= MIN_AREA]
    return sorted(large, key=lambda box: -box.area)[:MOST_BOXES]


def box_vector(rgb: NDArray[np.uint8], box: Box) -> list[float]:
    """Embed what is in a box."""
    height, width = rgb.shape[:2]
    left, top = int(box.left * width), int(box.top * height)
    right, bottom = max(round(box.right * width), left + 1), max(round(box.bottom * height), top + 1)
    return embed_picture(np.ascontiguousarray(rgb[top:bottom, left:right]), WIDTH)


def choose_thresholds(vectors: NDArray[np.float32], labels: Sequence[str]) -> tuple[dict[str, float], float]:
    """Choose each label's threshold so that it tells its training boxes best from all others.

    Each box is judged by the other ones: by its likest box of the label, itself left out.

    Args:
        vectors: Of the training boxes, length 1 each.
        labels: Theirs; empty where nothing is annotated.

    Returns:
        The threshold of each label, and the mean over labels of the F1 score that it reaches, 0..1.
    """
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1.0)
    names = np.array(labels)
    thresholds, scores = {}, []
    for label in sorted(set(labels) - {""}):
        own = names == label
        if own.sum() < 2:
            thresholds[label] = LEAST_THRESHOLD
            scores.append(0.0)
            continue
        likeness = cosines[:, own].max(axis=1)
        values = np.unique(np.concatenate([likeness, [LEAST_THRESHOLD]]))
        tries = np.unique(np.concatenate([[LEAST_THRESHOLD], (values[:-1] + values[1:]) / 2]))
        rated = [(_f1(likeness >= value, own), float(value)) for value in tries if value >= LEAST_THRESHOLD]
        best = max(rated)[0]
        # Of those that are as good the middle one, which leaves room on both sides.
        good = [value for score, value in rated if score == best]
        thresholds[label] = good[len(good) // 2]
        scores.append(best)
    return thresholds, float(np.mean(scores)) if scores else 0.0


def _f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    hits = float((said & true).sum())
    return 2 * hits / float(said.sum() + true.sum()) if hits else 0.0
