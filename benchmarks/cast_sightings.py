"""The sightings of a film, made by the product's own stages over what the models said."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.cast_material import EMBEDDING_MODEL, Answers, Film, LocalRekognition, embedder
from benchmarks.cast_truth import Truth
from storycast import keys
from storycast.adapters.rekognition import RekognitionLabels
from storycast.cast import Cast, CastMember, Reference
from storycast.crops import FrameCrops
from storycast.detections import FrameDetections
from storycast.embeddings import Vectors, decode, encode, stack
from storycast.footage import FootageSource
from storycast.frames import KeptFrame
from storycast.images import cut_rectangle, open_picture, to_jpeg
from storycast.looks import looks
from storycast.plan import CROPS_VERSION, RunPlan, make_plan
from storycast.settings import Settings
from storycast.sightings import Sighting, link_tracks, sighting
from storycast.stages.crop_characters import crop_characters
from storycast.stages.detect_characters import detect_characters
from storycast.stages.embedding import embed_picture, encoded_colours
from tests.fakes.store import MemoryStore
from tests.fakes.turns import turns_of

LARGE_SHARE = 0.25
"""Of the frame's height: what a person would take for a reference picture."""


@dataclass(frozen=True)
class Seen:
    """All sightings of a film with their looks and tracks."""

    sightings: list[Sighting]
    looks: Vectors
    tracks: list[int]


class _FrameStore(MemoryStore):
    """A bucket of one frame: its picture lies in a file, results in memory."""

    def get(self, key: str) -> bytes:
        path = Path(key)
        return path.read_bytes() if path.is_absolute() or key.startswith(".") else super().get(key)


def see(film: Film, settings: Settings, answers: Answers, cache: Path) -> Seen:
    """Detect and crop in all frames, and follow what was found through the shots."""
    source = FootageSource(footage_id=film.footage_id, name="film", key="film", size_bytes=1, etag="0")
    plan = make_plan("benchmark", "benchmark", settings, [source])
    detector = RekognitionLabels("benchmark", LocalRekognition(answers, cache / "state"))
    sightings, vectors, colour = [], [], []
    for frame in film.frames:
        store = _FrameStore()
        mine = turns_of(plan.run_id, store)
        detect_characters(plan, frame, store=store, turns=mine, detector=detector)
        crops = _crops(plan, frame, store, answers)
        for crop in crops.crops:
            sightings.append(sighting(frame, crop))
            vectors.append(decode(crop.embedding))
            colour.append(decode(crop.colours))
    stacked = stack(vectors)
    return Seen(sightings, looks(stacked, stack(colour)), link_tracks(sightings, stacked))


def _crops(plan: RunPlan, frame: KeptFrame, store: _FrameStore, answers: Answers) -> FrameCrops:
    """Run the stage, unless this very frame was cropped before with the same boxes."""
    footage = plan.of(frame.footage_id)
    detections = FrameDetections.model_validate_json(
        store.get(keys.detections(frame.footage_id, footage.detections, frame.frame_id))
    )
    boxes = [detection.model_dump(mode="json") for detection in detections.detections]
    content = hashlib.sha256(Path(frame.key).read_bytes()).hexdigest()
    question = ["CropCharacters", CROPS_VERSION, content, frame.frame_id, plan.settings.crop.model_dump(), boxes]

    def ask() -> str:
        mine = turns_of(plan.run_id, store)
        crop_characters(plan, frame, store=store, turns=mine, embedder=embedder(answers))
        return store.get(keys.crops(frame.footage_id, footage.crops, frame.frame_id)).decode()

    return FrameCrops.model_validate_json(answers.of(question, ask))


def cast_of(pictures: dict[str, list[bytes]], answers: Answers, labels: dict[str, tuple[str, ...]]) -> Cast:
    """Return a cast with reference pictures, embedded as ``BuildCast`` does, and labels."""
    asked = embedder(answers)
    members = []
    for name in sorted(pictures):
        references = []
        for content in pictures[name]:
            picture = open_picture(content)
            digest = hashlib.sha256(content).hexdigest()
            references.append(
                Reference(
                    key=digest,
                    content=digest,
                    embedding=encode(embed_picture(picture, asked)),
                    colours=encoded_colours(picture),
                )
            )
        members.append(
            CastMember(name=name, description="", labels=labels.get(name, ()), references=tuple(references))
        )
    return Cast(embedding_model=EMBEDDING_MODEL, members=tuple(members))


def choose_references(
    film: Film, truth: Truth, shots: Sequence[int], count: int, answers: Answers
) -> tuple[dict[str, list[bytes]], dict[str, list[int]]]:
    """Choose reference pictures as a person would: of different scenes, whole, large, and unlike each other.

    Candidates are the surely named boxes in the shots given that are at least a quarter of the frame high and
    neither cut nor hidden (the cut and hidden ones, too, where those are too few), cut out along the box. First
    comes the one that is likest to all others of its character, then each time the one least like those taken, of
    a shot that none was taken of.

    Returns:
        Pictures per character, and the times that they are of.
    """
    frames = {frame.time_ms: frame for frame in film.frames}
    asked = embedder(answers)
    pictures: dict[str, list[bytes]] = {}
    times: dict[str, list[int]] = {}
    for name in truth.cast:
        boxes = [
            (time_ms, one)
            for time_ms, there in sorted(truth.frames.items())
            for one in there
            if one.name == name and not one.unsure and one.box.height >= LARGE_SHARE and time_ms in frames
            if frames[time_ms].shot in shots
        ]
        whole = [(time_ms, one) for time_ms, one in boxes if one.is_whole]
        usable = whole if len({frames[time_ms].shot for time_ms, _ in whole}) >= count else boxes
        cuts = [cut_rectangle(open_picture(film.picture(frames[time_ms])), one.box) for time_ms, one in usable]
        vectors = stack([embed_picture(cut, asked) for cut in cuts])
        cosines = vectors @ vectors.T
        taken = [int(cosines.sum(axis=1).argmax())] if cuts else []
        while len(taken) < count:
            used = {frames[usable[row][0]].shot for row in taken}
            left = [row for row in range(len(usable)) if frames[usable[row][0]].shot not in used]
            left = left or [row for row in range(len(usable)) if row not in taken]
            if not left:
                break
            taken.append(min(left, key=lambda row: (float(cosines[row, taken].max()), row)))
        pictures[name] = [to_jpeg(cuts[row]) for row in taken]
        times[name] = [usable[row][0] for row in taken]
    return pictures, times


def find_time(film: Film, picture: bytes, answers: Answers) -> int:
    """Return the time of the frame that a picture was cut out of, or of one beside it: where it fits best."""

    def ask() -> int:
        cut = _reduced(picture)
        fits = {}
        for frame in film.frames:
            whole = _reduced(film.picture(frame))
            if whole.shape[0] >= cut.shape[0] and whole.shape[1] >= cut.shape[1]:
                fits[frame.time_ms] = float(cv2.matchTemplate(whole, cut, cv2.TM_CCOEFF_NORMED).max())
        return max(fits, key=lambda time_ms: fits[time_ms])

    question = ["find_time", film.footage_id, len(film.frames), hashlib.sha256(picture).hexdigest()]
    return int(answers.of(question, ask))


def _reduced(picture: bytes) -> NDArray[np.uint8]:
    grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_4)
    if grey is None:
        raise ValueError("a picture can't be read")
    return grey.astype(np.uint8, copy=False)
