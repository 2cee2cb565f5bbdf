"""Faces of labelled frames, found and compared as the stand-in of Rekognition's face collections does."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.cast_material import Answers, Film
from benchmarks.cast_sightings import Seen
from benchmarks.cast_truth import Truth
from local.standins.faces import face_vector, find_faces
from local.standins.pictures import read_pixels
from storycast.boxes import Box, share_inside
from storycast.faces import FACE_HELD_SHARE
from storycast.votes import Vote

FACES_VERSION = "yunet-2023mar"


@dataclass(frozen=True)
class SeenFaces:
    """Sightings with the votes of their faces, and how many faces there were to compare."""

    seen: Seen
    reference_faces: dict[str, int]
    """Per character, of how many of its reference pictures a face was found."""
    faces: int
    """In the labelled frames."""


def with_faces(
    seen: Seen, film: Film, truth: Truth, pictures: dict[str, list[bytes]], answers: Answers
) -> SeenFaces:
    """Return the sightings with votes of the faces in the labelled frames; other frames are not looked at."""
    known = {
        name: [vector for content in contents for _, vector in _faces(content, answers)[:1]]
        for name, contents in pictures.items()
    }
    count = 0
    votes: dict[str, list[Vote]] = {}
    for frame in film.frames:
        if frame.time_ms not in truth.frames:
            continue
        here = [one for one in seen.sightings if one.frame_id == frame.frame_id]
        for box, vector in _faces(film.picture(frame), answers):
            count += 1
            holders = [one for one in here if share_inside(box, one.box) >= FACE_HELD_SHARE]
            if not holders:
                continue
            holder = min(holders, key=lambda one: (one.box.area, one.crop_id))
            for name, vectors in known.items():
                if vectors:
                    score = float(np.clip(max(np.dot(vector, other) for other in vectors), 0.0, 1.0))
                    votes.setdefault(holder.crop_id, []).append(
                        Vote(method="faces", character=name, score=round(score, 4))
                    )
    sightings = [one.model_copy(update={"votes": tuple(votes.get(one.crop_id, ()))}) for one in seen.sightings]
    return SeenFaces(
        replace(seen, sightings=sightings), {name: len(vectors) for name, vectors in known.items()}, count
    )


def _faces(content: bytes, answers: Answers) -> list[tuple[Box, list[float]]]:
    def ask() -> list[list[list[float]]]:
        pixels = read_pixels(content)
        boxes = [face.box for face in find_faces(pixels)]
        boxes.sort(key=lambda box: -box.area)
        return [
            [[box.left, box.top, box.right - box.left, box.bottom - box.top], face_vector(pixels, box)]
            for box in boxes
        ]

    found = answers.of(["find_faces", FACES_VERSION, hashlib.sha256(content).hexdigest()], ask)
    return [(Box(*box), vector) for box, vector in found]
