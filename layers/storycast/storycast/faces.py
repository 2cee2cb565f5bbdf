"""Faces: where they are in a picture, the project's collection of them, and what a search of it answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Protocol

from pydantic import Field

from storycast import names
from storycast.boxes import Box, overlap_ratio, percent, share_inside
from storycast.cast import Cast
from storycast.fingerprint import fingerprint
from storycast.footage import Record
from storycast.votes import Vote

MIN_FACE_SHARE = 0.037
"""A face lower than this share of the frame's height is not searched: 40 px at 1080p, the least that Amazon
Rekognition's documentation recommends."""
CLEARLY_LARGER = 2.0
"""A reference shows one person's face where its largest face has so many times the area of the next one."""
FACE_PADDING = 0.4
"""Share of a face's longer side that is left round it on each side before it is searched or indexed."""
LEAST_SIDE_PX = 80
"""Amazon Rekognition takes no smaller picture."""
FACE_HELD_SHARE = 0.8
"""A box holds a face when this share of the face lies in it."""
OURS_RATIO = 0.3
"""Intersection over union from which the face that a search looked at is the one that it was given."""
SHOULDERS = (1.0, 0.5, 1.6)
"""What a face's box is grown by to hold a head and shoulders: of its width on each side, of its height above and
below."""


class FaceBox(Record):
    """A face in a picture, in shares of its width and height; confidence 0..100."""

    left: float
    top: float
    width: float
    height: float
    confidence: Annotated[float, Field(ge=0.0, le=100.0)]

    @property
    def box(self) -> Box:
        """The box."""
        return Box(self.left, self.top, self.width, self.height)


def face_box(box: Box, confidence: float) -> FaceBox:
    """Return a face whose box ends at the picture's edges, with as many digits as matter."""
    clipped = box.clipped()
    return FaceBox(
        left=round(clipped.left, 5),
        top=round(clipped.top, 5),
        width=round(clipped.width, 5),
        height=round(clipped.height, 5),
        confidence=round(percent(confidence), 2),
    )


def head_and_shoulders(face: Box) -> Box:
    """Return the box of a person's head and shoulders round a face, inside the picture."""
    across, above, below = SHOULDERS
    return Box(
        face.left - across * face.width,
        face.top - above * face.height,
        face.width * (1 + 2 * across),
        face.height * (1 + above + below),
    ).clipped()


@dataclass(frozen=True, slots=True)
class FaceChoice:
    """Which face a reference picture is of; ``outcome`` says why there is none."""

    outcome: Literal["one", "none", "several"]
    face: FaceBox | None = None
    count: int = 0


def choose_face(faces: Sequence[FaceBox]) -> FaceChoice:
    """Choose whose face a reference picture shows: the only one, or the one that is clearly the largest."""
    ordered = sorted(faces, key=lambda face: (-face.box.area, face.box))
    if not ordered:
        return FaceChoice("none")
    if len(ordered) > 1 and ordered[0].box.area < CLEARLY_LARGER * ordered[1].box.area:
        return FaceChoice("several", None, len(ordered))
    return FaceChoice("one", ordered[0], len(ordered))


def owners(boxes: Sequence[Box], faces: Sequence[FaceBox]) -> dict[int, int]:
    """Tell which face is whose.

    A face belongs to the smallest box that holds it. Where a box holds several faces, as one round two people
    does, the largest is its own only if it is clearly the largest.

    Args:
        boxes: What may be characters.
        faces: The faces of the same frame.

    Returns:
        Per index of a face that has a box the index of that box; each box has one face at most.
    """
    held: dict[int, list[int]] = {}
    for index, face in enumerate(faces):
        around = [number for number, box in enumerate(boxes) if share_inside(face.box, box) >= FACE_HELD_SHARE]
        if around:
            held.setdefault(min(around, key=lambda number: (boxes[number].area, number)), []).append(index)
    owned = {}
    for number, indices in held.items():
        choice = choose_face([faces[index] for index in indices])
        if choice.face is not None:
            owned[next(index for index in indices if faces[index] == choice.face)] = number
    return owned


