"""Grading: who is in a panel, by comparing it with pictures that the model was not trained on. Needs NumPy."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from storycast.boxes import Box, overlap_area
from storycast.embeddings import Vectors, decode, stack
from storycast.footage import Record
from storycast.naming import LEAST_MARGIN
from storycast.storyboard import DrawnBy

WHOLE = Box(0.0, 0.0, 1.0, 1.0)
"""The box of a picture as a whole."""
SAME_PLACE_SHARE = 0.5
"""Share of the smaller of two boxes that lies in the other one, from which both are taken for one character."""

Source = Literal["held-out and reference pictures", "held-out pictures", "reference pictures"]
Verdict = Literal["right", "wrong", "missing", "copy", "not graded"]


class Part(Record):
    """A part of a panel, or all of it, with its embedding (base64, see :mod:`storycast.embeddings`)."""

    left: float
    top: float
    width: float
    height: float
    embedding: str

    @property
    def box(self) -> Box:
        """Where it is, in shares of the panel."""
        return Box(self.left, self.top, self.width, self.height)


class PanelLook(Record):
    """What was found in one panel: paid for once, whoever it is compared with later."""

    fingerprint: str
    paid_by: str
    """The session that paid for what is in here."""
    boxes: tuple[tuple[float, float, float, float], ...]
    """Where the detector saw something: left, top, width, height, in shares of the panel."""
    parts: tuple[Part, ...]
    """The whole panel first, then the boxes, as far as they have an embedding."""
    tried: int
    """Of the whole panel and its boxes, how many have been embedded or refused."""
    paid_detections: int
    paid_embeddings: int
    refused: str = ""
    """Why something of it could not be looked at; empty where all could."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be embedded."""
        return self.tried > len(self.boxes)


class Found(Record):
    """A character in a panel: how like its references, 0..1, and where, in shares of the panel."""

    character: str
    cosine: float
    left: float
    top: float
    width: float
    height: float


class Nearest(Record):
    """The picture of the training that a panel, or a part of it, is most like, by embedding."""

    crop_id: str
    cosine: float


class Copy(Record):
    """The picture of the training that a panel repeats, all of it or a cut, by its pixels."""

    crop_id: str
    correlation: float


class Grade(Record):
    """How good one picture of a panel is."""

    picture_key: str
    """The run's own copy."""
    drawn_by: DrawnBy
    prompt: int
    """Place of the prompt in the storyboard, from 0."""
    expected: tuple[str, ...]
    """Characters that the prompt names."""
    found: tuple[Found, ...]
    missing: tuple[str, ...]
    others: tuple[str, ...]
    """Characters that were found and not asked for."""
    nearest: Nearest | None
    copy_of: Copy | None
    against: Mapping[str, Source]
    """What each character of the cast was compared with."""
    verdict: Verdict
    reason: str
    """In words; of what was not graded, why."""


class Grades(Record):
    """The grades of a session's panels; ``grades.json``."""

    run_id: str
    training_id: str
    session_id: str
    embedding_model: str
    known_cosine: float
    """Likeness from which a character is taken for one of the cast."""
    known_cosine_measured: bool
    """Whether anybody measured it for this model, or it is a first guess."""
    copy_correlation: float
    """Correlation from which a panel is a copy of a training picture; see :mod:`storycast.copies`."""
    references: Mapping[str, int]
    """Pictures that each character was compared with."""
    training_pictures: int
    grades: tuple[Grade, ...]
    paid_detections: int
    """What this session paid for; a panel that an earlier one has looked at costs nothing."""
    paid_embeddings: int


@dataclass(frozen=True, slots=True)
class References:
    """Per character the pictures it is known by, as vectors, and where they come from."""

    vectors: Mapping[str, Vectors]
    sources: Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class Trained:
    """The pictures that the model was trained on."""

    crop_ids: tuple[str, ...]
    vectors: Vectors


