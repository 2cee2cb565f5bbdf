"""BuildCast: read the characters' reference pictures and embed each of them once."""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from storycast import keys
from storycast.cast import Cast, CastMember, Reference
from storycast.embeddings import MAX_PICTURE_SIDE_PX, encode, unit
from storycast.errors import FrameRefusedError, ReferenceMissingError
from storycast.fingerprint import fingerprint
from storycast.footage import Record
from storycast.images import fitted, open_picture, padded_square, to_jpeg
from storycast.plan import RunPlan
from storycast.ports import Embedder, ObjectStore
from storycast.runs import Run, change_run
from storycast.stages.reading import read_own, write_record

VERSION = 2
MAX_REFERENCES = 50
"""Of one character; more cost money and tell nothing new."""


class ReferenceEmbedding(Record):
    """The embedding of one reference picture, and the run that paid for it."""

    fingerprint: str
    embedding: str
    paid_by: str


def build_cast(plan: RunPlan, *, store: ObjectStore, embedder: Embedder) -> dict[str, Any]:
    """Write ``cast.json``.

    A reference picture is embedded once per content and model, whatever it is called and whichever run asks.

    Returns:
        How many characters and references there are, and how many embeddings this run paid for.

    Raises:
        ReferenceMissingError: A pattern matches nothing, or a picture can't be used.
    """
    model_mark = fingerprint(version=VERSION, model=embedder.model_id)
    methods = plan.settings.detection.methods
    available = (
        [stored.key for stored in store.list(keys.project_folder(plan.project))]
        if plan.settings.has_references
        else []
    )
    members, paid = [], 0
    for character in plan.settings.characters:
        references = []
        patterns = character.references if "references" in methods else ()
        for key in _matches(plan.project, character.name, patterns, available):
            reference, was_paid = _embed(key, model_mark, plan, store, embedder)
            references.append(reference)
            paid += was_paid
        members.append(
            CastMember(
                name=character.name,
                description=character.description,
                labels=character.labels if "labels" in methods else (),
                references=tuple(references),
            )
        )
    cast = Cast(embedding_model=embedder.model_id, members=tuple(members))
    cast = cast.model_copy(update={"discovered": not cast.can_name})
    write_record(store, keys.run_file(plan.run_id, "cast.json"), cast)
    references_count = sum(len(member.references) for member in members)

    def with_cast(run: Run) -> Run:
        return run.with_counts(
            characters=len(members),
            references=references_count,
            # A repeated attempt finds its own embeddings there and pays nothing: they still are this run's.
            paid_reference_embeddings=max(paid, run.counts.get("paid_reference_embeddings", 0)),
        )

    change_run(store, plan.run_id, with_cast)
    return {"characters": len(members), "references": references_count, "paid": paid}


def _matches(project: str, name: str, patterns: Sequence[str], available: Sequence[str]) -> list[str]:
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
    key: str, model_mark: str, plan: RunPlan, store: ObjectStore, embedder: Embedder
) -> tuple[Reference, bool]:
    content = store.get(key)
    digest = hashlib.sha256(content).hexdigest()
    own_key = keys.cast_embedding(plan.project, model_mark, digest)
    known = read_own(store, own_key, ReferenceEmbedding, model_mark)
    if known is None:
        try:
            picture = fitted(padded_square(open_picture(content)), MAX_PICTURE_SIDE_PX)
            vector = unit(embedder.embed(to_jpeg(picture)))
        except (ValueError, FrameRefusedError) as error:
            raise ReferenceMissingError(
                f"The reference {key} can't be used: {error}. Replace it by a readable PNG or JPEG."
            ) from None
        known = ReferenceEmbedding(fingerprint=model_mark, embedding=encode(vector), paid_by=plan.run_id)
        write_record(store, own_key, known)
    return Reference(key=key, content=digest, embedding=known.embedding), known.paid_by == plan.run_id