def is_ours(searched: Box, expected: Box) -> bool:
    """Tell whether a search looked at the face it was meant for: a neighbour's may be larger in its picture."""
    return overlap_ratio(searched, expected) >= OURS_RATIO


def collection_name(stack: str, project: str) -> str:
    """Return the id of a project's collection: ``[a-zA-Z0-9_.-]``, at most 255, another one for each project.

    A stack's name holds no dot, so that a policy on ``<stack>.*`` covers no other stack's collections.

    Args:
        stack: Name of the stack, at most 128 characters.
        project: Name of the project, any text.
    """
    return f"{stack}.{names.slug(project, fallback='project')}-{fingerprint(project=project)}"


class FaceMatch(Record):
    """How alike a face is to that of one reference picture, 0..100; ``content`` is the picture's SHA-256."""

    content: str
    similarity: Annotated[float, Field(ge=0.0, le=100.0)]


class FaceSearch(Record):
    """What a search of the collection said of one crop's face; ``reason`` is why it said nothing."""

    crop_id: str
    matches: tuple[FaceMatch, ...]
    paid_by: str
    reason: str = ""


class FrameSearches(Record):
    """The searches of one frame's faces; written again after each, so that a retry pays for none twice."""

    frame_id: str
    fingerprint: str
    complete: bool
    searches: tuple[FaceSearch, ...] = ()


def votes_of(search: FaceSearch, cast: Cast) -> tuple[Vote, ...]:
    """Return what a search says of each member of the cast that it found: the likest of its references.

    A picture that is the reference of several members tells none of them.
    """
    owners_of = cast.face_owners()
    best: dict[str, float] = {}
    for match in search.matches:
        whose = owners_of.get(match.content, [])
        if len(whose) == 1:
            best[whose[0]] = max(best.get(whose[0], 0.0), match.similarity)
    ranked = sorted(best.items(), key=lambda one: (-one[1], one[0]))
    return tuple(
        Vote(method="faces", character=name, score=round(similarity / 100, 4)) for name, similarity in ranked
    )


@dataclass(frozen=True, slots=True)
class IndexedFace:
    """A face in a collection; ``external_id`` is what it was indexed under."""

    face_id: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Indexing:
    """What came of indexing a picture: the face, or why the service took none."""

    face: IndexedFace | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What a search said: whose face it looked at, and the similarity (0..100) by external id.

    ``searched`` is None where it saw no face.
    """

    searched: Box | None
    similarities: Mapping[str, float]


class FaceDetector(Protocol):
    """Finds faces."""

    def faces(self, key: str) -> list[FaceBox]:
        """Return the faces in a picture of the media bucket, by its key.

        Raises:
            FrameRefusedError: The service can't use this picture.
        """

    def faces_in(self, picture: bytes) -> list[FaceBox]:
        """Return the faces in a PNG or JPEG; see :meth:`faces`."""


class FaceCollections(Protocol):
    """Collections of faces, by name."""

    def ensure(self, name: str) -> str:
        """Make a collection where there is none, and return the version of its face model."""

    def all(self, name: str) -> Iterator[IndexedFace]:
        """Yield every face of a collection, over all pages.

        Raises:
            DependencyUnavailableError: The collection is gone; :meth:`ensure` makes it anew.
        """

    def index(self, name: str, picture: bytes, external_id: str) -> Indexing:
        """Add the largest face of a picture; the call is made once, never again by the client itself.

        Raises:
            DependencyUnavailableError: The collection is gone, or nobody knows what came of the call.
            FrameRefusedError: The service can't use this picture.
        """

    def delete(self, name: str, face_ids: Sequence[str]) -> None:
        """Delete faces; one that is gone is no fault."""

    def search(self, name: str, picture: bytes, *, most: int) -> SearchAnswer:
        """Return how alike the largest face of a picture is to the collection's, the ``most`` likest ones.

        Raises:
            FaceCollectionMissingError: Somebody deleted the collection.
            FrameRefusedError: The service can't use this picture.
        """


@dataclass(frozen=True, slots=True)
class FaceService:
    """What a project's face collection is kept with: the stack it belongs to, the ports, and the time."""

    stack: str
    detector: FaceDetector
    collections: FaceCollections
    now: datetime