def names_in(prompt: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the characters that a prompt names as whole words, in their order there, whatever their case.

    Where one name is part of another ("Tom", "Old Tom"), the longer one is meant.
    """
    rest, places = prompt, []
    for name in sorted(names, key=lambda name: (-len(name), name)):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        match = pattern.search(rest)
        if match:
            places.append((match.start(), name))
            rest = pattern.sub(lambda found: "\0" * len(found.group()), rest)
    return tuple(name for _, name in sorted(places))


def find_characters(parts: Sequence[Part], references: References, *, known_cosine: float) -> tuple[Found, ...]:
    """Tell who is in a panel.

    A part is like a character as it is like the likest of its references. It shows the character when that reaches
    ``known_cosine`` and leads by :data:`~storycast.naming.LEAST_MARGIN`, as in a film's frames. Of parts that lie
    on one another the likest decides, so that an ear is not somebody else; the whole panel only where no part
    shows anybody, for it holds everybody at once.

    Returns:
        Each character at most once, the likest first.
    """
    names = sorted(name for name, vectors in references.vectors.items() if len(vectors))
    if not names or not parts:
        return ()
    vectors = stack([decode(part.embedding) for part in parts])
    likeness = np.stack([(vectors @ references.vectors[name].T).max(axis=1) for name in names], axis=1)
    candidates = []
    for part, row in zip(parts, likeness, strict=True):
        order = np.argsort(-row, kind="stable")
        best = float(row[order[0]])
        second = float(row[order[1]]) if len(order) > 1 else -1.0
        if best >= known_cosine and best - second >= LEAST_MARGIN:
            box = part.box
            candidates.append(
                Found(
                    character=names[int(order[0])],
                    cosine=round(best, 4),
                    left=box.left,
                    top=box.top,
                    width=box.width,
                    height=box.height,
                )
            )
    candidates.sort(key=lambda found: (_box(found) == WHOLE, -found.cosine, found.character))
    chosen: list[Found] = []
    for found in candidates:
        known_here = any(_same_place(_box(found), _box(other)) for other in chosen)
        if not known_here and all(found.character != other.character for other in chosen):
            chosen.append(found)
    return tuple(chosen)


def nearest_trained(parts: Sequence[Part], trained: Trained, most: int) -> tuple[Nearest, ...]:
    """Return the training pictures that a panel or one of its parts is most like, the likest first."""
    if not parts or not trained.crop_ids:
        return ()
    cosines = (stack([decode(part.embedding) for part in parts]) @ trained.vectors.T).max(axis=0)
    order = np.argsort(-cosines, kind="stable")[:most]
    return tuple(
        Nearest(crop_id=trained.crop_ids[int(index)], cosine=round(float(cosines[index]), 4)) for index in order
    )


def judge(expected: Sequence[str], found: Sequence[Found], copy_of: Copy | None) -> tuple[Verdict, str]:
    """Return the verdict on a panel, and the reason in words.

    A copy is one whoever it shows: it tells that the model learned a picture by heart. Somebody who was not asked
    for counts more than somebody who is missing.
    """
    names = {one.character for one in found}
    missing = [name for name in expected if name not in names]
    others = sorted(names - set(expected))
    shown = " and ".join(f"{one.character} ({one.cosine:.2f})" for one in found) or "nobody of the cast"
    if copy_of is not None:
        return "copy", f"it repeats training picture {copy_of.crop_id}: correlation {copy_of.correlation:.2f}"
    if others:
        return "wrong", f"it shows {shown}; {' and '.join(others)} was not asked for"
    if missing:
        return "missing", f"it shows {shown}; {' and '.join(missing)} is missing"
    return "right", f"it shows {shown}"


def _box(found: Found) -> Box:
    return Box(found.left, found.top, found.width, found.height)


def _same_place(one: Box, other: Box) -> bool:
    smaller = min(one.area, other.area)
    return smaller > 0 and overlap_area(one, other) >= SAME_PLACE_SHARE * smaller
