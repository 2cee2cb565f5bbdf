"""A contact sheet for each discovered cluster, and the list of them: for who names, merges or drops them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from storycast import keys
from storycast.contact_sheet import Tile, draw_contact_sheet
from storycast.discovery import Cluster
from storycast.footage import Record
from storycast.frames import to_json_lines
from storycast.images import PictureUnreadableError, open_picture
from storycast.ports import ObjectStore
from storycast.sightings import Sighting
from storycast.stages.reading import WORKERS

MAX_SHEETS = 60
"""Of one run; smaller clusters are listed, and have none."""
TILES = 15
"""Of one sheet: the most typical of each shot first."""


class ListedCluster(Record):
    """A line of the run's ``cast/clusters.jsonl``."""

    cluster_id: str
    character: str
    """What it is called in this run; empty where it is nobody."""
    sightings: int
    tracks: int
    shots: int
    sheet: str
    """Key of its contact sheet; empty where it has none."""


def draw_clusters(
    run_id: str, clusters: Sequence[Cluster], sightings: Sequence[Sighting], *, store: ObjectStore
) -> None:
    """Write ``cast/<cluster>.jpg`` for each cluster that has a working name, and ``cast/clusters.jsonl``."""
    shown = [cluster for cluster in clusters if cluster.working_name]
    with ThreadPoolExecutor(WORKERS) as pool:
        drawn = pool.map(
            lambda cluster: (cluster.cluster_id, _draw(run_id, cluster, sightings, store)), shown[:MAX_SHEETS]
        )
        sheets = dict(drawn)
    listed = [
        ListedCluster(
            cluster_id=cluster.cluster_id,
            character=next((sightings[row].character for row in cluster.rows if sightings[row].character), ""),
            sightings=len(cluster.rows),
            tracks=cluster.track_count,
            shots=cluster.shot_count,
            sheet=sheets.get(cluster.cluster_id, ""),
        )
        for cluster in shown
    ]
    store.put(keys.run_file(run_id, "cast/clusters.jsonl"), to_json_lines(listed), "application/jsonl")


def _draw(run_id: str, cluster: Cluster, sightings: Sequence[Sighting], store: ObjectStore) -> str:
    tiles = []
    for row in _spread(cluster, sightings)[:TILES]:
        one = sightings[row]
        try:
            picture = open_picture(store.get(one.key))
        except (KeyError, PictureUnreadableError):
            continue
        minutes, seconds = divmod(one.time_ms // 1000, 60)
        tiles.append(Tile(picture, f"{minutes}:{seconds:02d}", f"shot {one.shot}, likeness {one.score:.2f}"))
    notes = [
        f"{len(cluster.rows)} sightings, {cluster.shot_count} shots. To name it, write its id among the clusters",
        f"of a character in the project file; to drop it, under detection.drop: {cluster.cluster_id}",
    ]
    key = keys.run_file(run_id, f"cast/{cluster.cluster_id}.jpg")
    title = f"{cluster.working_name} ({cluster.cluster_id})"
    store.put(key, draw_contact_sheet(title, notes, tiles), "image/jpeg")
    return key


def _spread(cluster: Cluster, sightings: Sequence[Sighting]) -> list[int]:
    """Return its sightings, shot by shot in turn, the most typical of each first."""
    turns: dict[tuple[str, int], int] = {}
    placed = []
    for rank, row in enumerate(cluster.rows):
        shot = (sightings[row].footage_id, sightings[row].shot)
        turns[shot] = turns.get(shot, -1) + 1
        placed.append((turns[shot], rank, row))
    return [row for _, _, row in sorted(placed)]
