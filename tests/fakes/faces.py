"""Faces in made pictures: what is bright in red and green is one, and how blue it is tells whose."""

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from storycast.boxes import Box
from storycast.errors import DependencyUnavailableError, FaceCollectionMissingError
from storycast.faces import FaceBox, IndexedFace, Indexing, SearchAnswer, face_box
from storycast.ports import ObjectStore
from tests.fakes.services import Faults

type Pixels = NDArray[np.uint8]


def face_picture(*blues: int, sizes: Sequence[int] = (), size: tuple[int, int] = (200, 320)) -> Pixels:
    """Return a grey picture of faces beside each other.

    Args:
        *blues: Whose each is, 0..200; 20 apart for different people.
        sizes: Side of each in px; 60 unless given.
        size: Height and width of the picture.
    """
    height, width = size
    picture = np.full((height, width, 3), 90, np.uint8)
    left = 10
    for blue, side in zip(blues, sizes or [60] * len(blues), strict=True):
        picture[40 : 40 + side, left : left + side] = (250, 250, blue)
        left += side + 20
    return picture


def to_png(picture: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


class FakeFaces(Faults):
    """A :class:`~storycast.faces.FaceDetector`."""

    def __init__(self, store: ObjectStore, faults: Mapping[int, Exception] | None = None) -> None:
        super().__init__(faults)
        self._store = store

    def faces(self, key: str) -> list[FaceBox]:
        return self.faces_in(self._store.get(key))

    def faces_in(self, picture: bytes) -> list[FaceBox]:
        self.count()
        return [face for face, _ in seen_in(picture)]


class MemoryCollections:
    """:class:`~storycast.faces.FaceCollections` in dictionaries; calls that AWS charges for are counted."""

    def __init__(
        self,
        index_faults: Mapping[int, Exception] | None = None,
        search_faults: Mapping[int, Exception] | None = None,
    ) -> None:
        self.model_version = "7.0"
        self.versions: dict[str, str] = {}
        self.indexed: dict[str, dict[str, tuple[str, float]]] = {}
        """By collection: face id to external id and blue."""
        self.index_calls = Faults(index_faults)
        self.search_calls = Faults(search_faults)
        self.loses_answers = 0
        """So many answers of ``index`` are lost although the work is done."""
        self.refuses: tuple[str, ...] = ()
        """Why the quality filter takes no face."""
        self._number = 0

    def ensure(self, name: str) -> str:
        if name not in self.versions:
            self.versions[name], self.indexed[name] = self.model_version, {}
        return self.versions[name]

    def delete_collection(self, name: str) -> None:
        del self.versions[name], self.indexed[name]

    def all(self, name: str) -> Iterator[IndexedFace]:
        if name not in self.versions:
            raise DependencyUnavailableError(f"{name} is gone")
        yield from [IndexedFace(face_id, external_id) for face_id, (external_id, _) in self.indexed[name].items()]

    def index(self, name: str, picture: bytes, external_id: str) -> Indexing:
        self.index_calls.count()
        if self.refuses:
            return Indexing(None, self.refuses)
        found = _largest(picture)
        if found is None:
            return Indexing(None)
        self._number += 1
        face_id = f"face-{self._number}"
        self.indexed[name][face_id] = (external_id, found[1])
        if self.loses_answers:
            self.loses_answers -= 1
            raise DependencyUnavailableError("the answer is lost")
        return Indexing(IndexedFace(face_id, external_id))

    def delete(self, name: str, face_ids: Sequence[str]) -> None:
        for face_id in face_ids:
            self.indexed[name].pop(face_id, None)

    def search(self, name: str, picture: bytes, *, most: int) -> SearchAnswer:
        self.search_calls.count()
        if name not in self.versions:
            raise FaceCollectionMissingError(f"{name} is gone")
        found = _largest(picture)
        if found is None:
            return SearchAnswer(None, {})
        likeness: dict[str, float] = {}
        for external_id, blue in self.indexed[name].values():
            similarity = max(100.0 - abs(blue - found[1]), 0.0)
            likeness[external_id] = max(similarity, likeness.get(external_id, 0.0))
        best = sorted(likeness.items(), key=lambda one: -one[1])[:most]
        return SearchAnswer(found[0].box, dict(best))


def seen_in(picture: bytes) -> list[tuple[FaceBox, float]]:
    """Return the faces of a picture, from left to right, and how blue each is."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=np.int16)
    height, width = pixels.shape[:2]
    bright = (pixels[..., 0] > 225) & (pixels[..., 1] > 225)
    columns = np.concatenate([[False], bright.sum(axis=0) > 4, [False]])
    edges = np.flatnonzero(columns[1:] != columns[:-1])
    found = []
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        rows = np.flatnonzero(bright[:, left:right].sum(axis=1) > 4)
        if len(rows) < 6 or right - left < 6:
            continue
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        inner = pixels[top + 2 : bottom - 2, left + 2 : right - 2, 2]
        box = Box(left / width, top / height, (right - left) / width, (bottom - top) / height)
        found.append((face_box(box, 99.0), float(inner.mean())))
    return found


def _largest(picture: bytes) -> tuple[FaceBox, float] | None:
    found = seen_in(picture)
    return max(found, key=lambda one: one[0].box.area) if found else None
