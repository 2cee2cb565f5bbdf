"""Discovery: who is in the film when nobody said so, by clusters of tracks that look alike. Needs NumPy."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from storycast.clusters import cluster_id, clustered_tracks
from storycast.embeddings import Vectors
from storycast.names import working_name
from storycast.naming import once_per_frame, without_loose_boxes
from storycast.sightings import Sighting

MIN_SIGHTINGS = 3
"""A cluster seen less often gets no name: a character of a film returns."""
MIN_SHOTS = 2
"""So it is with one that is seen in a single shot, where the film has more."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Sightings that look alike all round, never by a chain of likenesses."""

    cluster_id: str
    working_name: str
    """Empty where it is seen too seldom to be a character."""
    rows: tuple[int, ...]
    """Its sightings, the most typical first."""
    track_count: int
    shot_count: int


def find_clusters(
    sightings: Sequence[Sighting], tracks: Sequence[int], looks: Vectors, *, same_character: float
) -> list[Cluster]:
    """Cluster tracks by complete linkage: every two of a cluster reach ``same_character``, so nothing chains.

    Args:
        sightings: In any order.
        tracks: Their tracks.
        looks: Their looks, row by row.
        same_character: Likeness of two tracks' mean looks from which they may be one character.

    Returns:
        Clusters, the largest first; working names count in that order, and stay whoever is named in between.
    """
    if not sightings:
        return []
    members: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(clustered_tracks(tracks, looks, same_character)):
        members[int(number)].append(row)
    film_shots = len({(one.footage_id, one.shot) for one in sightings})
    ranked = sorted(members.values(), key=lambda rows: (-len(rows), min(sightings[row].crop_id for row in rows)))
    clusters = []
    count = 0
    for rows in ranked:
        shots = len({(sightings[row].footage_id, sightings[row].shot) for row in rows})
        returns = len(rows) >= MIN_SIGHTINGS and shots >= min(MIN_SHOTS, film_shots)
        count += returns
        centre = looks[rows].mean(axis=0)
        order = sorted(rows, key=lambda row: (-float(looks[row] @ centre), sightings[row].crop_id))
        clusters.append(
            Cluster(
                cluster_id=cluster_id([sightings[row].crop_id for row in rows]),
                working_name=working_name(count) if returns else "",
                rows=tuple(order),
                track_count=len({tracks[row] for row in rows}),
                shot_count=shots,
            )
        )
    return clusters


def discover(
    sightings: Sequence[Sighting],
    tracks: Sequence[int],
    looks: Vectors,
    clusters: Sequence[Cluster],
    *,
    names: Mapping[str, str],
    dropped: Collection[str],
) -> list[Sighting]:
    """Name what is seen again and again, by working names or as the project file has it.

    Args:
        sightings: In any order.
        tracks: Their tracks.
        looks: Their looks.
        clusters: As :func:`find_clusters` found them.
        names: Names that people gave, by the id of the cluster; one name for several clusters merges them.
        dropped: Ids of clusters that are nobody.

    Returns:
        The sightings, in the same order, with cluster, name, score and the reason.
    """
    named = list(sightings)
    for cluster in clusters:
        centre = looks[list(cluster.rows)].mean(axis=0)
        verdict = _verdict(cluster, names, dropped)
        for row in cluster.rows:
            score = round(float(np.clip(looks[row] @ centre, 0.0, 1.0)), 4)
            update = {"track": tracks[row], "cluster": cluster.cluster_id, "score": score, **verdict}
            named[row] = sightings[row].model_copy(update=update)
    return once_per_frame(without_loose_boxes(named))


def told_by_people(
    sightings: Sequence[Sighting],
    clusters: Sequence[Cluster],
    *,
    names: Mapping[str, str],
    dropped: Collection[str],
) -> list[Sighting]:
    """Put people's word on clusters above what the methods say, where a project has both."""
    told = list(sightings)
    for cluster in clusters:
        update = (
            _verdict(cluster, names, dropped)
            if cluster.cluster_id in names or cluster.cluster_id in dropped
            else {}
        )
        for row in cluster.rows:
            told[row] = told[row].model_copy(update={"cluster": cluster.cluster_id, **update})
    return once_per_frame(told)


def unknown_clusters(clusters: Sequence[Cluster], asked: Mapping[str, str], dropped: Collection[str]) -> list[str]:
    """Return what to tell of clusters that the project file names or drops, and this footage does not have."""
    there = {cluster.cluster_id for cluster in clusters}
    gone = [(one, f"characters: {name} names") for one, name in sorted(asked.items()) if one not in there]
    gone += [(one, "detection.drop names") for one in sorted(dropped) if one not in there]
    return [f"{what} the cluster {one}, which this run does not have" for one, what in gone]


def _verdict(cluster: Cluster, names: Mapping[str, str], dropped: Collection[str]) -> dict[str, str]:
    of = f"{len(cluster.rows)} sightings in {cluster.track_count} tracks that look alike"
    if cluster.cluster_id in dropped:
        reason = f"the project file drops its cluster {cluster.cluster_id}, of {of}"
        return {"character": "", "outcome": "dropped", "reason": reason}
    if name := names.get(cluster.cluster_id):
        reason = f"the project file names its cluster {cluster.cluster_id}, of {of}"
        return {"character": name, "outcome": "named", "reason": reason}
    if cluster.working_name:
        return {"character": cluster.working_name, "outcome": "named", "reason": f"one of {of}"}
    if len(cluster.rows) < MIN_SIGHTINGS:
        reason = f"seen {len(cluster.rows)} of the {MIN_SIGHTINGS} times that make a character"
    else:
        reason = f"seen in one shot only; a character returns in {MIN_SHOTS}"
    return {"character": "", "outcome": "unknown", "reason": reason}
