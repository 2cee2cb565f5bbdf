"""The project's face collection, kept in step with the reference pictures by their content."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from storycast import keys
from storycast.boxes import Box
from storycast.cast import CastFaces
from storycast.cuts import plan_cut
from storycast.errors import DependencyUnavailableError, FrameRefusedError, ReferenceMissingError
from storycast.faces import (
    FACE_PADDING,
    LEAST_SIDE_PX,
    FaceBox,
    FaceService,
    IndexedFace,
    choose_face,
    collection_name,
)
from storycast.fingerprint import fingerprint
from storycast.footage import Record
from storycast.images import Picture, cut_out, fitted, open_picture, to_jpeg
from storycast.ports import ObjectChangedError, ObjectStore
from storycast.runs import has_failed

VERSION = 1
GRACE = timedelta(seconds=30)
"""How long another run's call may be under way before its picture is indexed by this one: far longer than one
takes. A run that died in between costs the next one no more than this wait."""
MAX_SIDE_PX = 1600
"""Faces are looked for in no larger picture, so that it is within the bytes that the service takes."""
_CONTENT = re.compile(r"[0-9a-f]{64}")

Outcome = Literal["seen", "asked", "indexed", "none", "several", "refused"]


class FaceReference(Record):
    """What became of one reference picture in one collection; the result object of both calls it costs.

    ``seen``: its face was found; ``asked``: it is being indexed; the last three give no face.
    """

    fingerprint: str
    outcome: Outcome
    faces: int
    face: FaceBox | None = None
    reason: str = ""
    detected_by: str
    """The run that paid for DetectFaces."""
    indexed_by: str = ""
    asked_at: datetime | None = None


class FaceIndex:
    """One run's view of the collection of its project.

    A picture goes in by its content, whatever it is called and whoever it shows: a character's new name or
    place in the list costs nothing. Each call that is paid is recorded, and the collection itself is looked at
    before a picture is indexed, so that a call whose answer was lost is not made again.
    """

    def __init__(self, project: str, run_id: str, store: ObjectStore, service: FaceService) -> None:
        """Make the collection where there is none, and look what is in it."""
        self._project, self._run_id, self._store = project, run_id, store
        self._detector, self._collections, self._now = service.detector, service.collections, service.now
        self._collection = collection_name(service.stack, project)
        self._model_version = self._collections.ensure(self._collection)
        self._mark = fingerprint(version=VERSION, collection=self._collection, model=self._model_version)
        self._there: dict[str, list[IndexedFace]] = {}
        for face in self._collections.all(self._collection):
            self._there.setdefault(face.external_id, []).append(face)
        self._wanted: dict[str, FaceReference] = {}

    def add(self, key: str, content: bytes, digest: str) -> FaceReference:
        """Have a reference picture's face in the collection, and tell what became of it.

        Raises:
            DependencyUnavailableError: Another run indexes the same picture right now.
            ReferenceMissingError: The picture can't be used.
        """
        known = self._wanted.get(digest) or self._step(key, content, digest)
        self._wanted[digest] = known
        return known

    def finish(self) -> None:
        """Delete the faces of pictures that are no reference any more, and what stands twice."""
        gone = [
            face.face_id
            for external_id, faces in self._there.items()
            if _CONTENT.fullmatch(external_id)
            for face in (faces[1:] if self._has(external_id) else faces)
        ]
        if gone:
            self._collections.delete(self._collection, gone)

    @property
    def paid(self) -> tuple[int, int]:
        """How many calls of DetectFaces and of IndexFaces this run paid for."""
        records = self._wanted.values()
        return (
            sum(record.detected_by == self._run_id for record in records),
            sum(record.indexed_by == self._run_id for record in records),
        )

    def cast_faces(self) -> CastFaces | None:
        """Return what a search depends on; None where the collection has none of the faces."""
        contents = sorted(digest for digest in self._wanted if self._has(digest))
        if not contents:
            return None
        return CastFaces(
            collection_id=self._collection,
            model_version=self._model_version,
            fingerprint=fingerprint(
                version=VERSION, collection=self._collection, model=self._model_version, contents=contents
            ),
        )

    def _has(self, digest: str) -> bool:
        record = self._wanted.get(digest)
        return record is not None and record.outcome == "indexed"

    def _step(self, key: str, content: bytes, digest: str) -> FaceReference:
        place = keys.cast_face(self._project, self._mark, digest)
        known, etag = self._read(place)
        if digest in self._there:
            # The collection is the truth: whatever the record says, this picture was paid for and is there.
            found = known or self._record("indexed", 1, detected_by="")
            return found if found.outcome == "indexed" else found.model_copy(update={"outcome": "indexed"})
        if known is not None and known.outcome in {"none", "several", "refused"}:
            return known
        if known is not None and known.outcome == "asked":
            self._refuse_haste(key, known)
        picture = _opened(key, content)
        if known is None:
            known = self._detected(key, picture)
            etag = self._write(place, known, etag)
            if known.outcome != "seen":
                return known
        return self._indexed(key, place, known, etag, picture, digest)

    def _refuse_haste(self, key: str, asked: FaceReference) -> None:
        is_anothers = asked.indexed_by != self._run_id
        if is_anothers and asked.asked_at is not None and self._now < asked.asked_at + GRACE:
            if has_failed(self._store, asked.indexed_by):
                return
            raise DependencyUnavailableError(f"{key} is being indexed by the run {asked.indexed_by}: try again")

    def _detected(self, key: str, picture: Picture) -> FaceReference:
        try:
            faces = self._detector.faces_in(to_jpeg(picture))
        except FrameRefusedError as error:
            raise unusable(key, error) from None
        choice = choose_face(faces)
        outcome: Outcome = "seen" if choice.face is not None else "none" if choice.outcome == "none" else "several"
        return self._record(outcome, len(faces), face=choice.face, detected_by=self._run_id)

    def _indexed(
        self, key: str, place: str, known: FaceReference, etag: str | None, picture: Picture, digest: str
    ) -> FaceReference:
        asked = known.model_copy(
            update={"outcome": "asked", "indexed_by": self._run_id, "asked_at": self._now, "reason": ""}
        )
        etag = self._write(place, asked, etag)
        try:
            answer = self._collections.index(self._collection, _face_picture(picture, known.face), digest)
        except FrameRefusedError as error:
            raise unusable(key, error) from None
        if answer.face is None:
            reason = ", ".join(one.lower().replace("_", " ") for one in answer.reasons) or "no face in it"
            done = asked.model_copy(update={"outcome": "refused", "reason": reason})
        else:
            done = asked.model_copy(update={"outcome": "indexed"})
            self._there[digest] = [answer.face]
        self._write(place, done, etag)
        return done

    def _record(
        self, outcome: Outcome, faces: int, *, face: FaceBox | None = None, detected_by: str
    ) -> FaceReference:
        return FaceReference(
            fingerprint=self._mark, outcome=outcome, faces=faces, face=face, detected_by=detected_by
        )

    def _read(self, place: str) -> tuple[FaceReference | None, str | None]:
        try:
            content, etag = self._store.get_with_etag(place)
        except KeyError:
            return None, None
        try:
            return FaceReference.model_validate_json(content), etag
        except ValueError:
            return None, etag

    def _write(self, place: str, record: FaceReference, etag: str | None) -> str | None:
        """Replace what was read, and nothing else: two runs of a project may come to one picture at once."""
        content = record.model_dump_json().encode()
        try:
            self._store.put_if(place, content, "application/json", etag)
        except ObjectChangedError:
            raise DependencyUnavailableError(f"another run writes {place}: try again") from None
        return self._store.head(place).etag


def refuse_ambiguous(name: str, seen: Sequence[tuple[str, FaceReference]]) -> list[str]:
    """Tell what keeps a character's reference pictures from being found by the face.

    Args:
        name: The character.
        seen: Its pictures' keys, and what became of each.

    Returns:
        Warnings.

    Raises:
        ReferenceMissingError: Pictures show several faces alike in size, and no other one shows the character's.
    """
    several = [(key, record) for key, record in seen if record.outcome == "several"]
    has_face = any(record.outcome == "indexed" for _, record in seen)
    told = [
        f"{name}: {key} shows {record.faces} faces, and none is clearly the largest. Cut it so that it shows "
        f"{name} alone"
        for key, record in several
    ]
    if several and not has_face:
        raise ReferenceMissingError(f"{'. '.join(told)}, or leave faces out of detection.methods.")
    if seen and not has_face:
        refused = sorted({record.reason for _, record in seen if record.outcome == "refused"})
        why = f" ({'; '.join(refused)})" if refused else ""
        return [
            f"{name} has no face reference: no face is seen in {len(seen)} reference pictures{why}, so "
            f"faces can't find {name}"
        ]
    return [f"{one}; it is not used for faces" for one in told]


def _opened(key: str, content: bytes) -> Picture:
    try:
        return fitted(open_picture(content), MAX_SIDE_PX)
    except ValueError as error:
        raise unusable(key, error) from None


def unusable(key: str, error: Exception) -> ReferenceMissingError:
    """Return what to raise where a reference picture can't be used."""
    return ReferenceMissingError(
        f"The reference {key} can't be used: {error}. Replace it by a readable PNG or JPEG."
    )


def _face_picture(picture: Picture, face: FaceBox | None) -> bytes:
    box = face.box if face is not None else Box(0.0, 0.0, 1.0, 1.0)
    cut = plan_cut(box, *picture.size, padding=FACE_PADDING, least_side_px=LEAST_SIDE_PX)
    return to_jpeg(cut_out(picture, cut, least_px=LEAST_SIDE_PX))
