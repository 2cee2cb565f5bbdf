"""BuildCast: read the characters' reference pictures, embed each once, and have their faces in the collection."""

import hashlib
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

from storycast import keys
from storycast.cast import Cast, CastFaces, CastMember, Reference
from storycast.embeddings import encode
from storycast.errors import FrameRefusedError, ReferenceMissingError
from storycast.faces import FaceService
from storycast.fingerprint import fingerprint
from storycast.footage import Record
from storycast.images import open_picture
from storycast.plan import RunPlan
from storycast.ports import Embedder, ObjectStore
from storycast.runs import Run, change_run
from storycast.stages.embedding import embed_picture, encoded_colours
from storycast.stages.face_references import FaceIndex, FaceReference, refuse_ambiguous, unusable
from storycast.stages.reading import read_own, write_record
from storycast.turns import Turns

VERSION = 2
MAX_REFERENCES = 50
"""Of one character; more cost money and tell nothing new."""
MAX_REFERENCE_BYTES = 50 * 1024 * 1024
"""No picture that one can look at has more; a larger object would fill the function's memory."""


class ReferenceEmbedding(Record):
    """The embedding of one reference picture, and the run that paid for it."""

    fingerprint: str
    embedding: str
    paid_by: str


def build_cast(
    plan: RunPlan, *, store: ObjectStore, turns: Turns, embedder: Embedder, faces: FaceService | None = None
) -> dict[str, Any]:
    """Write ``cast.json``.

    A reference picture is embedded once per content and model, whatever it is called and whichever run asks; so
    is its face indexed.

    Args:
        plan: The run's plan.
        store: The bucket.
        turns: Keep runs that come to a picture at once from paying for it twice.
        embedder: Embeds pictures, where references are asked for.
        faces: What the project's face collection is kept with, where faces are asked for.

    Returns:
        How many characters, references and faces there are, and how many embeddings this run paid for.

    Raises:
        ReferenceMissingError: A pattern matches nothing, or a picture can't be used.
        DependencyUnavailableError: Another run has the same picture in work: try again.
    """
    model_mark = fingerprint(version=VERSION, model=embedder.model_id)
    methods = plan.settings.detection.methods
    available = (
        {stored.key: stored.size_bytes for stored in store.list(keys.project_folder(plan.project))}
        if plan.settings.has_references
        else {}
    )
    index = None
    if faces is not None and "faces" in methods and plan.settings.has_references:
        index = FaceIndex(plan.project, plan.run_id, store, faces)
    members, warnings, paid = [], list[str](), 0
    for character in plan.settings.characters:
        references, seen = [], list[tuple[str, str, FaceReference]]()
        patterns = character.references if {"references", "faces"} & set(methods) else ()
        for key in _matches(plan.project, character.name, patterns, available):
            if available[key] > MAX_REFERENCE_BYTES:
                raise unusable(key, ValueError(f"it has more than {MAX_REFERENCE_BYTES:,} bytes"))
            content = store.get(key)
            digest = hashlib.sha256(content).hexdigest()
            if "references" in methods:
                reference, was_paid = _embed(key, content, digest, model_mark, plan, store, turns, embedder)
                references.append(reference)
                paid += was_paid
            if index is not None:
                seen.append((digest, key, index.add(key, content, digest)))
        if index is not None:
            warnings += refuse_ambiguous(character.name, [(key, record) for _, key, record in seen])
        members.append(
            CastMember(
                name=character.name,
                description=character.description,
                labels=character.labels if "labels" in methods else (),
                references=tuple(references),
                clusters=character.clusters,
                custom_labels=(character.name, *character.labels) if "custom_labels" in methods else (),
                faces=tuple(digest for digest, _, record in seen if record.outcome == "indexed"),
            )
        )
    found = _finished(index, plan)
    cast = Cast(embedding_model=embedder.model_id, members=tuple(members), faces=found)
    cast = cast.model_copy(update={"discovered": not cast.can_name})
    write_record(store, keys.run_file(plan.run_id, "cast.json"), cast)
    references_count = sum(len(member.references) for member in members)

    def with_cast(run: Run) -> Run:
        detected, indexed = index.paid if index is not None else (0, 0)
        run = run.with_counts(
            characters=len(members),
            references=references_count,
            # A repeated attempt finds its own embeddings there and pays nothing: they still are this run's.
            paid_reference_embeddings=max(paid, run.counts.get("paid_reference_embeddings", 0)),
        )
        if index is None:
            return run
        counted = run.with_counts(
            face_references=sum(len(member.faces) for member in members),
            paid_face_references=max(detected, run.counts.get("paid_face_references", 0)),
            paid_indexed_faces=max(indexed, run.counts.get("paid_indexed_faces", 0)),
        )
        return counted.with_warnings(*warnings, *_shared(cast))

    change_run(store, plan.run_id, with_cast)
    faces_count = sum(len(member.faces) for member in members)
    return {"characters": len(members), "references": references_count, "faces": faces_count, "paid": paid}


def _finished(index: FaceIndex | None, plan: RunPlan) -> CastFaces | None:
    """Leave no other face in the collection, and refuse to look for faces alone where there are none."""
    if index is None:
        return None
    index.finish()
    found = index.cast_faces()
    if found is None and plan.settings.characters and set(plan.settings.detection.methods) == {"faces"}:
        raise ReferenceMissingError(
            "No reference picture shows a face that Amazon Rekognition sees, so detection.methods: [faces] finds "
            "nobody. Drawn faces often are not seen: use detection.methods: [labels, references]."
        )
    return found


def _shared(cast: Cast) -> list[str]:
    """Tell of pictures that are the reference of several characters: their face tells none of them."""
    shared = sorted({", ".join(whose) for whose in cast.face_owners().values() if len(whose) > 1})
    return [f"one reference picture is of {whose}: its face tells none of them" for whose in shared]


def _matches(project: str, name: str, patterns: Sequence[str], available: Collection[str]) -> list[str]:
    folder = keys.project_folder(project)
    found: dict[str, None] = {}
    for pattern in patterns:
        matching = [key for key in available if fnmatchcase(key.removeprefix(folder), pattern)]
        if not matching:
            raise ReferenceMissingError(
                f"{name}: the reference pattern '{pattern}' matches nothing below {folder}. "
                "Upload the pictures there, or mend the pattern in the project file."
            )
        found.update(dict.fromkeys(matching))
    if len(found) > MAX_REFERENCES:
        raise ReferenceMissingError(
            f"{name}: the reference patterns match {len(found)} pictures, more than {MAX_REFERENCES}. "
            "Choose the best ones."
        )
    return sorted(found)


def _embed(
    key: str,
    content: bytes,
    digest: str,
    model_mark: str,
    plan: RunPlan,
    store: ObjectStore,
    turns: Turns,
    embedder: Embedder,
) -> tuple[Reference, bool]:
    own_key = keys.cast_embedding(plan.project, model_mark, digest)
    known = turns.known_or_mine(own_key, lambda: read_own(store, own_key, ReferenceEmbedding, model_mark))
    try:
        picture = open_picture(content)
        embedding = encode(embed_picture(picture, embedder)) if known is None else known.embedding
    except (ValueError, FrameRefusedError) as error:
        raise unusable(key, error) from None
    if known is None:
        known = ReferenceEmbedding(fingerprint=model_mark, embedding=embedding, paid_by=plan.run_id)
        write_record(store, own_key, known)
    reference = Reference(key=key, content=digest, embedding=embedding, colours=encoded_colours(picture))
    return reference, known.paid_by == plan.run_id
