"""Naming: who a sighting shows, by the votes of reference pictures and labels, fused over its track."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from storycast.cast import Cast, CastMember
from storycast.embeddings import Vectors, decode, stack
from storycast.sightings import Sighting

LEAST_MARGIN = 0.02
"""Lead in cosine of the likest character over the next; with less, the vectors do not tell the two apart."""


def name_by_cast(
    sightings: Sequence[Sighting],
    tracks: Sequence[int],
    vectors: Vectors,
    cast: Cast,
    *,
    known_cosine: float,
) -> list[Sighting]:
    """Name sightings after the members of the cast.

    A sighting's likeness to a character is its largest cosine with one of the character's references; a
    track's is the mean over its sightings, so that one odd frame does not change a name. Where no likeness
    reaches ``known_cosine`` or leads by :data:`LEAST_MARGIN`, a label that exactly one character claims
    decides. A frame shows a character at most once: the likest sighting keeps the name.

    Args:
        sightings: In any order.
        tracks: Their tracks.
        vectors: Their embeddings.
        cast: The cast.
        known_cosine: Likeness from which a sighting is a known character.

    Returns:
        The sightings, in the same order, with name, score and the reason.
    """
    likeness = _likeness(vectors, cast.members)
    by_label = [_labels(sighting, cast.members) for sighting in sightings]
    members: dict[int, list[int]] = defaultdict(list)
    for index, track in enumerate(tracks):
        members[track].append(index)
    named = list(sightings)
    for track, indices in members.items():
        fused = likeness[indices].mean(axis=0) if likeness.shape[1] else np.zeros(0, np.float32)
        votes = {name for index in indices for name in by_label[index]}
        for index in indices:
            update = _verdict(fused, votes, cast.members, known_cosine, len(indices))
            named[index] = sightings[index].model_copy(update={**update, "track": track})
    return once_per_frame(named)


def once_per_frame(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Leave each character's name to its best sighting of a frame; the others say whose repetition they are."""
    best: dict[tuple[str, str], Sighting] = {}
    for one in sightings:
        if one.character:
            place = (one.frame_id, one.character)
            other = best.get(place)
            if other is None or _rank(one) > _rank(other):
                best[place] = one
    return [
        one
        if not one.character or best[one.frame_id, one.character] is one
        else one.model_copy(
            update={
                "outcome": "repeated",
                "reason": f"{one.character} has a better box in this frame: "
                f"{best[one.frame_id, one.character].crop_id}",
                "character": "",
            }
        )
        for one in sightings
    ]


def _rank(sighting: Sighting) -> tuple[float, float, float, str]:
    return sighting.score, sighting.confidence, sighting.box.area, sighting.crop_id


def _likeness(vectors: Vectors, members: Sequence[CastMember]) -> Vectors:
    """Return each sighting's likeness to each member, shape (n, members); -1 where a member has no reference."""
    columns = []
    for member in members:
        if member.references and len(vectors):
            references = stack([decode(reference.embedding) for reference in member.references])
            columns.append((vectors @ references.T).max(axis=1))
        else:
            columns.append(np.full(len(vectors), -1.0, np.float32))
    return np.stack(columns, axis=1) if columns else np.zeros((len(vectors), 0), np.float32)


def _labels(sighting: Sighting, members: Sequence[CastMember]) -> set[str]:
    seen = {label.casefold() for label, _ in sighting.labels}
    return {member.name for member in members if seen & {label.casefold() for label in member.labels}}


def _verdict(
    fused: Vectors, votes: set[str], members: Sequence[CastMember], known_cosine: float, length: int
) -> dict[str, object]:
    frames = "one frame" if length == 1 else f"{length} frames of its shot"
    order = np.argsort(-fused, kind="stable")
    best = float(fused[order[0]]) if len(order) else -1.0
    second = float(fused[order[1]]) if len(order) > 1 else -1.0
    if best >= known_cosine and best - second >= LEAST_MARGIN:
        name = members[int(order[0])].name
        return {
            "character": name,
            "score": round(best, 4),
            "outcome": "named",
            "reason": f"like the references of {name}: cosine {best:.2f} over {frames}",
        }
    if len(votes) == 1:
        name = next(iter(votes))
        return {
            "character": name,
            "score": round(max(best, 0.0), 4),
            "outcome": "named",
            "reason": f"a label of {name} over {frames}",
        }
    if best >= known_cosine:
        one, other = (members[int(index)].name for index in order[:2])
        reason = f"as like {one} as {other}: cosine {best:.2f} and {second:.2f} over {frames}"
    elif best > -1.0:
        nearest = members[int(order[0])].name
        reason = f"likest is {nearest}, cosine {best:.2f} over {frames}, below {known_cosine:.2f}"
    else:
        reason = "no character has references, and no label of one was seen"
    if votes:
        reason += f"; labels of several characters: {', '.join(sorted(votes))}"
    return {"character": "", "score": round(max(best, 0.0), 4), "outcome": "unknown", "reason": reason}
