"""NameCharacters: gather what was found in all frames, and name it by votes fused over each shot."""

from collections.abc import Iterator, Sequence
from typing import Any

from storycast import keys
from storycast.cast import Cast
from storycast.crops import FrameCrops
from storycast.detections import FrameDetections
from storycast.discovery import Cluster, discover, find_clusters, told_by_people, unknown_clusters
from storycast.embeddings import Rows, Vectors, decode, thresholds_of
from storycast.faces import FrameSearches, votes_of
from storycast.frames import KeptFrame, from_json_lines, to_json_lines
from storycast.ledger import Entry, record_entries, refuse_losses
from storycast.looks import look_of
from storycast.naming import name_by_cast
from storycast.payloads import listed
from storycast.plan import RunPlan
from storycast.ports import ObjectStore
from storycast.runs import Run, change_run
from storycast.settings import Detection
from storycast.sightings import Sighting, described, link_tracks, sighting
from storycast.stages.cluster_sheets import draw_clusters
from storycast.stages.reading import read_records
from storycast.stages.search_faces import searches_mark
from storycast.stages.vectors import write_vectors
from storycast.votes import METHODS, Method


class _Gathered:
    """What the frames' results say, as it is read."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.vectors = Rows(0)
        self.looks = Rows(0)
        self.entries: list[Entry] = []
        self.lost = 0
        self.paid_detections = 0
        self.paid_embeddings = 0
        self.paid_faces = 0
        self.paid_searches = 0
        self.label_models: set[str] = set()

    def paid_by_method(self) -> dict[str, int]:
        """What was paid for by methods that few projects ask for; without those that cost nothing."""
        counts = {
            "paid_face_detections": self.paid_faces,
            "paid_face_searches": self.paid_searches,
        }
        return {name: count for name, count in counts.items() if count}

    def frame(self, frame: KeptFrame, outcome: str, reason: str) -> None:
        self.lost += outcome == "lost"
        self.entries.append(
            Entry(
                kind="frame",
                id=frame.frame_id,
                footage_id=frame.footage_id,
                outcome=outcome,
                reason=reason,
            )
        )


def name_characters(plan: RunPlan, *, store: ObjectStore) -> dict[str, Any]:
    """Write ``sightings.jsonl`` and ``embeddings.npy``: every crop of the run, who it shows, and its vector.

    Returns:
        How many sightings there are and how many have a name, and what to tell when none has.

    Raises:
        TooManyLostError: More frames than ``max_lost_share`` left no result.
    """
    frames = from_json_lines(store.get(keys.run_file(plan.run_id, "frames.jsonl")), KeptFrame)
    cast = Cast.model_validate_json(store.get(keys.run_file(plan.run_id, "cast.json")))
    gathered = _gather(plan, frames, cast, store)
    vectors = gathered.vectors.taken()
    named, clusters = _name(plan, gathered, vectors, cast)
    names, dropped = _told(plan)
    if cast.discovered:
        draw_clusters(plan.run_id, clusters, named, store=store)
    warnings = unknown_clusters(clusters, names, dropped)
    store.put(keys.run_file(plan.run_id, "sightings.jsonl"), to_json_lines(named), "application/jsonl")
    write_vectors(store, keys.run_file(plan.run_id, "embeddings.npy"), vectors)
    gathered.entries += [_entry(one) for one in named]
    record_entries(store, plan.run_id, "name_characters", gathered.entries)
    with_name = sum(bool(one.character) for one in named)

    def named_in(run: Run) -> Run:
        return run.with_counts(
            frames_lost=gathered.lost,
            crops=len(named),
            crops_named=with_name,
            paid_detections=gathered.paid_detections,
            paid_embeddings=gathered.paid_embeddings,
            **gathered.paid_by_method(),
            **({"clusters": sum(bool(cluster.working_name) for cluster in clusters)} if cast.discovered else {}),
        ).with_chosen(label_models=sorted(gathered.label_models))

    change_run(store, plan.run_id, lambda run: named_in(run).with_warnings(*warnings[:5]))
    refuse_losses("frames", gathered.lost, len(frames), plan.settings.max_lost_share)
    return {"sightings": len(named), "named": with_name, "message": _message(len(frames), len(named), cast)}


def _message(frames: int, sightings: int, cast: Cast) -> str:
    if not sightings:
        return (
            f"No characters found: nothing in {frames} frames was taken for one. "
            "Check that the film shows them large enough, or lower detection.min_confidence."
        )
    if cast.discovered:
        return f"No characters found: none of {sightings} crops in {frames} frames returns often enough."
    names = listed([member.name for member in cast.members])
    return (
        f"No characters found: none of {sightings} crops in {frames} frames is like {names}. "
        "Check the reference pictures; the ledger has the likeness of each crop."
    )


def _gather(plan: RunPlan, frames: Sequence[KeptFrame], cast: Cast, store: ObjectStore) -> _Gathered:
    gathered = _Gathered()
    marks = {footage.source.footage_id: footage for footage in plan.footage}
    detection_keys = [
        keys.detections(frame.footage_id, marks[frame.footage_id].detections, frame.frame_id) for frame in frames
    ]
    shown, detections = [], 0
    read = read_records(store, detection_keys, FrameDetections)
    for frame, found in zip(frames, read, strict=True):
        if found is None:
            gathered.frame(frame, "lost", "detection left no result")
            continue
        gathered.paid_detections += found.paid_by == plan.run_id
        gathered.paid_faces += found.faces_paid_by == plan.run_id
        gathered.label_models |= {found.model_version} - {""}
        if found.refused:
            gathered.frame(frame, "refused", found.refused)
        elif not found.detections:
            gathered.frame(frame, "no_character", "nothing in it was taken for a character")
        else:
            shown.append(frame)
            detections += len(found.detections)
    gathered.vectors, gathered.looks = Rows(detections), Rows(detections)
    crop_keys = [keys.crops(frame.footage_id, marks[frame.footage_id].crops, frame.frame_id) for frame in shown]
    searches = _searches(plan, shown, cast, store)
    for frame, crops, searched in zip(shown, read_records(store, crop_keys, FrameCrops), searches, strict=True):
        _take(gathered, plan.run_id, frame, crops, searched, cast)
    return gathered


def _searches(
    plan: RunPlan, frames: Sequence[KeptFrame], cast: Cast, store: ObjectStore
) -> Iterator[FrameSearches | None]:
    """Yield what the face collection said of each frame; empty ones where there is none to ask."""
    if cast.faces is None:
        for frame in frames:
            yield FrameSearches(frame_id=frame.frame_id, fingerprint="", complete=True)
        return
    marks = {frame.footage_id: searches_mark(plan, frame.footage_id, cast) for frame in frames}
    found = [keys.face_searches(frame.footage_id, marks[frame.footage_id], frame.frame_id) for frame in frames]
    yield from read_records(store, found, FrameSearches)


def _take(
    gathered: _Gathered,
    run_id: str,
    frame: KeptFrame,
    crops: FrameCrops | None,
    searched: FrameSearches | None,
    cast: Cast,
) -> None:
    if crops is None or not crops.complete:
        gathered.frame(frame, "lost", "cropping left no result" if crops is None else "cropping was cut short")
        return
    if crops.crops and (searched is None or not searched.complete):
        gathered.frame(frame, "lost", "the search of its faces left no result")
        return
    gathered.frame(frame, "cropped", f"{len(crops.crops)} crops")
    gathered.paid_embeddings += sum(crop.paid_by == run_id for crop in crops.crops)
    by_crop = {search.crop_id: search for search in searched.searches} if searched else {}
    gathered.paid_searches += sum(search.paid_by == run_id for search in by_crop.values())
    for crop in crops.crops:
        votes = votes_of(by_crop[crop.crop_id], cast) if crop.crop_id in by_crop else ()
        gathered.sightings.append(sighting(frame, crop.model_copy(update={"votes": (*crop.votes, *votes)})))
        gathered.vectors.append(decode(crop.embedding))
        gathered.looks.append(look_of(crop))
    gathered.entries += [
        Entry(kind="crop", id=crop_id, footage_id=frame.footage_id, outcome="refused", reason=reason)
        for crop_id, reason in crops.refused
    ]


def _name(
    plan: RunPlan, gathered: _Gathered, vectors: Vectors, cast: Cast
) -> tuple[list[Sighting], list[Cluster]]:
    """Return the sightings with their names, and the clusters where those were asked for."""
    sightings = gathered.sightings
    if not sightings:
        return [], []
    looks = gathered.looks.taken()
    tracks = link_tracks(sightings, vectors)
    likenesses = thresholds_of(cast.embedding_model)
    names, dropped = _told(plan)
    clusters = []
    if cast.discovered or names or dropped:
        clusters = find_clusters(sightings, tracks, looks, same_character=likenesses.same_look)
    if cast.discovered:
        named = discover(sightings, tracks, looks, clusters, names=names, dropped=dropped)
    else:
        thresholds = thresholds_for(plan.settings.detection, cast.embedding_model)
        named = name_by_cast(sightings, tracks, looks, cast, thresholds=thresholds, alike=likenesses.alike_look)
        named = told_by_people(named, clusters, names=names, dropped=dropped)
    return described(named), clusters


def thresholds_for(detection: Detection, embedding_model: str) -> dict[Method, float]:
    """Return per method the score from which its word counts."""
    # Where no threshold is asked for, Custom Labels' own has decided already, and the model's table decides.
    usual = {"references": thresholds_of(embedding_model).known_look}
    asked = {method: detection.threshold(method) for method in METHODS}
    return {method: usual.get(method, 0.0) if value is None else value for method, value in asked.items()}


def _told(plan: RunPlan) -> tuple[dict[str, str], frozenset[str]]:
    """Return what the project file says of clusters: names by their ids, and which are nobody."""
    names = {one: character.name for character in plan.settings.characters for one in character.clusters}
    return names, frozenset(plan.settings.detection.drop)


def _entry(one: Sighting) -> Entry:
    return Entry(kind="crop", id=one.crop_id, footage_id=one.footage_id, outcome=one.outcome, reason=one.reason)
